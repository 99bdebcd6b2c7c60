"""Sessions: what opens and closes them, who sees them and what is said of them."""

import msgspec
import pytest

from farthing import ids
from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.closing import CloseSession, EndSession
from farthing.core.events import EVENTS, Kind
from farthing.core.orders import Order, payment_id
from farthing.core.session_charges import (
    unit_tariff,
)
from farthing.core.sessions import (
    GRACE_SECONDS_MAX,
    LIFETIME_SECONDS_MAX,
    SESSIONS,
    TARIFFS,
    EndedBy,
    KeepTariff,
    Opening,
    Phase,
    alias_key,
    alias_of,
    current,
    is_deposit,
    opening_of,
    paid_by,
    paid_to,
    require_deposit,
    session_ordered,
    session_statement,
    session_topped_up,
    top_up_resource,
)
from farthing.core.vouchers import session_alias
from farthing.errors import Conflict, Malformed, Missing, PaymentRefused
from tests.core.session_rows import (
    NUMBER,
    SESSION,
    change,
    problem,
    shown,
)
from tests.core.shown import Shown


def test_a_session_is_seen_by_its_own_side_and_the_operator():
    view = shown()
    assert paid_by(view, SESSION.id, "own_1") is paid_by(view, SESSION.id, None) is SESSION
    assert paid_to(view, SESSION.id, "own_2") is paid_to(view, SESSION.id, None) is SESSION
    for side, owner, ident in (
        (paid_by, "own_2", SESSION.id),
        (paid_to, "own_1", SESSION.id),
        (paid_by, None, "ses_x"),
    ):
        with pytest.raises(Missing) as raised:
            side(view, ident, owner)
        assert raised.value.code == "no-such-session"


def test_a_session_is_stated_with_its_ticks_where_it_has_some():
    session = change(SESSION, state=Phase.CLOSED, units=9, captured=8, sequence=7)
    stated = {
        "asset": "USD", "captured": "8", "deposit": "100", "device": "dev_1", "ended_by": "",
        "kind": "session", "money": "test", "payee": "acc_2", "payer": "acc_1", "promised": "9",
        "sequence": "7", "session": SESSION.id, "state": "closed",
        "tariff": to_base64url(SESSION.tariff),
    }  # fmt: skip
    assert msgspec.json.decode(session_statement(session)) == stated
    ticked = change(session, tick=b"v" * 16, ticks=3)
    more = {"tick": to_base64url(b"v" * 16), "ticks": "3"}
    assert msgspec.json.decode(session_statement(ticked)) == stated | more


def test_a_client_is_told_what_it_needs_to_go_on():
    assert current(change(SESSION, units=9, sequence=7, ticks=3)) == {
        "session": SESSION.id, "state": "open", "deposit": "100", "promised": "9",
        "sequence": "7", "ticks": "3",
    }  # fmt: skip


def test_a_session_is_called_by_eight_bytes_beside_its_payee():
    assert alias_of(SESSION.id) == session_alias(NUMBER) == SESSION.alias
    assert SESSION.number == NUMBER
    payee = ids.name("acc", 77)
    assert alias_key(payee, b"8 bytes!") == bytes(15) + b"\x4d8 bytes!"


# What an order says of a session.

OPENING = Opening(bytes(range(32)), 60, 0, "GET /a b")


def test_an_opening_is_read_as_it_is_written():
    longest = OPENING._replace(lifetime_seconds=LIFETIME_SECONDS_MAX)
    shortest = OPENING._replace(lifetime_seconds=1, grace_seconds=GRACE_SECONDS_MAX)
    for opening in (OPENING, longest, shortest):
        assert opening_of(opening.resource()) == opening
    top_up = top_up_resource(SESSION.id)
    assert opening_of(top_up) is None
    assert session_topped_up(top_up) == SESSION.id
    assert is_deposit(OPENING.resource()) and is_deposit(top_up) and not is_deposit("GET /a")


@pytest.mark.parametrize(
    "resource",
    [
        OPENING._replace(lifetime_seconds=0).resource(),
        OPENING._replace(lifetime_seconds=LIFETIME_SECONDS_MAX + 1).resource(),
        OPENING._replace(grace_seconds=GRACE_SECONDS_MAX + 1).resource(),
        "SESSION x 1 1 GET",
    ],
)
def test_an_opening_that_makes_no_sense_is_malformed(resource):
    with pytest.raises(Malformed) as raised:
        opening_of(resource)
    assert raised.value.code == "malformed-session"


def test_a_top_up_names_a_session():
    with pytest.raises(Malformed) as raised:
        session_topped_up("TOPUP ses_x")
    assert raised.value.code == "malformed-session"


def order(amount: int, resource: str) -> Order:
    nonce = ids.encode(3 << 80)
    return Order(
        hub="h", device="dev_1", payee="acc_2", asset="USD", amount=amount, nonce=nonce, expires=9,
        resource=resource,
    )  # fmt: skip


