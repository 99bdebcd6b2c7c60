"""A WebSocket with a flat price: paid by its handshake, in the middleware and behind the proxy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from wsproto import events

from farthing.web.limits import Limits
from farthing.web.proxy import ReverseProxy
from farthing.web.trust import Trust

from .behind_guard import until
from .shop import PRICES, Shop, serving
from .sockets import Wire, opening

WS = "farthing.web.placed_socket:PlacedSocket"


class Goods:
    """An app that greets over a socket, or does as it is told."""

    def __init__(self, does: str = "greet") -> None:
        self.does, self.seen, self.ended = does, [], 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "websocket"
        self.seen.append(dict(scope["headers"]))
        await receive()
        try:
            await self.answer(scope, receive, send)
        finally:
            self.ended += 1

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        match self.does:
            case "close":
                await send({"type": "websocket.close", "code": 1000})
            case "fail":
                raise ValueError
            case "page" | "deny":
                status = 404 if self.does == "deny" else 200
                start = {"type": "websocket.http.response.start", "status": status}
                await send({**start, "headers": [(b"x-why", b"w")]})
                await send({"type": "websocket.http.response.body", "body": b"said"})
            case "never":
                await asyncio.sleep(60)
            case _:
                headers = [(b"payment-receipt", b"forged"), (b"set-cookie", b"a=1")]
                chosen = (scope["subprotocols"] or [None])[0]
                accept = {"type": "websocket.accept", "headers": headers, "subprotocol": chosen}
                await send(accept)
                await send({"type": "websocket.send", "text": "goods"})
                if self.does == "break":
                    raise ValueError
                while (message := await receive())["type"] == "websocket.receive":
                    await send({"type": "websocket.send", "text": message["text"]})


@contextlib.asynccontextmanager
async def shop_of(
    goods: Goods, at: str = "middleware", prices: str = PRICES, **more: Any
) -> AsyncIterator[tuple[Shop, str]]:
    shop = Shop(prices, **more)
    async with contextlib.AsyncExitStack() as stack:
        app: Any = goods
        if at == "proxy":
            app = ReverseProxy(await stack.enter_async_context(serving(goods, ws="wsproto")))
        yield shop, await stack.enter_async_context(serving(shop.paywall.wrap(app), ws=WS))


async def pay(shop: Shop, url: str, language: str = "mpp") -> list[tuple[bytes, bytes]]:
    """Ask unpaid, and give the fields that pay."""
    async with opening(url, "/paid") as (wire, refused):
        assert refused.status_code == 402 and b"payment-required" in wire.body
    signed = shop.sign(httpx.Response(402, headers=refused.headers), language)
    return [(name.encode(), value.encode()) for name, value in signed.items()]


PLACES = pytest.mark.parametrize("at", ["middleware", "proxy"])


@PLACES
@pytest.mark.parametrize(
    ("language", "receipt"), [("mpp", b"payment-receipt"), ("x402", b"payment-response")]
)
async def test_a_handshake_is_paid_for_and_answered_with_the_receipt(
    at: str, language: str, receipt: bytes
):
    goods = Goods()
    async with shop_of(goods, at) as (shop, url):
        fields = await pay(shop, url, language)
        assert not goods.seen
        async with opening(url, "/paid", fields, subprotocols=["one"]) as (wire, opened):
            told = dict(opened.extra_headers)
            assert told[receipt] not in (b"", b"forged") and told[b"set-cookie"] == b"a=1"
            assert opened.subprotocol == "one"
            assert await wire.text() == "goods"
            wire.say("again")
            assert await wire.text() == "again"
            assert (shop.spent, shop.states) == (1500, ["captured"])
        await until(lambda: goods.ended)
    [seen] = goods.seen
    assert seen[b"farthing-payer"].decode() == shop.device
    assert seen[b"farthing-amount"] == b"0.0015 USD"
    assert b"payment-signature" not in seen and b"authorization" not in seen
    assert [taken.broken for taken in shop.hub.payments.values()] == [""]


@PLACES
async def test_one_payment_opens_one_socket(at: str):
    goods = Goods()
    async with shop_of(goods, at) as (shop, url):
        fields = await pay(shop, url)
        async with opening(url, "/paid", fields) as (wire, _):
            assert await wire.text() == "goods"
            async with opening(url, "/paid", fields) as (other, refused):
                assert refused.status_code == 409 and b"already-paid" in other.body
        async with opening(url, "/paid", fields) as (other, refused):
            assert refused.status_code == 409
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            page = await client.get("/paid", headers={k.decode(): v.decode() for k, v in fields})
            assert page.status_code == 409
        assert (len(goods.seen), shop.spent) == (1, 1500)


@PLACES
@pytest.mark.parametrize(
    ("does", "status"), [("close", 403), ("fail", 500), ("deny", 404), ("never", 504)]
)
async def test_a_socket_that_does_not_open_costs_nothing(at: str, does: str, status: int):
    goods = Goods(does)
    if at == "proxy" and does == "never":
        pytest.skip("the proxy's own patience is tested beside it")
    async with shop_of(goods, at) as (shop, url):
        if does == "never":
            shop.paywall._till._limits = Limits(answer_seconds=1.0)
        fields = await pay(shop, url)
        async with opening(url, "/paid", fields) as (wire, refused):
            assert refused.status_code == status
            assert (wire.body == b"said") == (does == "deny")
        assert (shop.spent, shop.states) == (0, ["voided"])


@PLACES
async def test_a_page_instead_of_a_socket_is_paid_for_or_not_given(at: str):
    async with shop_of(Goods("page"), at) as (shop, url):
        fields = await pay(shop, url)
        async with opening(url, "/paid", fields) as (wire, refused):
            given = refused.status_code == 200 and wire.body == b"said"
        assert given == (at == "middleware")
        assert shop.spent == (1500 if given else 0)


async def test_an_app_that_fails_after_it_opened_is_recorded_and_refunded_where_that_is_said():
    async with shop_of(Goods("break"), prices=PRICES + 'on_broken = "refund"\n') as (shop, url):
        fields = await pay(shop, url)
        async with opening(url, "/paid", fields) as (wire, _):
            assert await wire.text() == "goods"
            await until(lambda: shop.spent == 0)
    assert [taken.broken for taken in shop.hub.payments.values()] == ["ValueError"]


@PLACES
async def test_a_client_that_is_cut_off_has_paid_and_gets_nothing_back(at: str):
    goods = Goods()
    async with shop_of(goods, at, PRICES + 'on_broken = "refund"\n') as (shop, url):
        fields = await pay(shop, url)
        async with opening(url, "/paid", fields) as (wire, _):
            assert await wire.text() == "goods"
            wire.writer.transport.abort()
            await until(lambda: goods.ended)
        await until(lambda: not shop.paywall._running)
        assert shop.spent == 1500
    assert [taken.broken for taken in shop.hub.payments.values()] == [""]


async def test_a_service_that_breaks_off_behind_the_proxy_is_recorded():
    async with shop_of(Goods("break"), "proxy", PRICES + 'on_broken = "refund"\n') as (shop, url):
        fields = await pay(shop, url)
        async with opening(url, "/paid", fields) as (wire, _):
            assert await wire.text() == "goods"
            await until(lambda: shop.spent == 0)
    assert [taken.broken for taken in shop.hub.payments.values()] == ["UpstreamBroke"]


async def test_a_payment_that_cannot_be_taken_opens_nothing():
    goods = Goods()
    async with shop_of(goods) as (shop, url):
        fields = await pay(shop, url)
        shop.hub.balances[shop.device] = 0
        async with opening(url, "/paid", fields) as (wire, refused):
            assert refused.status_code == 402 and b"insufficient-funds" in wire.body
    assert not goods.seen


async def test_prices_of_sockets_travel_over_tls_alone():
    goods = Goods()
    async with shop_of(goods) as (shop, url):
        shop.paywall._desk.trust = Trust(["127.0.0.1"])
        plain = [(b"x-forwarded-proto", b"http"), (b"x-forwarded-for", b"192.0.2.1")]
        async with opening(url, "/paid", plain) as (wire, refused):
            assert refused.status_code == 403 and b"tls-required" in wire.body


async def test_who_asks_too_often_is_told_when_to_come_back():
    async with shop_of(Goods(), limits=Limits(asks_per_second=0.1, asks_burst=1)) as (shop, url):
        shop.paywall._desk.trust = Trust(["127.0.0.1"])
        told = [(b"x-forwarded-proto", b"https"), (b"x-forwarded-for", b"192.0.2.1")]
        async with opening(url, "/paid", told) as (_, refused):
            assert refused.status_code == 402
        async with opening(url, "/paid", told) as (wire, refused):
            assert refused.status_code == 429 and b"headers" not in wire.body
            assert b"retry-after" in dict(refused.headers)


async def test_open_sockets_end_with_the_server():
    goods = Goods()
    shop = Shop()
    async with contextlib.AsyncExitStack() as clients:
        async with serving(shop.paywall.wrap(goods), ws=WS) as url:
            fields = await pay(shop, url)
            wire: Wire
            wire, _ = await clients.enter_async_context(opening(url, "/paid", fields))
            assert await wire.text() == "goods"
        closed: Any = await wire.next()
        assert isinstance(closed, events.CloseConnection) and closed.code == 1012
    assert goods.ended == 1 and not shop.paywall._running
