"""Sessions at once: one deposit, the highest voucher, one end; whatever is killed or revoked."""

import asyncio
import random
import secrets
import threading
from collections import Counter
from typing import Any

from farthing.clock import parse_time
from farthing.codec import from_base64url, to_base64url
from farthing.core.batches import Batch, BatchLine, signed_bytes, write_batch
from farthing.core.sessions import Opening, top_up_resource
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from tests.web.api.town import TARIFF, body_of

from .market import FUNDS, PRICE, Buyer, Market
from .wire import Ask, Told, at_once

MANY = 200
DEPOSIT = 10_000
OPENING = Opening(TARIFF.digest(), 600, 60, "GET /readings").resource()


def opening(market: Market, buyer: Buyer) -> dict[str, Any]:
    """Write the body that opens a session."""
    signed = market.order(buyer, DEPOSIT, resource=OPENING)
    return body_of(signed) | {"tariff": TARIFF.members()}


def opened(market: Market, buyer: Buyer) -> Any:
    """Open a session."""
    return market.made("/v1/sessions", **opening(market, buyer))["session"]


def voucher(buyer: Buyer, session: Any, units: int) -> dict[str, Any]:
    """Write the body that promises so many units in all."""
    tariff, alias = (from_base64url(session[name]) for name in ("tariff_hash", "alias"))
    agreed = Agreed(session["id"], session["payee"], session["asset"], tariff)
    claims = Claims(alias, units, units, parse_time(session["ends_at"]))
    return {"voucher": to_base64url(sign_voucher(buyer.signer, agreed, claims))}


def draws(market: Market, buyer: Buyer, session: Any, units: list[int]) -> list[Ask]:
    """Write a draw for each of these promises."""
    bodies = [voucher(buyer, session, each) for each in units]
    return market.asks(f"/v1/sessions/{session['id']}/vouchers", bodies)


def verb(market: Market, session: Any, name: str, body: Any = None, **fields: str) -> list[Ask]:
    """Write one request that ends or closes a session."""
    return market.asks(f"/v1/sessions/{session['id']}/{name}", [body], **fields)


def shuffled(*asks: list[Ask]) -> list[Ask]:
    """Mix requests; the seed is printed."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    every = [one for some in asks for one in some]
    return random.Random(seed).sample(every, len(every))


def sent(asks: list[Ask]) -> list[tuple[Ask, Told]]:
    """Send all at one moment."""
    return list(zip(asks, asyncio.run(at_once(asks)), strict=True))


def drawn(told: list[tuple[Ask, Told]]) -> int:
    """Give the highest promise that was accepted."""
    return max(
        [int(a.json["promised"]) for ask, a in told if "vouchers" in ask.path and a.status == 200],
        default=0,
    )


def closed(market: Market, session: Any, buyer: Buyer) -> int:
    """Close a session, and tell what left the buyer's account for it."""
    [told] = sent(verb(market, session, "close", **market.as_seller))
    assert told[1].status == 200, told[1].body
    return market.spent(buyer)


def test_a_session_opened_two_hundred_times_at_once_holds_one_deposit(market: Market):
    buyer = market.buyer()
    body = opening(market, buyer)
    for times in (MANY, 20):  # At once, and again when all is over.
        told = market.post("/v1/sessions", [body] * times)
        assert {answer.status for answer in told} == {200}
        assert len({answer.json["session"]["id"] for answer in told}) == 1
    assert market.balance(buyer.account)["held"] == DEPOSIT
    session = told[0].json["session"]
    assert closed(market, session, buyer) == 0
    told = market.post("/v1/sessions", [body] * 20)
    assert {answer.json["session"]["state"] for answer in told} == {"closed"}
    assert market.spent(buyer) == 0


def test_one_voucher_two_hundred_times_at_once_is_one_promise(market: Market):
    buyer = market.buyer()
    session = opened(market, buyer)
    told = sent(draws(market, buyer, session, [777]) * MANY)
    assert {(a.status, a.json["promised"]) for _, a in told} == {(200, "777")}
    assert closed(market, session, buyer) == 777


def test_of_two_hundred_vouchers_at_once_the_highest_counts(market: Market):
    buyer = market.buyer()
    session = opened(market, buyer)
    told = sent(shuffled(draws(market, buyer, session, list(range(50, 50 * MANY + 1, 50)))))
    assert {a.code for _, a in told if a.status != 200} <= {"voucher-superseded"}
    assert {a.status for _, a in told} <= {200, 409}
    assert drawn(told) == DEPOSIT
    assert closed(market, session, buyer) == DEPOSIT


