"""Tariffs at their edges: the longest, the most, the first that is too much."""

import pytest

from farthing.core.tariffs import (
    BYTES_MAX,
    COUNT_MAX,
    TIERS_MAX,
    Tariff,
    Tier,
    affordable,
    checked,
    flat_rate,
    owed,
    read_tariff,
)
from farthing.errors import Malformed
from farthing.money import UNITS_MAX

MEMBERS = {"asset": "USD", "counts": "request", "tiers": [{"amount": "1"}]}


def tariff(**said) -> Tariff:
    return read_tariff(MEMBERS | said)


def test_the_longest_tariff_is_read_and_a_longer_one_is_not():
    text = tariff().written()
    longest = text + b" " * (BYTES_MAX - len(text))
    assert read_tariff(longest) == read_tariff(longest.decode()) == tariff()
    for source in (longest + b" ", longest.decode() + " "):
        with pytest.raises(Malformed) as raised:
            read_tariff(source)
        assert raised.value.code == "malformed-tariff"


def test_the_most_tiers_and_the_longest_and_shortest_names_are_read():
    steps = [{"amount": "1", "up_to": str(i + 1)} for i in range(TIERS_MAX - 1)]
    assert len(tariff(tiers=[*steps, {"amount": "1"}]).tiers) == TIERS_MAX
    for counts in ("x", "x" * 40):
        assert tariff(counts=counts).counts == counts
    with pytest.raises(Malformed):
        tariff(counts="a\nb")


@pytest.mark.parametrize("name", ["opening", "minimum"])
def test_what_is_no_number_is_named(name):
    with pytest.raises(Malformed) as raised:
        tariff(**{name: "1.5"})
    assert raised.value.code == "malformed-tariff"
    assert raised.value.detail.startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["amount", "per", "flat", "up_to"])
def test_what_is_no_number_of_a_tier_is_named(name):
    with pytest.raises(Malformed) as raised:
        tariff(tiers=[{"amount": "1", "up_to": "9"} | {name: "1.5"}, {"amount": "1"}])
    assert raised.value.detail.startswith(f"{name}: ")


def test_tiers_go_up_one_by_one():
    steps = [{"amount": "1", "up_to": "1"}, {"amount": "1", "up_to": "2"}, {"amount": "1"}]
    assert tariff(tiers=steps).tiers[1].up_to == "2"
    for up_to in ("1", "0"):
        with pytest.raises(Malformed):
            tariff(tiers=[steps[0], steps[1] | {"up_to": up_to}, steps[2]])


def test_the_most_that_can_be_owed_is_owed_and_no_more():
    assert owed(flat_rate("USD", "request", UNITS_MAX), 1) == UNITS_MAX
    assert owed(flat_rate("USD", "request", 0), COUNT_MAX) == 0
    with pytest.raises(Malformed) as raised:
        owed(flat_rate("USD", "request", UNITS_MAX, opening="1"), 1)
    assert raised.value.code == "too-expensive"
    for count in (COUNT_MAX + 1, -1):
        with pytest.raises(Malformed) as raised:
            owed(flat_rate("USD", "request", 0), count)
        assert raised.value.code == "count-too-large"


@pytest.mark.parametrize(
    ("units", "count"),
    [(6, -1), (7, 0), (9, 0), (10, 1), (13, 2), (16, 3), (18, 3), (19, 4), (304, 99), (307, 100)],
)
def test_what_is_affordable_begins_with_the_opening(units, count):
    assert affordable(flat_rate("USD", "request", 3, opening="7"), units) == count


def test_all_there_is_can_be_afforded():
    assert affordable(flat_rate("USD", "request", 0), 0) == COUNT_MAX
    assert affordable(flat_rate("USD", "request", 1), UNITS_MAX) == COUNT_MAX
    assert affordable(flat_rate("USD", "request", 1), UNITS_MAX - 1) == COUNT_MAX - 1
    # What costs more than an amount can be is not covered by any.
    assert affordable(flat_rate("USD", "request", 2), UNITS_MAX) == UNITS_MAX // 2


STEPS = [Tier(amount="10", up_to="10"), Tier(amount="5", flat="2", up_to="30"), Tier(amount="1")]


def volume() -> Tariff:
    return checked(Tariff(asset="USD", counts="request", model="volume", tiers=STEPS))


@pytest.mark.parametrize(
    ("units", "count"), [(99, 9), (100, 19), (101, 19), (102, 20), (152, 152), (151, 29)]
)
def test_by_volume_what_is_affordable_covers_every_peak_before_it(units, count):
    assert affordable(volume(), units) == count


@pytest.mark.parametrize(
    ("model", "count", "units"),
    [("volume", 10, 100), ("volume", 11, 57), ("volume", 30, 152), ("volume", 31, 31),
     ("graduated", 10, 100), ("graduated", 11, 107), ("graduated", 31, 203)],
)  # fmt: skip
def test_a_tier_reaches_to_its_last(model, count, units):
    assert owed(checked(Tariff(asset="USD", counts="x", model=model, tiers=STEPS)), count) == units
