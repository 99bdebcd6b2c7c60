"""The MPP charge intent: what a request says, and what is verified before anything is served."""

import pytest

from farthing.core.prices import Offer, PriceList
from farthing.money import Amount, parse_units
from tests.web.shop import Counter, Shop, selling

from .hall import (
    METHODS,
    PRICE,
    USD,
    Place,
    before,
    challenge_of,
    inside,
    mpp_field,
    mpp_message,
    open_hall,
)


@pytest.mark.rule("charge.members", "charge.one-expiry")
async def test_request_members(place: Place):
    """Amount in base units as text, currency, recipient; no expiry."""
    async with open_hall(place) as hall:
        request = inside(challenge_of(await hall.ask())["request"])
        assert parse_units(request["amount"]) == PRICE
        assert (request["currency"], request["recipient"]) == ("USD", hall.town.accounts["shop"])
        assert not {"expires", "expiry", "expiresAt"} & set(request)


@pytest.mark.rule("charge.amount-and-recipient")
async def test_amount_and_recipient_are_those_signed(place: Place):
    """Another amount or recipient than the request's is refused."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        for changes in ({"amount": 1}, {"payee": hall.town.accounts["purse"]}, {"asset": "EUR"}):
            answer = await hall.ask(headers=hall.credential(asked, **changes))
            assert answer.status_code == 402
            assert answer.json()["code"] == "verification-failed"
        assert (await hall.earned(), hall.stall.runs) == (0, 0)


@pytest.mark.rule("charge.outstanding")
async def test_challenge_of_another_offer(place: Place):
    """A challenge pays for the resource it was made for, no other."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask(path="/item/one"))
        for method, path in (("GET", "/item/two"), ("POST", "/item/one"), ("GET", "/item/one?x=1")):
            answer = await hall.ask(method, path, headers=paying)
            assert (answer.status_code, answer.json()["code"]) == (402, "invalid-challenge")
        assert (await hall.ask(path="/item/one", headers=paying)).status_code == 200


@pytest.mark.rule("farthing.nonce-decides", "charge.replay")
async def test_replay_with_other_bytes(place: Place):
    """The same proof in other bytes is the same payment."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask())
        assert (await hall.ask(headers=paying)).status_code == 200
        message = mpp_message(paying)
        turned = {name: message[name] for name in reversed(list(message))} | {"source": "again"}
        again = await hall.ask(headers=mpp_field(turned))
        assert (again.status_code, again.content) == (200, b"goods")
        assert (await hall.earned(), hall.stall.runs) == (PRICE, 1)


@pytest.mark.rule("charge.challenged-price")
async def test_the_challenged_price_is_honoured(place: Place):
    """The amount of the challenge holds though the price has changed."""
    async with open_hall(place) as hall:
        asked = await hall.ask()
        dearer = Offer(name="paid", path="/paid", price=Amount(9 * PRICE, USD), methods=METHODS)
        hall.become(prices=PriceList(offers=(dearer,)))
        assert (await hall.ask(headers=hall.credential(asked))).status_code == 200
        assert await hall.earned() == PRICE


@pytest.mark.rule("farthing.capture-at-the-head", "charge.atomicity")
async def test_nothing_is_delivered_before_the_money_is_taken(place: Place):
    """If settlement fails the answer is 503 without content."""
    shop, handler = Shop(), Counter(body=b"the goods")
    shop.hub.fail("capture", 9)
    async with before(handler, place.surface) as sold, selling(shop, sold) as client:
        answer = await shop.pay(client, "GET", "/paid")
    assert (answer.status_code, answer.json()["code"]) == (503, "capture-failed")
    assert b"goods" not in answer.content and "payment-receipt" not in answer.headers
    assert (shop.spent, shop.states) == (0, ["voided"])
