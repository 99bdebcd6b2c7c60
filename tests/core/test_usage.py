"""How a route is metered: read from what its seller says, every number at its edge."""

import pytest

from farthing.core.sessions import GRACE_SECONDS, GRACE_SECONDS_MAX, LIFETIME_SECONDS_MAX
from farthing.core.tariffs import Tariff, Tier, flat_rate
from farthing.core.usage import LIFETIME_SECONDS, measured, usage
from farthing.errors import Malformed
from farthing.money import Amount, Asset

USD, EUR = Asset("USD", 2), Asset("EUR", 2)
ASSETS = {"USD": USD, "EUR": EUR}
PRICE = Amount(5, USD)


def test_a_price_alone_is_a_flat_rate_with_what_is_usual():
    found = usage(PRICE, "request", ASSETS)
    assert found.tariff == flat_rate("USD", "request", 5)
    assert (found.by, found.reserve, found.deposit, found.units) == ("request", 1, 0, 5)
    assert (found.lifetime_seconds, found.grace_seconds) == (LIFETIME_SECONDS, GRACE_SECONDS)


@pytest.mark.parametrize(
    ("per", "by"),
    [("request", "request"), ("second", "second"), ("byte", "byte"), ("token", "handler")],
)
def test_who_counts_follows_from_what_is_counted(per, by):
    assert usage(PRICE, per, ASSETS).by == by


def test_all_that_can_be_said_is_heard():
    found = usage(
        PRICE,
        "Wh",
        ASSETS,
        every=1000,
        tiers=[
            {"price": "0.20 USD", "up_to": 10},
            {"price": "0.10 USD", "up_to": "20", "every": 2, "flat": "0.03 USD"},
        ],
        model="volume",
        rounding="half-even",
        opening="0.07 USD",
        minimum="0.09 USD",
        reserve=3,
        deposit="4.00 USD",
        lifetime_seconds=60,
        grace_seconds=0,
    )
    assert found.tariff == Tariff(
        asset="USD",
        counts="Wh",
        model="volume",
        tiers=[
            Tier(amount="20", per="1", flat="0", up_to="10"),
            Tier(amount="10", per="2", flat="3", up_to="20"),
            Tier(amount="5", per="1000"),
        ],
        opening="7",
        minimum="9",
        rounding="half-even",
    )
    assert (found.reserve, found.deposit) == (3, 400)
    assert (found.lifetime_seconds, found.grace_seconds) == (60, 0)


def test_a_reserve_is_what_it_costs_beyond_the_opening_and_one_unit_at_least():
    assert usage(PRICE, "request", ASSETS, opening="0.07 USD", reserve=4).units == 20
    assert usage(Amount(0, USD), "request", ASSETS, opening="0.07 USD").units == 1


@pytest.mark.parametrize(
    "said",
    [
        {"model": "other"},
        {"rounding": "nearest"},
        {"opening": "0.07 EUR"},
        {"deposit": "0.07 EUR"},
        {"minimum": "0.07 EUR"},
        {"tiers": [{"price": "0.20 EUR", "up_to": 10}]},
        {"tiers": [{"price": "0.20 USD"}]},
        {"tiers": [{"up_to": 10}]},
        {"tiers": [{"price": "0.20 USD", "up_to": 10, "more": 1}]},
        {"tiers": [{"price": "0.20 USD", "up_to": 10, "flat": "0.03 EUR"}]},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(said):
    with pytest.raises(Malformed) as raised:
        usage(PRICE, "request", ASSETS, **said)
    assert raised.value.code == "malformed-tariff"


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("lifetime_seconds", 1, True),
        ("lifetime_seconds", 0, False),
        ("lifetime_seconds", LIFETIME_SECONDS_MAX, True),
        ("lifetime_seconds", LIFETIME_SECONDS_MAX + 1, False),
        ("grace_seconds", 0, True),
        ("grace_seconds", -1, False),
        ("grace_seconds", GRACE_SECONDS_MAX, True),
        ("grace_seconds", GRACE_SECONDS_MAX + 1, False),
        ("reserve", 1, True),
        ("reserve", 0, False),
    ],
)
def test_times_and_reserves_have_their_edges(name, value, fits):
    tariff = flat_rate("USD", "request", 5)
    if fits:
        assert getattr(measured(tariff, **{name: value}), name) == value
        return
    with pytest.raises(Malformed) as raised:
        measured(tariff, **{name: value})
    assert raised.value.code == "malformed-tariff"


@pytest.mark.parametrize("model", ["graduated", "volume", "package"])
@pytest.mark.parametrize("rounding", ["up", "down", "half-even"])
def test_every_model_and_rounding_can_be_named(model, rounding):
    found = usage(PRICE, "request", ASSETS, model=model, rounding=rounding).tariff
    assert (found.model, found.rounding) == (model, rounding)