def test_the_session_of_an_order_follows_from_it():
    opening = order(5, OPENING.resource())
    assert session_ordered(opening) == ids.name("ses", payment_id(opening))
    assert session_ordered(order(5, top_up_resource(SESSION.id))) == SESSION.id


@pytest.mark.parametrize(("held", "amount", "units"), [(0, 5, 5), (7, 5, 12), (7, 5, 0)])
def test_a_voucher_is_covered_by_what_is_held_and_what_is_added(held, amount, units):
    adding = order(amount, top_up_resource(SESSION.id))
    require_deposit(adding, held, units)
    with pytest.raises(PaymentRefused) as raised:
        require_deposit(adding, held, held + amount + 1)
    assert raised.value.code == "voucher-beyond-deposit"
    assert raised.value.more == {"session": SESSION.id, "deposit": str(held)}


def test_a_tariff_is_kept_once():
    tariff = unit_tariff("USD")
    assert (tariff.counts, tariff.tiers[0].amount) == ("unit", "1")
    [write] = KeepTariff(tariff).plan(Shown(0)).writes
    assert (write.row.digest, write.row.text) == (tariff.digest(), tariff.written().decode())
    assert write.table is TARIFFS
    assert list(KeepTariff(tariff).plan(Shown(0, (TARIFFS, write.row))).writes) == []


# The end.


def test_a_payer_ends_its_session_and_the_grace_runs_from_then():
    view = shown(now_ns=20 * NS)
    done = EndSession(SESSION.id, "own_1").plan(view)
    assert done.answer == change(
        SESSION,
        ends_ns=20 * NS,
        closes_ns=60 * NS,
        ended_by=EndedBy.PAYER,
        changed_ns=20 * NS,
    )
    assert done.writes[0].row == done.answer
    assert msgspec.json.decode(done.statement)["kind"] == Kind.SESSION_ENDED.value
    by_device = EndSession(SESSION.id, None, "dev_1")
    assert by_device.plan(view).answer == done.answer
    assert problem(EndSession(SESSION.id, None, "dev_2"), view, Missing) == "no-such-session"


@pytest.mark.parametrize(
    "view",
    [shown(now_ns=50 * NS), shown(change(SESSION, state=Phase.CLOSED))],
    ids=["by time", "by a close"],
)
def test_what_has_ended_is_not_ended_again(view):
    done = EndSession(SESSION.id, "own_1").plan(view)
    assert done.answer is view.get(SESSIONS, SESSION.id) and not done.writes


@pytest.mark.parametrize(
    ("unit", "before", "ended_by"),
    [
        (CloseSession(SESSION.id, "own_2"), EndedBy.NOBODY, EndedBy.PAYEE),
        (CloseSession(SESSION.id, None), EndedBy.NOBODY, EndedBy.OPERATOR),
        (CloseSession(SESSION.id, None, due=True), EndedBy.NOBODY, EndedBy.TIME),
        (CloseSession(SESSION.id, "own_2"), EndedBy.PAYER, EndedBy.PAYER),
    ],
)
def test_a_session_is_closed_with_what_is_promised(unit, before, ended_by):
    session = change(SESSION, units=30, ended_by=before)
    done = unit.plan(shown(session, 90 * NS))
    assert done.answer == change(
        session,
        state=Phase.CLOSED,
        captured=30,
        unsettled=2,
        ended_by=ended_by,
        changed_ns=90 * NS,
        leaf=7,
    )
    assert done.writes[0].row == done.answer and done.writes[0].table is SESSIONS
    assert {w.row.kind for w in done.writes if w.table is EVENTS} == {Kind.SESSION_CLOSED}
    assert (done.subject, done.statement) == (NUMBER, session_statement(done.answer))


def test_a_session_is_closed_when_it_is_due_and_not_before():
    due = CloseSession(SESSION.id, None, due=True)
    assert due.plan(shown(now_ns=90 * NS - 1)).answer is SESSION
    assert due.plan(shown(now_ns=90 * NS)).answer.state is Phase.CLOSED


@pytest.mark.parametrize(("units", "fits"), [(0, True), (30, True), (31, False), (-1, False)])
def test_no_more_is_taken_than_was_promised(units, fits):
    unit, view = CloseSession(SESSION.id, "own_2", units), shown(change(SESSION, units=30))
    if fits:
        assert unit.plan(view).answer.captured == units
    else:
        assert problem(unit, view, Malformed) == "capture-too-large"


def test_a_closed_session_is_closed_again_with_the_same_amount_alone():
    closed = change(SESSION, state=Phase.CLOSED, units=30, captured=20)
    for units in (None, 20):
        done = CloseSession(SESSION.id, "own_2", units).plan(shown(closed))
        assert done.answer is closed and not done.writes
    other = CloseSession(SESSION.id, "own_2", 30)
    with pytest.raises(Conflict) as raised:
        other.plan(shown(closed))
    assert (raised.value.code, raised.value.more) == ("session-closed", current(closed))
