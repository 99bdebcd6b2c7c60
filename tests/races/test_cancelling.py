"""Cancel and capture at once: of two hundred orders each is either paid or never paid."""

import asyncio

from tests.web.api.town import body_of, cancel_of

from .market import PRICE, Market
from .wire import at_once

PAIRS = 200


def test_of_a_cancel_and_a_capture_at_once_exactly_one_wins(market: Market):
    buyer = market.buyer()
    orders = [market.order(buyer) for _ in range(PAIRS)]
    paying = market.asks("/v1/payments", [body_of(order) for order in orders])
    cancelling = market.asks(
        "/v1/payments/cancel", [cancel_of(order, buyer.signer) for order in orders]
    )
    pairs = [(paying[i], cancelling[i])[:: 1 - 2 * (i % 2)] for i in range(PAIRS)]
    told = asyncio.run(at_once([ask for pair in pairs for ask in pair]))
    captured = 0
    for i in range(PAIRS):
        paid, cancelled = told[2 * i : 2 * i + 2][:: 1 - 2 * (i % 2)]
        assert cancelled.status == 200, cancelled.body
        if paid.status == 200:
            assert (paid.json["state"], cancelled.json["state"]) == ("captured", "captured")
        else:
            assert (paid.status, paid.code) == (422, "cancelled")
            assert (cancelled.json["state"], cancelled.json["reason"]) == ("refused", "cancelled")
        captured += paid.status == 200
    assert market.spent(buyer) == captured * PRICE
    assert len(market.payments(buyer)) == PAIRS
    # Nothing changes afterwards: the same is said again.
    again = asyncio.run(at_once(paying))
    assert [a.status for a in again] == [told[2 * i + i % 2].status for i in range(PAIRS)]


def test_one_cancel_sent_many_times_beside_its_order_has_one_end(market: Market):
    buyer = market.buyer()
    order = market.order(buyer)
    asks = [
        ask
        for _ in range(50)
        for ask in (
            *market.asks("/v1/payments", [body_of(order)]),
            *market.asks("/v1/payments/cancel", [cancel_of(order, buyer.signer)]),
        )
    ]
    told = asyncio.run(at_once(asks))
    ends = {answer.json.get("state", "refused") for answer in told if answer.status in (200, 422)}
    assert len(ends) == 1 and {answer.status for answer in told} <= {200, 422}
    assert market.spent(buyer) == (PRICE if ends == {"captured"} else 0)
