"""Meters decided one by one: what is promised, counted, owed and handed in."""

import msgspec
import pytest

from farthing import ids
from farthing.clock import NS
from farthing.core.meters import (
    PARTS,
    Meter,
    SeenSession,
    accept,
    counted,
    current,
    handed_in,
    opened,
    owing,
    refreshed,
    refused,
    require_covered,
    require_running,
    says_more,
    set_aside,
    tariff_of,
    to_capture,
)
from farthing.core.promises import Promise, promised_by
from farthing.core.tariffs import flat_rate
from farthing.core.ticks import Ladder
from farthing.core.vouchers import Agreed, Claims, session_alias, sign_voucher
from farthing.errors import Conflict, InvariantBroken, PaymentRefused
from farthing.keys import Ed25519Signer

TARIFF = flat_rate("USD", "request", 3, opening="1")
SESSION = ids.name("ses", 1 << 90)
ALIAS = session_alias(1 << 90)
SEEN = SeenSession(
    session=SESSION,
    closed=False,
    device="dev_1",
    payee="acc_1",
    asset="USD",
    key="ed25519:k",
    tariff=TARIFF.written().decode(),
    purpose="GET /a",
    deposit=100,
    promised=0,
    sequence=0,
    captured=0,
    ends_ns=50 * NS,
    closes_ns=90 * NS,
)
change = msgspec.structs.replace
METER = opened(SEEN)


def promise(units: int, sequence: int = 1, expiry: int = 40, ladder: Ladder | None = None):
    return promised_by(Claims(ALIAS, units, sequence, expiry, ladder), b"raw %d" % units)


def code(kind, call, *arguments) -> str:
    with pytest.raises(kind) as raised:
        call(*arguments)
    return raised.value.code


def test_a_meter_begins_with_what_the_hub_shows():
    assert (
        Meter(
            session=SESSION,
            device="dev_1",
            payee="acc_1",
            asset="USD",
            key="ed25519:k",
            tariff=SEEN.tariff,
            purpose="GET /a",
            deposit=100,
            ends_ns=50 * NS,
            closes_ns=90 * NS,
        )
        == METER
    )
    assert opened(SEEN) == METER
    assert tariff_of(METER) == TARIFF
    assert METER.agreed == Agreed(SESSION, "acc_1", "USD", TARIFF.digest())
    assert METER.alias == ALIAS


def test_what_was_promised_before_a_meter_began_counts_as_used():
    begun = opened(change(SEEN, promised=12, sequence=4, closed=True))
    assert (begun.count, begun.units, begun.handed, begun.sequence) == (3, 12, 12, 4)
    assert begun.stopped == "session-closed"
    free = flat_rate("USD", "request", 3, opening="0").written().decode()
    assert opened(change(SEEN, tariff=free)).count == 0
    dear = flat_rate("USD", "request", 3, opening="20").written().decode()
    assert opened(change(SEEN, promised=12, tariff=dear)).count == 0


def test_a_promise_is_shown_as_it_was_taken():
    assert METER.promise is None
    claims = Claims(ALIAS, 5, 2, 40, Ladder(bytes(16), 3, 9))
    raw = sign_voucher(Ed25519Signer(bytes(32)), METER.agreed, claims)
    taken = Promise(claims, raw, 2, b"v" * 16)
    meter = accept(METER, taken, 0)
    assert meter.promise == taken
    assert (meter.units, meter.sequence, meter.due) == (11, 2, 11)


def test_the_highest_promise_counts_and_an_equal_one_is_a_yes():
    meter = accept(METER, promise(10, 5), 0)
    assert (meter.units, meter.sequence, meter.voucher) == (10, 5, b"raw 10")
    higher = accept(meter, promise(11, 2), 0)
    assert (higher.units, higher.sequence) == (11, 5)
    assert accept(meter, promise(10, 9), 0) is meter
    with pytest.raises(Conflict) as raised:
        accept(meter, promise(9, 9), 0)
    assert raised.value.code == "voucher-superseded"
    assert raised.value.more == current(meter)


def test_a_voucher_that_only_the_hub_had_is_kept_when_it_is_shown():
    meter = handed_in(METER, 10)
    shown = accept(meter, promise(10), 0)
    assert (shown.voucher, shown.units, shown.handed) == (b"raw 10", 10, 10)


@pytest.mark.parametrize(
    ("terms", "units", "now_ns", "kind", "said"),
    [
        ({}, 100, 40 * NS - 1, None, ""),
        ({}, 101, 0, PaymentRefused, "voucher-beyond-deposit"),
        ({}, 5, 40 * NS, PaymentRefused, "voucher-expired"),
        ({"ends_ns": 7}, 5, 6, None, ""),
        ({"ends_ns": 7}, 5, 7, PaymentRefused, "session-over"),
        ({"stopped": "session-closed"}, 5, 0, Conflict, "session-closed"),
        ({"stopped": "session-revoked"}, 5, 0, PaymentRefused, "session-revoked"),
    ],
)
def test_what_comes_too_late_or_is_too_much_is_refused(terms, units, now_ns, kind, said):
    meter = change(METER, **terms)
    if kind is None:
        assert accept(meter, promise(units), now_ns).units == units
        return
    with pytest.raises(kind) as raised:
        accept(meter, promise(units), now_ns)
    assert raised.value.code == said
    assert raised.value.more == current(meter)


