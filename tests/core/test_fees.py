"""Fees: exact, rounded once as stated, never more than there is, and nothing lost in parts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.core.fees import (
    PPM,
    Fee,
    FeeTerms,
    due_back,
    fee_on,
    fees_on,
    fees_on_shares,
    read_fees,
    write_fees,
)
from farthing.money import UNITS_MAX
from tests.machines.fees_model import Levy, take, take_parts

small = st.integers(0, 500)
shares = st.one_of(st.integers(0, PPM), st.sampled_from([0, 1, 10_000, 500_000, PPM]))
amounts = st.one_of(st.integers(0, 2000), st.integers(0, UNITS_MAX))
said = st.fixed_dictionaries(
    {
        "ppm": shares,
        "flat": small,
        "minimum": small,
        "rounding": st.sampled_from(["down", "up", "half-even"]),
        "on_refund": st.sampled_from(["return", "keep"]),
    }
)


def terms(**more) -> FeeTerms:
    return FeeTerms(of="hub", account="acc_fees", **more)


@pytest.mark.parametrize(
    ("more", "units", "takes"),
    [
        ({"ppm": 25_000}, 1500, 37),  # 37.5
        ({"ppm": 25_000, "rounding": "up"}, 1500, 38),
        ({"ppm": 25_000, "rounding": "half-even"}, 1500, 38),
        ({"ppm": 25_000, "rounding": "half-even"}, 500, 12),  # 12.5 goes to the even one
        ({"ppm": 25_000, "flat": 100}, 1500, 137),
        ({"ppm": 25_000, "minimum": 50}, 1500, 50),
        ({"minimum": 50}, 20, 20),
        ({"flat": 50}, 0, 0),
        ({"flat": 1}, 1, 1),
        ({"ppm": PPM}, UNITS_MAX, UNITS_MAX),
    ],
)
def test_worked_examples(more, units, takes):
    assert fee_on(terms(**more), units) == takes


@given(said, amounts)
def test_one_fee_is_what_an_independent_model_says(more, units):
    assert fee_on(terms(**more), units) == Levy("fees", **more).whole(units)


@given(st.lists(said, max_size=2), amounts)
def test_several_fees_never_take_more_than_there_is(many, units):
    levies = [Levy("fees", **more) for more in many]
    take(levies, units, closed=())
    found = fees_on([terms(**more) for more in many], units)
    assert found == [levy.units for levy in levies]
    assert 0 <= sum(found) <= units


@given(st.lists(said, max_size=2), st.lists(st.integers(0, 400), max_size=12))
def test_parts_give_what_the_model_says_and_none_gives_more_than_it_has(many, parts):
    found = fees_on_shares([terms(**more) for more in many], parts)
    assert found == take_parts([Levy("fees", **more) for more in many], parts)
    assert all(sum(taken) <= part for taken, part in zip(found, parts, strict=True))


@given(said, st.lists(st.integers(0, 400), min_size=1, max_size=30))
def test_however_an_amount_is_captured_in_parts_one_fee_takes_of_the_whole(more, parts):
    """Many settlements round once, and a flat part or a minimum is taken once."""
    found = fees_on_shares([terms(**more)], parts)
    assert sum(itertools.chain.from_iterable(found)) == fee_on(terms(**more), sum(parts))


@given(said, st.integers(1, 2000), st.lists(st.integers(1, 2000), max_size=8))
def test_refunds_give_back_in_proportion_and_all_of_it_in_the_end(more, captured, parts):
    units = fee_on(terms(**more), captured)
    fee = Fee(**{"of": "hub", "account": "acc_fees", "owner": "own_1", **more}, units=units)
    levy = Levy("fees", **more, units=units)
    refunded = back = 0
    for part in parts:
        refunded = min(captured, refunded + part)
        now = due_back(fee, captured, refunded)
        assert now == levy.owed_back(captured, refunded)
        assert back <= now <= units
        back = now
    whole = due_back(fee, captured, captured)
    assert whole == (0 if fee.on_refund == "keep" else units)


@given(st.lists(said, max_size=2))
def test_fees_are_read_as_they_are_written(many):
    fees = tuple(Fee(**{"of": "hub", "account": "acc_1", "owner": "own_1", **m}) for m in many)
    assert read_fees(write_fees(fees)) == fees


def test_without_fees_nothing_is_written():
    assert write_fees(()) == ""
    assert read_fees("") == ()


def test_no_part_gives_more_than_it_has_and_the_next_one_makes_up_for_it():
    both = [terms(ppm=400_000, rounding="up")] * 2
    assert fees_on(both, 5) == [2, 2]
    assert fees_on(both, 6) == [3, 3]
    assert fees_on_shares(both, [5, 1, 4]) == [[2, 2], [1, 0], [1, 2]]
