"""Vouchers, ticks and promises at their edges: the last that is taken, the first that is not."""

import pytest

from farthing.core.promises import Promise, is_ahead, promised_by, require_on
from farthing.core.ticks import (
    LADDER_TICKS_MAX,
    Climbed,
    Ladder,
    Tick,
    climb,
    read_ticks,
    stepped,
)
from farthing.core.vouchers import (
    SEQUENCE_MAX,
    Agreed,
    Claims,
    read_voucher,
    session_alias,
    sign_voucher,
    write_claims,
)
from farthing.errors import Malformed, Unauthenticated
from farthing.keys import Ed25519Signer
from farthing.money import UNITS_MAX

ALIAS = b"8 bytes!"
AGREED = Agreed("ses_" + "0" * 26, "acc_" + "1" * 26, "USD", bytes(range(32)))
LAST, MOST = b"the sixteen byte", 50
ANCHOR = stepped(ALIAS, LAST, MOST)


def rung(count: int) -> tuple[int, bytes]:
    return count, stepped(ALIAS, LAST, MOST - count)


def reading(claims: Claims) -> str:
    """Sign a voucher and read it; say what was wrong."""
    raw = sign_voucher(Ed25519Signer(bytes(32)), AGREED, claims)
    try:
        return "" if read_voucher(raw).claims == claims else "read otherwise"
    except Malformed as fault:
        return fault.code


@pytest.mark.parametrize(
    ("units", "sequence", "expiry", "said"),
    [
        (1, 0, 0, ""),
        (UNITS_MAX, SEQUENCE_MAX, SEQUENCE_MAX, ""),
        (0, 1, 1, "malformed-voucher"),
        (UNITS_MAX + 1, 1, 1, "malformed-voucher"),
        (1, SEQUENCE_MAX + 1, 1, "malformed-voucher"),
        (1, 1, SEQUENCE_MAX + 1, "malformed-voucher"),
    ],
)
def test_a_voucher_says_no_more_than_it_may(units, sequence, expiry, said):
    assert reading(Claims(ALIAS, units, sequence, expiry)) == said


@pytest.mark.parametrize(
    ("units", "each", "most", "said"),
    [
        (0, 1, 1, ""),
        (0, 1, LADDER_TICKS_MAX, ""),
        (UNITS_MAX - 6, 2, 3, ""),
        (UNITS_MAX - 5, 2, 3, "malformed-voucher"),
        (0, 0, 1, "malformed-voucher"),
        (0, 1, 0, "malformed-voucher"),
        (0, 1, LADDER_TICKS_MAX + 1, "malformed-voucher"),
    ],
)
def test_a_ladder_promises_no_more_than_an_amount_can_be(units, each, most, said):
    assert reading(Claims(ALIAS, units, 1, 1, Ladder(bytes(16), each, most))) == said


@pytest.mark.parametrize("value", [23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32])
def test_a_number_is_read_back_at_each_change_of_its_width(value):
    assert reading(Claims(ALIAS, value, value, value)) == ""


def test_a_number_of_more_than_64_bits_cannot_be_written():
    assert write_claims(Claims(ALIAS, 2**64 - 1, 1, 1))
    with pytest.raises(Malformed) as raised:
        write_claims(Claims(ALIAS, 2**64, 1, 1))
    assert raised.value.code == "malformed-voucher"


def test_the_alias_of_a_session_is_the_same_for_ever():
    assert session_alias(1 << 100 | 77).hex() == "f1124a4bd8ed95cf"


def test_ticks_that_are_cut_off_are_malformed():
    for raw in (b"", bytes(27), bytes(29)):
        with pytest.raises(Malformed) as raised:
            read_ticks(raw)
        assert raised.value.code == "malformed-tick"


def test_the_first_tick_and_the_last_are_of_a_ladder_and_what_is_beyond_is_not():
    known, sent = (0, ANCHOR), [rung(1), rung(MOST), (0, ANCHOR), (MOST + 1, LAST)]
    found = climb(ALIAS, known, sent, MOST, MOST, MOST)
    assert found == Climbed([rung(1), rung(MOST)], [2, 3], [], MOST)