def test_a_top_up_sent_two_hundred_times_at_once_is_added_once(market: Market):
    buyer = market.buyer()
    session = opened(market, buyer)
    body = body_of(market.order(buyer, 5, resource=top_up_resource(session["id"])))
    told = market.post(f"/v1/sessions/{session['id']}/deposits", [body] * MANY)
    assert {answer.status for answer in told} == {200}
    assert market.balance(buyer.account)["held"] == DEPOSIT + 5
    told = sent(draws(market, buyer, session, [DEPOSIT + 5, DEPOSIT + 6]))
    assert [a.status for _, a in told] == [200, 422]
    assert closed(market, session, buyer) == DEPOSIT + 5


def test_draws_an_end_and_closes_at_once_take_what_was_accepted_and_no_more(market: Market):
    for _ in range(3):
        buyer = market.buyer()
        session = opened(market, buyer)
        told = sent(
            shuffled(
                draws(market, buyer, session, list(range(10, 1000, 10))),
                verb(market, session, "end", **market.bearer) * 3,
                verb(market, session, "close", **market.as_seller) * 3,
            )
        )
        closes = {a.json["captured"] for ask, a in told if ask.path.endswith("/close")}
        assert closes == {str(drawn(told))}
        refused = {a.code for _, a in told if a.status != 200}
        assert refused <= {"voucher-superseded", "session-over", "session-closed"}
        assert market.spent(buyer) == drawn(told)
        # It is over for good: nothing more is drawn, and nothing is taken again.
        again = sent([*draws(market, buyer, session, [2000]), *[ask for ask, _ in told]])
        assert {a.status for ask, a in again if "vouchers" in ask.path} == {409}
        assert market.spent(buyer) == drawn(told)


def test_closes_at_once_with_many_amounts_take_one_of_them(market: Market):
    buyer = market.buyer()
    session = opened(market, buyer)
    sent(draws(market, buyer, session, [100]))
    asks = [
        one
        for i in range(100)
        for one in verb(market, session, "close", {"units": str(i % 25 + 1)}, **market.as_seller)
    ]
    told = sent(shuffled(asks))
    assert Counter(a.status for _, a in told) == {200: 4, 409: 96}
    [units] = {a.json["captured"] for _, a in told if a.status == 200}
    assert market.spent(buyer) == int(units)


def test_nothing_is_drawn_once_a_revocation_was_answered(market: Market):
    buyer = market.buyer()
    session = opened(market, buyer)
    revoked = threading.Event()

    def revoke() -> None:
        market.made(f"/v1/devices/{buyer.device}/revoke")
        revoked.set()

    revoking = threading.Thread(target=revoke)
    revoking.start()
    during = sent(shuffled(draws(market, buyer, session, list(range(1, MANY + 1)))))
    revoking.join()
    assert revoked.is_set()
    after = sent(draws(market, buyer, session, list(range(MANY + 1, MANY + 51))))
    assert {(a.status, a.code) for _, a in after} == {(422, "session-revoked")}
    refused = {a.code for _, a in during if a.status != 200}
    assert refused <= {"voucher-superseded", "session-revoked"}
    assert closed(market, session, buyer) == drawn(during)


def test_hubs_that_are_killed_amid_draws_keep_what_they_accepted(market: Market):
    buyer = market.buyer()
    session = opened(market, buyer)
    best, asks = 0, draws(market, buyer, session, list(range(1, MANY + 1)))
    for hub in market.hubs:
        killer = threading.Timer(secrets.randbelow(40) / 1000, hub.kill)
        killer.start()
        best = max(best, drawn(sent(shuffled(asks))))
        killer.join()
        hub.start()
        assert int(market.shown(f"/v1/sessions/{session['id']}")["promised"]) >= best
    told = sent(asks[-1:] * MANY)  # The same after a restart, two hundred times.
    assert {(a.status, a.json["promised"]) for _, a in told} == {(200, str(MANY))}
    assert closed(market, session, buyer) == MANY
    assert {a.status for _, a in sent(asks)} == {409}
    assert market.spent(buyer) == MANY


def test_one_batch_fifty_times_at_once_and_alone_pays_each_order_once(market: Market):
    buyer = market.buyer()
    orders = [market.order(buyer) for _ in range(20)]
    first = orders[0].order
    lines = [BatchLine(o.order.payee, o.order.amount, o.order.nonce, "") for o in orders]
    raw = write_batch(
        Batch(hub=first.hub, device=first.device, asset="USD", expires=first.expires, lines=lines)
    )
    batch = {"batch": to_base64url(raw)}
    batch["signature"] = to_base64url(buyer.signer.sign(signed_bytes(raw)))
    told = sent(
        shuffled(
            market.asks("/v1/payments/batch", [batch] * 50),
            market.asks("/v1/payments", [body_of(one) for one in orders]),
        )
    )
    assert {a.status for _, a in told} == {200}
    paid = {item["id"] for ask, a in told if "batch" in ask.path for item in a.json["payments"]}
    paid |= {a.json["id"] for ask, a in told if "batch" not in ask.path}
    assert len(paid) == len(market.payments(buyer)) == 20
    assert market.spent(buyer) == 20 * PRICE < FUNDS
