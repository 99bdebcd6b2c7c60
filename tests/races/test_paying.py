"""One order two hundred times at once is one payment, on every way that takes orders."""

import asyncio
from collections import Counter

import pytest

from tests.web.api.test_facilitator import x402_body
from tests.web.api.town import body_of

from .market import PRICE, Market
from .wire import at_once

MANY = 200


def test_a_charge_sent_two_hundred_times_at_once_is_taken_once(market: Market):
    buyer = market.buyer()
    body = body_of(market.order(buyer))
    for times in (MANY, 20):  # At once, and again when all is over.
        told = market.post("/v1/payments", [body] * times)
        assert {answer.status for answer in told} == {200}
        assert len({answer.json["id"] for answer in told}) == 1
    assert (market.spent(buyer), len(market.payments(buyer))) == (PRICE, 1)


def test_two_orders_that_share_a_nonce_are_one_payment_and_a_conflict(market: Market):
    buyer = market.buyer()
    first = market.order(buyer)
    other = market.order(buyer, 7, nonce=first.order.nonce)
    told = market.post("/v1/payments", [body_of(first), body_of(other)] * 50)
    taken = {answer.json["amount"] for answer in told if answer.status == 200}
    assert len(taken) == 1
    assert Counter(answer.status for answer in told) == {200: 50, 409: 50}
    assert {answer.code for answer in told if answer.status == 409} == {"nonce-used"}
    assert market.spent(buyer) == int(taken.pop())


@pytest.mark.rule("asvs.2.3.2", on="hub")
def test_a_hundred_orders_at_once_spend_a_budget_to_its_last_unit_and_no_more(market: Market):
    buyer = market.buyer(budgets=[{"name": "day", "per": "day", "limit": str(30 * PRICE + 1)}])
    told = market.post("/v1/payments", [body_of(market.order(buyer)) for _ in range(100)])
    assert Counter(answer.status for answer in told) == {200: 30, 422: 70}
    assert {answer.code for answer in told if answer.status == 422} == {"mandate-budget"}
    assert market.spent(buyer) == 30 * PRICE


@pytest.mark.rule("mpp.consumed-at-once", on="hub")
def test_of_two_hundred_sellers_who_ask_for_one_order_one_may_serve(market: Market):
    buyer = market.buyer()
    body = body_of(market.order(buyer)) | {"hold_seconds": 600}
    bodies = [body | {"claim": f"seller-{i}"} for i in range(MANY)]
    told = market.post("/v1/payments/authorise", bodies, **market.as_seller)
    assert {(answer.status, answer.json["state"]) for answer in told} == {(200, "held")}
    assert sum(answer.json["fresh"] for answer in told) == 1
    [payment] = {answer.json["payment"] for answer in told}
    told = market.post(f"/v1/payments/{payment}/capture", [None] * 50, **market.as_seller)
    assert {(answer.status, answer.json["state"]) for answer in told} == {(200, "captured")}
    assert market.spent(buyer) == PRICE


@pytest.mark.rule("farthing.verify-holds", on="hub")
def test_a_facilitator_asked_at_once_verifies_once_and_settles_once(market: Market):
    buyer = market.buyer()
    body = x402_body(None, market.order(buyer))
    told = market.post("/verify", [body] * MANY, **market.as_seller)
    assert {answer.status for answer in told} == {200}
    assert sum(answer.json["isValid"] for answer in told) == 1
    told = market.post("/settle", [body] * MANY, **market.as_seller)
    assert {answer.status for answer in told} == {200}
    [done] = [answer.json for answer in told if answer.json["success"]]
    others = {a.json["extra"]["payment"] for a in told if not a.json["success"]}
    assert others == {done["transaction"]}
    assert market.spent(buyer) == PRICE


def test_a_settlement_sent_many_times_under_a_sellers_key_is_one_success_told_to_all(
    market: Market,
):
    buyer = market.buyer()
    body = x402_body(None, market.order(buyer))
    keyed = {"idempotency-key": buyer.device, **market.as_seller}
    told = market.post("/settle", [body] * 50, **keyed)
    assert {(answer.status, answer.json["success"]) for answer in told} == {(200, True)}
    assert len({answer.json["transaction"] for answer in told}) == 1
    assert market.spent(buyer) == PRICE


def test_verify_and_settle_and_charge_of_one_order_at_once_take_its_money_once(market: Market):
    buyer = market.buyer()
    signed = market.order(buyer)
    x402, plain = x402_body(None, signed), body_of(signed)
    asks = [
        ask
        for _ in range(20)
        for path, body in (("/verify", x402), ("/settle", x402), ("/v1/payments", plain))
        for ask in market.asks(path, [body], **({} if body is plain else market.as_seller))
    ]
    told = asyncio.run(at_once(asks))
    assert {answer.status for answer in told} == {200}
    verified, settled, charged = told[::3], told[1::3], told[2::3]
    assert sum(answer.json["isValid"] for answer in verified) <= 1
    assert sum(answer.json["success"] for answer in settled) <= 1
    assert {answer.json["state"] for answer in charged} <= {"held", "captured"}
    assert len(market.payments(buyer)) == 1
    assert market.spent(buyer) == PRICE


def test_an_idempotency_key_sent_two_hundred_times_at_once_does_one_thing(market: Market):
    account = market.account()
    body = {"account": account, "asset": "USD", "units": "5"}
    key = {"idempotency-key": "two hundred", **market.bearer}
    told = market.post("/v1/credits", [body] * MANY, **key)
    assert Counter(answer.status for answer in told) == {201: MANY}
    assert sum(("idempotent-replay", "true") not in answer.headers for answer in told) == 1
    market.funds += 5
    assert market.balance(account)["available"] == 5


def test_an_idempotency_key_with_many_contents_at_once_is_good_for_one_of_them(market: Market):
    account = market.account()
    bodies = [{"account": account, "asset": "USD", "units": str(i + 1)} for i in range(25)] * 4
    told = market.post("/v1/credits", bodies, **{"idempotency-key": "many", **market.bearer})
    assert Counter(answer.status for answer in told) == {201: 4, 409: 96}
    [units] = {int(answer.json["units"]) for answer in told if answer.status == 201}
    market.funds += units
    assert market.balance(account)["available"] == units


def test_an_order_under_a_key_is_one_payment(market: Market):
    buyer = market.buyer()
    body = body_of(market.order(buyer))
    told = market.post("/v1/payments", [body] * 50, **{"idempotency-key": "a payment"})
    assert Counter(answer.status for answer in told) == {200: 50}
    assert market.spent(buyer) == PRICE