def test_what_is_below_is_found_from_above_down_to_the_first():
    found = climb(ALIAS, rung(20), [rung(1), rung(25), rung(10)], MOST, MOST, MOST)
    assert found == Climbed([rung(1), rung(10), rung(25)], [], [], 5 + 19)


@pytest.mark.parametrize(("reach", "far"), [(10, []), (9, [0])])
@pytest.mark.parametrize("count", [10, 30])
def test_a_reach_is_as_long_as_it_says(count, reach, far):
    found = climb(ALIAS, rung(20), [rung(count)], reach, MOST, MOST)
    assert (found.far, found.steps) == (far, 0 if far else 10)


@pytest.mark.parametrize(("left", "far"), [(10, []), (9, [1])])
def test_what_may_be_hashed_is_used_up_by_each_that_is_above(left, far):
    found = climb(ALIAS, rung(20), [rung(24), rung(30)], MOST, MOST, left)
    assert (found.far, found.steps) == (far, 4 if far else 10)


@pytest.mark.parametrize(("left", "far"), [(10, []), (9, [1])])
def test_what_may_be_hashed_is_used_up_by_each_that_is_below(left, far):
    found = climb(ALIAS, rung(20), [rung(16), rung(10)], MOST, MOST, left)
    assert (found.far, found.steps) == (far, 4 if far else 10)


def test_what_is_above_leaves_less_for_what_is_below():
    assert climb(ALIAS, rung(20), [rung(26), rung(16)], MOST, MOST, 10).far == []
    assert climb(ALIAS, rung(20), [rung(26), rung(16)], MOST, MOST, 9).far == [1]


def test_a_count_that_is_far_beyond_is_outside_though_it_comes_before_in_what_was_sent():
    found = climb(ALIAS, (0, ANCHOR), [(99, LAST), (77, LAST), rung(2)], MOST, MOST, MOST)
    assert found == Climbed([rung(2)], [0, 1], [], 2)


LADDER = Ladder(ANCHOR, 3, MOST)


def test_a_voucher_promises_by_itself_what_it_says():
    assert promised_by(Claims(ALIAS, 5, 1, 9), b"raw") == Promise(
        Claims(ALIAS, 5, 1, 9), b"raw", 0, b""
    )
    laddered = promised_by(Claims(ALIAS, 5, 1, 9, LADDER), b"raw")
    assert (laddered.rung, laddered.units) == ((0, ANCHOR), 5)
    assert laddered.at(rung(4)).units == 17


@pytest.mark.parametrize(
    ("units", "sequence", "ahead"),
    [(4, 9, True), (6, 0, False), (5, 0, False), (5, 1, False)],
)
def test_a_plain_voucher_is_ahead_by_its_units_alone(units, sequence, ahead):
    assert is_ahead(promised_by(Claims(ALIAS, 5, 1, 9), b""), units, sequence) is ahead


@pytest.mark.parametrize(("sequence", "ahead"), [(0, True), (1, False), (2, False)])
def test_a_ladder_that_promises_as_much_is_ahead_of_older_vouchers(sequence, ahead):
    promise = promised_by(Claims(ALIAS, 5, 1, 9, LADDER), b"")
    assert is_ahead(promise, 5, sequence) is ahead
    assert not is_ahead(promise, 6, sequence)


@pytest.mark.parametrize(
    ("ladder", "alias", "count", "fits"),
    [
        (LADDER, ALIAS, 1, True),
        (LADDER, ALIAS, MOST, True),
        (LADDER, ALIAS, 0, False),
        (LADDER, ALIAS, MOST + 1, False),
        (LADDER, b"8 others", 1, False),
        (None, ALIAS, 1, False),
    ],
)
def test_a_tick_is_on_the_ladder_of_its_session_or_on_none(ladder, alias, count, fits):
    tick = Tick(ALIAS, count, bytes(16))
    if fits:
        assert require_on(ladder, alias, tick) is ladder
        return
    with pytest.raises(Unauthenticated) as raised:
        require_on(ladder, alias, tick)
    assert raised.value.code == "bad-tick"
