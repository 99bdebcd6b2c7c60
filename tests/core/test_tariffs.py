"""Tariffs: what a count costs follows from the whole of it, so nothing is lost between."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.core.tariffs import (
    COUNT_MAX,
    Tariff,
    Tier,
    affordable,
    checked,
    flat_rate,
    owed,
    read_tariff,
)
from farthing.errors import Malformed

amounts = st.integers(0, 10**9)
counts = st.integers(0, 10**9)


MODELS = st.sampled_from(["graduated", "volume", "package"])


@st.composite
def tariffs(draw, model=MODELS):
    ends = sorted(draw(st.sets(st.integers(1, 10**6), max_size=4)))
    tiers = [
        Tier(
            amount=str(draw(amounts)),
            per=str(draw(st.integers(1, 10**6))),
            flat=str(draw(st.integers(0, 1000))),
            up_to=str(end) if end else "",
        )
        for end in [*ends, 0]
    ]
    return checked(
        Tariff(
            asset="USD",
            counts="request",
            model=draw(model),
            tiers=tiers,
            opening=str(draw(st.integers(0, 1000))),
            minimum=str(draw(st.integers(0, 10**6))),
            rounding=draw(st.sampled_from(["up", "down", "half-even"])),
        )
    )


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.lists(st.integers(0, 1000), max_size=50))
def test_fractions_of_a_unit_add_up_however_it_was_counted(amount, per, parts):
    tariff = flat_rate("USD", "reading", amount, per, rounding="down")
    total, charged = 0, 0
    for part in parts:
        before, total = owed(tariff, total), total + part
        charged += owed(tariff, total) - before
    assert charged == total * amount // per


@given(tariffs(), counts)
def test_what_is_owed_is_the_model_of_a_slow_reader_rounded_once(tariff, count):
    if not count:
        assert owed(tariff, 0) == int(tariff.opening)
        return
    price = slowly(tariff, count)
    exact = Fraction(int(tariff.opening)) + price
    got = owed(tariff, count)
    if got == int(tariff.minimum):
        assert exact <= got + 1
        return
    gap = got - exact
    assert {"up": 0 <= gap < 1, "down": -1 < gap <= 0, "half-even": abs(gap) <= Fraction(1, 2)}[
        tariff.rounding
    ]


def slowly(tariff, count):
    """Price a count as a person would: tier by tier, in exact fractions."""
    tiers = [
        (int(t.amount), int(t.per), int(t.flat), int(t.up_to or COUNT_MAX)) for t in tariff.tiers
    ]
    if tariff.model == "graduated":
        price, left, begins = Fraction(0), count, 0
        for amount, per, flat, end in tiers:
            if left == 0:
                break
            inside = min(left, end - begins)
            price += flat + Fraction(amount) * inside / per
            left, begins = left - inside, end
        return price
    amount, per, flat, _ = next(t for t in tiers if count <= t[3])
    if tariff.model == "package":
        packages = count // per + (count % per > 0)
        return Fraction(flat + amount * packages)
    return flat + Fraction(amount) * count / per


@given(tariffs(st.just("graduated")), counts, counts)
def test_a_graduated_price_never_falls(tariff, some, more):
    assert owed(tariff, some) <= owed(tariff, some + more)


@given(tariffs(), st.integers(0, 10**12))
def test_what_is_affordable_is_covered_and_one_more_is_not(tariff, units):
    count = affordable(tariff, units)
    if count < 0:
        assert int(tariff.opening) > units
        return
    assert owed(tariff, count) <= units or count == 0
    if count < COUNT_MAX:
        ends = [int(t.up_to) for t in tariff.tiers if t.up_to and int(t.up_to) <= count + 1]
        try:
            assert max(owed(tariff, c) for c in [count + 1, *ends]) > units
        except Malformed as fault:
            assert fault.code == "too-expensive"


@pytest.mark.parametrize(
    ("tariff", "count", "units"),
    [
        (flat_rate("USD", "request", 150), 3, 450),
        (flat_rate("USD", "byte", 1, 1_000_000), 1, 1),
        (flat_rate("USD", "byte", 1, 1_000_000, rounding="down"), 999_999, 0),
        (flat_rate("USD", "Wh", 300_000, 1000), 1234, 370_200),
        (flat_rate("USD", "second", 1, 2, rounding="half-even"), 5, 2),
        (flat_rate("USD", "second", 1, 2, rounding="half-even"), 7, 4),
        (flat_rate("USD", "request", 10, minimum="500"), 3, 500),
        (flat_rate("USD", "request", 10, minimum="500"), 0, 0),
        (flat_rate("USD", "request", 10, opening="100"), 0, 100),
        (flat_rate("USD", "request", 10, opening="100"), 2, 120),
    ],
)
def test_worked_examples(tariff, count, units):
    assert owed(tariff, count) == units


STEPS = [Tier(amount="10", up_to="100"), Tier(amount="8", up_to="1000"), Tier(amount="5")]


@pytest.mark.parametrize(
    ("model", "count", "units"),
    [
        ("graduated", 100, 1000),
        ("graduated", 101, 1008),
        ("graduated", 2000, 1000 + 900 * 8 + 1000 * 5),
        ("volume", 100, 1000),
        ("volume", 101, 808),
        ("volume", 2000, 10_000),
        ("package", 1, 10),
        ("package", 150, 1200),
    ],
)
def test_worked_examples_of_tiers(model, count, units):
    tariff = checked(Tariff(asset="USD", counts="request", model=model, tiers=STEPS))
    assert owed(tariff, count) == units


def test_packages_are_paid_whole_once_begun():
    tariff = checked(
        Tariff(asset="USD", counts="call", model="package", tiers=[Tier(amount="90", per="100")])
    )
    assert [owed(tariff, n) for n in (0, 1, 100, 101)] == [0, 90, 90, 180]


@given(tariffs())
def test_it_is_written_once_and_read_back_the_same(tariff):
    assert read_tariff(tariff.written()) == tariff
    assert read_tariff(tariff.members()).digest() == tariff.digest()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tiers": []},
        {"tiers": [{"amount": "1"}] * 33},
        {"tiers": [{"amount": "-1"}]},
        {"tiers": [{"amount": "1.5"}]},
        {"tiers": [{"amount": "٣"}]},
        {"tiers": [{"amount": 1}]},
        {"tiers": [{"amount": "1", "per": "0"}]},
        {"tiers": [{"amount": "1", "up_to": "5"}]},
        {"tiers": [{"amount": "1"}, {"amount": "1"}]},
        {"tiers": [{"amount": "1", "up_to": "5"}, {"amount": "1", "up_to": "5"}, {"amount": "1"}]},
        {"tiers": [{"amount": "1", "up_to": "0"}, {"amount": "1"}]},
        {"tiers": [{"amount": "1", "more": "2"}]},
        {"tiers": [{"amount": "1"}], "model": "cheap"},
        {"tiers": [{"amount": "1"}], "rounding": "nearest"},
        {"tiers": [{"amount": "1"}], "counts": ""},
        {"tiers": [{"amount": "1"}], "counts": "x" * 41},
        {"tiers": [{"amount": "1"}], "minimum": "9223372036854775808"},
    ],
)
def test_what_makes_no_sense_is_refused(members):
    with pytest.raises(Malformed) as raised:
        read_tariff({"asset": "USD", "counts": "request"} | members)
    assert raised.value.code == "malformed-tariff"


@pytest.mark.parametrize("source", [5, None, [1], True, "5", b"[]"])
def test_what_is_no_object_is_refused(source):
    with pytest.raises(Malformed) as raised:
        read_tariff(source)
    assert raised.value.code == "malformed-tariff"


def test_more_than_an_amount_can_be_is_never_owed():
    with pytest.raises(Malformed):
        owed(flat_rate("USD", "request", 2**62), 3)
    with pytest.raises(Malformed):
        owed(flat_rate("USD", "request", 1), -1)
