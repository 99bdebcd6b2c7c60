"""Ticks: a plain list of hashes says which are right; steps are bounded, whatever is sent."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.core.ladders import Climber
from farthing.core.promises import REACH, is_ahead, promised_by, ticked
from farthing.core.ticks import (
    LADDER_TICKS_MAX,
    TICK_BYTES,
    Ladder,
    Tick,
    climb,
    read_tick,
    read_ticks,
    stepped,
    write_tick,
)
from farthing.core.vouchers import Claims
from farthing.errors import Malformed, PaymentRefused, Unauthenticated

ALIAS, SEED, MOST = b"8 bytes!", bytes(range(16)), 40


def values(most, seed=SEED, alias=ALIAS):
    """Make a whole ladder, plainly."""
    found = [seed]
    for _ in range(most):
        found.append(hashlib.sha256(b"farthing-tick-1\n" + alias + found[-1]).digest()[:16])
    return found[::-1]


PLAIN = values(MOST)
counts = st.integers(0, MOST + 2)
kinds = st.sampled_from(["right", "right", "right", "wrong", "next"])


def shown(count, kind):
    """Write a rung: as it is, with another value, or with its neighbour's."""
    right = PLAIN[count] if count <= MOST else bytes(16)
    if kind == "next" and 0 < count <= MOST:
        return count, PLAIN[count - 1]
    return count, right if kind == "right" else bytes(16)


@given(
    known=st.integers(0, MOST),
    sent=st.lists(st.tuples(counts, kinds), max_size=30),
)
def test_exactly_those_of_the_ladder_are_right_in_any_order(known, sent):
    rungs = [shown(*one) for one in sent]
    climbed = climb(ALIAS, (known, PLAIN[known]), rungs, MOST, MOST, 10_000)
    good = [0 < count <= MOST and PLAIN[count] == value for count, value in rungs]
    assert climbed.wrong == [place for place, right in enumerate(good) if not right]
    assert climbed.right == sorted(rung for rung, right in zip(rungs, good, strict=True) if right)
    assert climbed.far == []


@given(
    known=st.integers(0, MOST),
    sent=st.lists(st.tuples(counts, kinds), max_size=30),
    reach=st.integers(0, 10),
    left=st.integers(0, 60),
)
def test_no_more_steps_are_made_than_are_left_and_nothing_wrong_is_right(known, sent, reach, left):
    rungs = [shown(*one) for one in sent]
    climbed = climb(ALIAS, (known, PLAIN[known]), rungs, reach, MOST, left)
    assert climbed.steps <= left
    assert len(climbed.right) + len(climbed.wrong) + len(climbed.far) == len(rungs)
    assert all(PLAIN[count] == value for count, value in climbed.right)
    near = [place for place, (count, _) in enumerate(rungs) if abs(count - known) > reach]
    assert {p for p in near if 0 < rungs[p][0] <= MOST} >= set(climbed.far) or left < 60


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 15, 16, 17, 40, 1000])
def test_a_climber_gives_every_value_from_few_that_it_keeps(most):
    plain, climber = values(most), Climber(ALIAS, SEED, most)
    order = list(range(most + 1))
    assert [climber.value(count) for count in order] == plain
    random.Random(1).shuffle(order)
    assert all(climber.value(count) == plain[count] for count in order)
    assert len(climber._marks) + len(climber._part) <= 2 * most**0.5 + 4


def test_a_tick_is_28_bytes_and_fits_the_slowest_uplink():
    raw = write_tick(Tick(ALIAS, 7, PLAIN[7]))
    assert (len(raw), TICK_BYTES) == (28, 28)
    assert read_tick(raw) == Tick(ALIAS, 7, PLAIN[7])
    assert list(read_ticks(raw * 2)) == [tuple(read_tick(raw))] * 2


@pytest.mark.parametrize("size", [0, 1, 27, 29, 56])
def test_other_sizes_are_malformed(size):
    with pytest.raises(Malformed) as raised:
        read_tick(bytes(size))
    assert raised.value.code == "malformed-tick"


@pytest.mark.parametrize("size", [0, 27, 29])
def test_a_body_of_ticks_is_whole(size):
    with pytest.raises(Malformed):
        read_ticks(bytes(size))


def promise(most=MOST, units=10, each=3, sequence=1):
    ladder = Ladder(values(most)[0], each, most)
    return promised_by(Claims(ALIAS, units, sequence, 2**31, ladder), b"raw")


def test_what_is_promised_is_the_voucher_and_each_tick_exactly():
    known = promise(each=2**40 + 1)
    assert known.units == 10
    assert ticked(known, Tick(ALIAS, 40, PLAIN[40])).units == 10 + 40 * (2**40 + 1)


BAD = {
    "another alias": Tick(b"8 bytes?", 3, PLAIN[3]),
    "the anchor": Tick(ALIAS, 0, PLAIN[0]),
    "beyond the ladder": Tick(ALIAS, MOST + 1, PLAIN[MOST]),
    "another value": Tick(ALIAS, 3, bytes(16)),
    "the value of the tick before": Tick(ALIAS, 3, PLAIN[2]),
    "the value of the tick after": Tick(ALIAS, 3, PLAIN[4]),
    "a count far off": Tick(ALIAS, 2**32 - 1, PLAIN[MOST]),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("at", [0, 3, 20])
def test_what_is_not_of_the_ladder_is_refused_from_wherever_it_is_known(name, at):
    known = promise() if not at else ticked(promise(), Tick(ALIAS, at, PLAIN[at]))
    with pytest.raises(Unauthenticated) as raised:
        ticked(known, BAD[name])
    assert raised.value.code == "bad-tick"


def test_a_voucher_without_a_ladder_has_no_ticks():
    with pytest.raises(Unauthenticated):
        ticked(promised_by(Claims(ALIAS, 10, 1, 2**31), b"raw"), Tick(ALIAS, 1, PLAIN[1]))


def test_a_tick_out_of_reach_is_not_looked_at_unless_its_voucher_is_there():
    most = REACH + 2
    plain, known = values(most), promise(most)
    far = Tick(ALIAS, REACH + 1, plain[REACH + 1])
    with pytest.raises(PaymentRefused) as raised:
        ticked(known, far, REACH)
    assert raised.value.code == "tick-too-far"
    assert ticked(known, far).ticks == REACH + 1
    near = ticked(known, Tick(ALIAS, REACH, plain[REACH]), REACH)
    assert ticked(near, far, REACH).units == 10 + 3 * (REACH + 1)


def test_a_newer_ladder_takes_the_place_of_one_that_promised_as_much():
    assert is_ahead(promise(units=10, sequence=2), 10, 1)
    assert not is_ahead(promise(units=10, sequence=1), 10, 1)
    assert not is_ahead(promise(units=9, sequence=5), 10, 1)
    assert is_ahead(promise(units=11, sequence=0), 10, 1)
    assert not is_ahead(promised_by(Claims(ALIAS, 10, 9, 1), b""), 10, 1)


def test_the_longest_ladder_is_checked_whole():
    top = stepped(ALIAS, SEED, LADDER_TICKS_MAX)
    ladder = Ladder(top, 1, LADDER_TICKS_MAX)
    known = promised_by(Claims(ALIAS, 0, 0, 1, ladder), b"")
    assert ticked(known, Tick(ALIAS, LADDER_TICKS_MAX, SEED)).units == LADDER_TICKS_MAX