def test_a_closed_session_takes_not_even_what_it_has():
    meter = change(accept(METER, promise(10), 0), stopped="session-closed")
    assert code(Conflict, accept, meter, promise(10), 0) == "session-closed"


def test_a_session_runs_until_it_ends_or_is_stopped():
    require_running(METER, 50 * NS - 1)
    assert code(PaymentRefused, require_running, METER, 50 * NS) == "session-over"
    closed, stopped = (
        change(METER, stopped="session-closed"),
        change(METER, stopped="account-frozen"),
    )
    for meter, kind in ((closed, Conflict), (stopped, PaymentRefused)):
        with pytest.raises(kind) as raised:
            require_running(meter, 0)
        assert (raised.value.code, raised.value.more) == (meter.stopped, current(meter))


def test_what_is_owed_follows_from_the_whole_count():
    meter = change(METER, count=2, units=10)
    assert (owing(meter), owing(meter, 1), owing(METER)) == (7, 10, 1)
    assert to_capture(meter) == 7
    assert to_capture(change(meter, count=9)) == 10


def test_no_more_is_given_than_is_promised_or_beyond():
    meter = change(METER, count=2, units=10)
    require_covered(meter, 1)
    require_covered(meter, 2, 3)
    for more, beyond, needed in ((2, 0, "13"), (2, 2, "13"), (3, 5, "16")):
        with pytest.raises(PaymentRefused) as raised:
            require_covered(meter, more, beyond)
        assert raised.value.code == "voucher-needed"
        assert raised.value.more == {"needed": needed} | current(meter)


def test_parts_add_up_to_whole_ones_and_are_taken_back():
    meter = counted(METER, 2, PARTS - 1)
    assert (meter.count, meter.part) == (2, PARTS - 1)
    meter = counted(meter, 1, 1)
    assert (meter.count, meter.part) == (4, 0)
    assert (counted(meter, 0, -1).count, counted(meter, 0, -1).part) == (3, PARTS - 1)
    assert counted(meter, -4).count == 0
    assert counted(METER, 3).part == 0
    with pytest.raises(InvariantBroken):
        counted(meter, -4, -1)


def test_what_is_set_aside_counts_as_used():
    meter = change(METER, count=2)
    assert set_aside(meter, 3).count == 5
    assert set_aside(meter, 0) is meter


def test_a_meter_is_written_where_it_says_more_than_what_is_written():
    written = change(METER, count=5, part=7)
    assert not says_more(written, written)
    assert not says_more(change(written, count=4, part=9), written)
    assert not says_more(change(written, part=6), written)
    assert says_more(change(written, count=6, part=0), written)
    assert says_more(change(written, part=8), written)
    assert says_more(change(written, count=4, units=1), written)


def test_what_the_hub_knows_is_never_less_than_before():
    meter = change(METER, units=10, handed=4)
    for promised, handed, units in ((3, 4, 10), (7, 7, 10), (12, 12, 12)):
        known = handed_in(meter, promised)
        assert (known.handed, known.units, known.due) == (handed, units, units - handed)


def test_what_the_hub_shows_again_is_taken_over():
    seen = change(SEEN, deposit=150, ends_ns=1, closes_ns=2, promised=9)
    meter = refreshed(change(METER, stopped="account-frozen", units=3), seen)
    assert (meter.deposit, meter.ends_ns, meter.closes_ns) == (150, 1, 2)
    assert (meter.units, meter.handed, meter.stopped) == (9, 9, "account-frozen")
    assert refreshed(METER, change(SEEN, closed=True)).stopped == "session-closed"


@pytest.mark.parametrize(
    ("said", "stopped"),
    [
        ("session-closed", "session-closed"),
        ("session-over", "session-over"),
        ("session-revoked", "session-revoked"),
        ("account-frozen", "account-frozen"),
        ("voucher-expired", ""),
        ("bad-signature", ""),
    ],
)
def test_what_the_hub_refuses_for_good_stops_a_meter(said, stopped):
    meter = refused(METER, PaymentRefused(said, "no"))
    assert (meter.stopped, meter.handed) == (stopped, 0)


def test_a_hub_that_was_promised_more_says_how_much():
    meter = change(METER, units=10, handed=4)
    assert refused(meter, Conflict("voucher-superseded", "more", promised="12")).units == 12
    assert refused(meter, Conflict("voucher-superseded", "more")).handed == 10


@pytest.mark.parametrize(("stopped", "state"), [("", "open"), ("session-closed", "closed"),
                                                ("session-over", "open")])  # fmt: skip
def test_a_client_is_told_how_it_stands(stopped, state):
    meter = change(METER, units=10, sequence=2, count=2, stopped=stopped)
    assert current(meter) == {
        "session": SESSION,
        "state": state,
        "deposit": "100",
        "promised": "10",
        "sequence": "2",
        "count": "2",
        "owed": "7",
    }
