"""A payment to somebody else, approved and never served, opens nothing here."""

import asyncio

import pytest
from msgspec.structs import replace

from farthing.core.prices import PriceList
from farthing.protocols.client import asks
from tests.web.shop import PAYEE, Counter, Shop, selling

ELSEWHERE = "acc_01kaw1f2800000000000000001"


def changed(shop, asked, payee, amount):
    """Sign other requirements than those that were asked."""
    found = next(ask for ask in asks(asked.headers.multi_items()) if ask.language == "x402")
    accepted = found.raw["accepted"] | {"payTo": payee, "amount": str(amount)}
    raw = found.raw | {"accepted": accepted}
    return shop.sign_ask(replace(found, payee=payee, amount=amount, raw=raw))


@pytest.mark.parametrize("amount", [2, 1500, 9000])
def test_an_approved_payment_to_another_payee_is_not_served(amount):
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.ask_above = 1
        async with selling(shop, handler) as client:
            asked = await client.get("/paid")
            signed, credential = changed(shop, asked, payee=ELSEWHERE, amount=amount)
            waiting = await shop.hub.authorise(signed, hold_seconds=60, capture=False)
            shop.hub.approve(waiting.payment)
            answer = await client.get("/paid", headers=credential)
        assert (answer.status_code, answer.json()["code"]) == (402, "terms-mismatch")
        assert handler.runs == 0

    asyncio.run(story())


def test_a_payment_approved_where_the_same_seller_asks_less_is_not_served_here():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.ask_above = 1
        async with selling(shop, handler) as client:
            asked = await client.get("/paid")
            signed, credential = changed(shop, asked, payee=PAYEE, amount=1200)
            waiting = await shop.hub.authorise(signed, hold_seconds=60, capture=False)
            shop.hub.approve(waiting.payment)
            answer = await client.get("/paid", headers=credential)
        assert (answer.status_code, handler.runs, shop.earned) == (402, 0, 0)

    asyncio.run(story())


def test_what_was_ordered_here_before_the_price_rose_is_served_at_the_price_as_ordered():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.ask_above = 1
        async with selling(shop, handler) as client:
            credential = shop.sign(await client.get("/paid"), "x402")
            assert (await client.get("/paid", headers=credential)).status_code == 403
            [offer] = shop.prices.offers
            dearer = type(offer.price)(9000, offer.price.asset)
            changed = {name: getattr(offer, name) for name in ("name", "path", "methods")}
            shop.paywall._desk.prices = PriceList((type(offer)(price=dearer, **changed),))
            [waiting] = shop.hub.payments
            shop.hub.approve(waiting)
            answer = await client.get("/paid", headers=credential)
        assert (answer.status_code, handler.runs, shop.earned) == (200, 1, 1500)

    asyncio.run(story())
