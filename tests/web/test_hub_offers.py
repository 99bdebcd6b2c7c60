"""Prices that come from the hub's offers."""

import httpx
import pytest

from farthing.core.paths import normal_path
from farthing.core.prices import BadPrice
from farthing.money import Asset
from farthing.web.hub_offers import HubOffers

USD = {"USD": Asset("USD", 6)}


def shown(**changes):
    offer = {
        "id": "off_1",
        "payee": "acc_shop",
        "method": "GET",
        "path": "/weather",
        "asset": "USD",
        "amount": "1000",
        "description": "",
        "category": "",
        "valid_from": None,
        "valid_until": None,
        "free_for": [],
        "withdrawn_at": None,
    }
    return offer | changes


def hub_that_shows(items):
    def answer(request):
        assert request.url.path == "/v1/offers"
        return httpx.Response(200, json={"items": items, "next": None})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://hub")


def price_of(offers, path):
    found = offers.current().find("GET", normal_path(path.encode()), 1_800_000_000)
    return None if found.offer is None else found.offer.price.units


def test_only_the_payees_own_offers_that_stand_are_prices():
    first = [
        shown(),
        shown(id="off_2", payee="acc_other", path="/theirs"),
        shown(id="off_3", path="/gone", withdrawn_at="2026-01-01T00:00:00Z"),
        shown(id="off_4", path="/later", valid_from="2099-01-01T00:00:00Z"),
    ]
    offers = HubOffers(hub_that_shows([]), "acc_shop", USD, first)
    assert price_of(offers, "/weather") == 1000
    assert price_of(offers, "/theirs") is None
    assert price_of(offers, "/gone") is None
    assert price_of(offers, "/later") is None


@pytest.mark.parametrize(
    "spoiled", [[shown(amount="1.5")], [{}], [shown(asset="XXX")], [shown(), shown(id="off_9")]]
)
def test_offers_that_cannot_be_used_leave_the_old_prices_in_force(spoiled):
    import asyncio

    offers = HubOffers(hub_that_shows(spoiled), "acc_shop", USD, [shown()])
    asyncio.run(offers.refresh())
    assert price_of(offers, "/weather") == 1000


def test_a_changed_offer_is_in_force_after_the_next_look():
    import asyncio

    offers = HubOffers(hub_that_shows([shown(amount="7")]), "acc_shop", USD, [shown()])
    asyncio.run(offers.refresh())
    assert price_of(offers, "/weather") == 7


def test_two_prices_for_one_thing_are_refused_at_the_start():
    with pytest.raises(BadPrice):
        HubOffers(hub_that_shows([]), "acc_shop", USD, [shown(), shown(id="off_9")])


TARIFF = {
    "asset": "USD",
    "counts": "second",
    "model": "graduated",
    "tiers": [{"amount": "50", "per": "1", "flat": "0", "up_to": ""}],
    "opening": "0",
    "minimum": "200",
    "rounding": "up",
}
METERED = {
    "tariff": TARIFF,
    "reserve": 3,
    "deposit": "1000",
    "lifetime_seconds": 600,
    "grace_seconds": 60,
}


def test_a_metered_offer_of_the_hub_is_sold_by_its_tariff():
    offers = HubOffers(hub_that_shows([]), "acc_shop", USD, [shown(metered=METERED, amount="7")])
    found = offers.current().find("GET", normal_path(b"/weather"), 1_800_000_000).offer
    assert found.usage is not None
    assert (found.price.units, found.in_hub, found.usage.by) == (200, "off_1", "second")
    assert (found.usage.tariff.members(), found.usage.deposit) == (TARIFF, 1000)


def test_a_metered_offer_that_cannot_be_read_leaves_the_old_prices_in_force():
    import asyncio

    spoiled = shown(metered=METERED | {"tariff": TARIFF | {"asset": "EUR"}})
    offers = HubOffers(hub_that_shows([spoiled]), "acc_shop", USD, [shown()])
    asyncio.run(offers.refresh())
    assert price_of(offers, "/weather") == 1000
