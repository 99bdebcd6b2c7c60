"""Capture and void at once, refunds at once: one end for each hold, and never more back than in."""

import asyncio
from collections import Counter

import pytest

from farthing import ids
from tests.web.api.town import body_of

from .market import PRICE, Market
from .wire import Told, at_once


def ends(market: Market, payment: str, *ways: tuple[str, object]) -> list[Told]:
    """Ask the hubs in turn to end a hold in all of these ways at one moment."""
    asks = [
        ask
        for way, body in ways
        for ask in market.asks(f"/v1/payments/{payment}/{way}", [body], **market.as_seller)
    ]
    return asyncio.run(at_once(asks))


@pytest.mark.rule("asvs.2.3.4", on="hub")
def test_of_captures_and_voids_at_once_one_kind_wins_each_hold(market: Market):
    buyer, captured = market.buyer(), 0
    payments = [market.hold(buyer) for _ in range(10)]
    asks = [
        ask
        for i in range(20)
        for number, payment in enumerate(payments)
        for ask in market.asks(
            f"/v1/payments/{payment}/{('capture', 'void')[(i + number) % 2]}",
            [None],
            **market.as_seller,
        )
    ]
    told = asyncio.run(at_once(asks))
    for payment in payments:
        state = market.shown(f"/v1/payments/{payment}")["state"]
        said = [(a.path, t) for a, t in zip(asks, told, strict=True) if payment in a.path]
        winner = {"captured": "capture", "voided": "void"}[state]
        for path, answer in said:
            if path.endswith(winner):
                assert (answer.status, answer.json["state"]) == (200, state)
            else:
                assert (answer.status, answer.code) == (409, "not-held")
        captured += state == "captured"
    assert market.spent(buyer) == captured * PRICE


def test_a_hold_is_captured_with_one_amount_however_many_are_asked_at_once(market: Market):
    buyer = market.buyer()
    payment = market.hold(buyer)
    told = ends(market, payment, *(("capture", {"units": str(i % 25 + 1)}) for i in range(100)))
    units = {answer.json["units"] for answer in told if answer.status == 200}
    assert len(units) == 1
    assert Counter(answer.status for answer in told) == {200: 4, 409: 96}
    assert {answer.code for answer in told if answer.status == 409} == {"already-captured"}
    assert market.spent(buyer) == units.pop()


def refunds(market: Market, payment: str, bodies: list[object], **fields: str) -> list[Told]:
    """Ask for all of these refunds at one moment."""
    path = f"/v1/payments/{payment}/refunds"
    return market.post(path, bodies, **market.as_seller, **fields)


def test_refunds_at_once_give_back_what_was_captured_and_no_more(market: Market):
    buyer = market.buyer()
    market.paid(buyer, 10 * PRICE)  # The shop could pay for more than it should.
    payment = market.paid(buyer)
    told = refunds(market, payment, [{"units": "10"}] * 200)
    assert Counter(answer.status for answer in told) == {201: 150, 409: 50}
    assert {answer.code for answer in told if answer.status == 409} == {"already-refunded"}
    assert market.shown(f"/v1/payments/{payment}")["refunded"] == str(PRICE)
    assert market.spent(buyer) == 10 * PRICE


def test_refunds_of_all_at_once_are_one(market: Market):
    buyer = market.buyer()
    market.paid(buyer, 10 * PRICE)
    payment = market.paid(buyer)
    told = refunds(market, payment, [None] * 50)
    assert Counter(answer.status for answer in told) == {201: 1, 409: 49}
    assert market.spent(buyer) == 10 * PRICE


def test_one_refund_sent_two_hundred_times_at_once_is_given_once(market: Market):
    buyer = market.buyer()
    payment = market.paid(buyer)
    body = {"id": ids.name("ref", ids.fresh(1_700_000_000_000)), "units": "7"}
    told = refunds(market, payment, [body] * 200)
    assert {(answer.status, answer.json["refunded"]) for answer in told} == {(201, "7")}
    told = refunds(market, payment, [{"units": "7"}] * 50, **{"idempotency-key": "one refund"})
    assert {(answer.status, answer.json["refunded"]) for answer in told} == {(201, "14")}
    assert market.spent(buyer) == PRICE - 14


@pytest.mark.rule("asvs.2.3.1", on="hub")
def test_a_refund_before_its_capture_is_never_given(market: Market):
    buyer = market.buyer()
    payment = market.hold(buyer)
    told = ends(market, payment, *((("refunds", "capture")[i % 2], None) for i in range(100)))
    assert {answer.status for answer in told[1::2]} == {200}
    given = Counter(answer.status for answer in told[::2])
    refunded = int(market.shown(f"/v1/payments/{payment}")["refunded"])
    assert given[201] <= 1 and given[201] + given[409] == 50
    assert refunded == given[201] * PRICE
    assert market.spent(buyer) == PRICE - refunded


def test_an_account_that_is_emptied_while_it_refunds_is_never_below_nothing(market: Market):
    """The seller spends what it would have to give back, from a device of its own."""
    buyer, till = market.buyer(), market.account()
    spender = market.spender(till)
    payments = [market.paid(buyer, payee=till) for _ in range(5)]
    back = market.account()
    spent = [body_of(market.order(spender, PRICE // 10, payee=back)) for _ in range(100)]
    asks = [
        *market.asks("/v1/payments", spent),
        *(
            ask
            for payment in payments
            for ask in market.asks(
                f"/v1/payments/{payment}/refunds", [{"units": "150"}] * 10, **market.bearer
            )
        ),
    ]
    told = asyncio.run(at_once([*asks[::2], *asks[1::2]]))
    assert {answer.status for answer in told} <= {200, 201, 422}
    paid, given = (sum(a.status == status for a in told) for status in (200, 201))
    assert paid + given == 5 * PRICE // 150  # The till was emptied to its last unit.
    assert market.balance(till)["available"] == 0
    assert market.balance(back)["available"] == paid * 150
    assert market.spent(buyer) == 5 * PRICE - given * 150
