"""A WebSocket that is metered: counted first, paused for a voucher, ended by a receipt."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection, events

from farthing.codec import to_base64url
from farthing.device.metered import MeteredSession
from farthing.web.proxy import ReverseProxy
from tests.web.metered_shop import PRICES, MeteredShop, metered_shop
from tests.web.shop import serving


class Feed:
    """An app that sends so many readings over each socket, and answers `/readings` for free.

    Shape: one that `listens` closes only when it has heard something.
    """

    def __init__(self, count: int = 10, seconds: float = 0.0, *, listens: bool = False) -> None:
        self.count, self.seconds, self.listens = count, seconds, listens
        self.heard: list[str] = []
        self.sent, self.closed = 0, asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        assert b"farthing-voucher" not in dict(scope["headers"])
        assert b"farthing-session" in dict(scope["headers"])
        await receive()
        await send({"type": "websocket.accept"})
        listening = asyncio.create_task(self.listen(receive))
        try:
            for n in range(self.count):
                await asyncio.sleep(self.seconds)
                await send({"type": "websocket.send", "text": f"reading {n}"})
                self.sent += 1
            while self.listens and not self.heard:  # noqa: ASYNC110 - it is told by nobody
                await asyncio.sleep(0.01)
            await send({"type": "websocket.close", "code": 1000})
        finally:
            listening.cancel()
            self.closed.set()

    async def listen(self, receive: Any) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message["text"])


class Buyer:
    """A socket to the shop, and the session that pays for it."""

    def __init__(self, url: str, bought: MeteredSession) -> None:
        self.port, self.bought, self.session = int(url.rsplit(":", 1)[1]), bought, bought.session
        self.wire, self.queue = WSConnection(ConnectionType.CLIENT), []

    def voucher(self, units: int) -> str:
        return to_base64url(self.bought._sessions.promise(self.session, units))

    async def open(self, units: int) -> Any:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        field = f"{self.session} {self.voucher(units)}" if units else ""
        extra = [(b"farthing-voucher", field.encode())] if field else []
        host = f"127.0.0.1:{self.port}"
        self.put(events.Request(host=host, target="/readings", extra_headers=extra))
        return await self.next()

    def put(self, event: Any) -> None:
        self.writer.write(self.wire.send(event))

    def say(self, text: str) -> None:
        self.put(events.TextMessage(data=text))

    def promise(self, units: int) -> None:
        self.say(f"farthing-voucher {self.voucher(units)}")

    async def next(self) -> Any:
        while not self.queue:
            data = await asyncio.wait_for(self.reader.read(65536), 20)
            assert data, "the socket was cut off"
            self.wire.receive_data(data)
            self.queue += list(self.wire.events())
        return self.queue.pop(0)

    async def told(self) -> tuple[str, Any]:
        event = await self.next()
        if isinstance(event, events.CloseConnection):
            return "closed", event.code
        word, _, rest = event.data.partition(" ")
        return word, json.loads(rest) if word.startswith("farthing") else rest


@contextlib.asynccontextmanager
async def buying(
    folder: Path, feed: Feed, prices: str = PRICES, **more: Any
) -> AsyncIterator[tuple[MeteredShop, Buyer]]:
    async with (
        metered_shop(folder, feed, prices, ws="wsproto", **more) as (shop, url),
        shop.client() as client,
        client.session(url, deposit="0.0005 USD") as bought,
    ):
        await bought.get("/readings")
        yield shop, Buyer(url, bought)


async def test_messages_are_counted_paused_for_a_voucher_and_end_in_a_receipt(tmp_path: Path):
    feed = Feed(10)
    async with buying(tmp_path, feed) as (shop, buyer):
        assert isinstance(await buyer.open(6), events.AcceptConnection)
        assert [await buyer.told() for _ in range(4)] == [("reading", str(n)) for n in range(4)]
        word, need = await buyer.told()
        assert (word, need["requiredCumulative"]) == ("farthing-need-voucher", "8")
        assert feed.sent == 4
        buyer.say("hello")
        buyer.promise(15)
        assert [await buyer.told() for _ in range(6)] == [("reading", str(n)) for n in range(4, 10)]
        word, receipt = await buyer.told()
        assert (word, receipt["count"], receipt["spent"]) == ("farthing-receipt", "10", "15")
        assert await buyer.told() == ("closed", 1000)
        assert feed.heard == ["hello"]
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert (meter.count, meter.units) == (10, 15)


async def test_without_a_voucher_no_socket_opens_and_the_price_is_told(tmp_path: Path):
    async with buying(tmp_path, Feed()) as (_, buyer):
        refused = await buyer.open(0)
        assert isinstance(refused, events.RejectConnection)
        assert refused.status_code == 402
        names = {name.lower() for name, _ in refused.headers}
        assert {b"www-authenticate", b"payment-required"} <= names


async def test_a_socket_for_which_no_voucher_comes_ends_and_owes_what_was_sent(tmp_path: Path):
    feed = Feed(10)
    async with buying(tmp_path, feed, wait_seconds=0.3) as (shop, buyer):
        await buyer.open(3)
        words = [await buyer.told() for _ in range(5)]
        assert [word for word, _ in words] == [
            "reading", "reading", "farthing-need-voucher", "farthing-receipt", "closed",
        ]  # fmt: skip
        assert words[-1][1] == 4402
        await asyncio.wait_for(feed.closed.wait(), 5)
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert (meter.count, feed.sent) == (2, 2)
        assert not shop.metering._kept._flying[buyer.session]


async def test_a_bad_voucher_is_told_and_the_socket_goes_on(tmp_path: Path):
    async with buying(tmp_path, Feed(4)) as (_, buyer):
        await buyer.open(3)
        for _ in range(3):
            await buyer.told()
        buyer.say("farthing-voucher AAAA")
        word, problem = await buyer.told()
        assert (word, problem["code"]) == ("farthing-refused", "malformed-voucher")
        buyer.promise(6)
        assert (await buyer.told())[0] == "reading"


@pytest.mark.parametrize(("per", "count"), [("byte", 90), ("request", 10)])
async def test_it_is_counted_by_bytes_as_well(tmp_path: Path, per: str, count: int):
    prices = PRICES.replace('per = "request"', f'per = "{per}"')
    async with buying(tmp_path, Feed(10), prices) as (shop, buyer):
        await buyer.open(300)
        words = [await buyer.told() for _ in range(12)]
        assert words[-1] == ("closed", 1000)
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert meter.count == count


async def test_seconds_run_while_it_is_open_and_the_rest_of_the_last_comes_back(tmp_path: Path):
    prices = PRICES.replace('per = "request"', 'per = "second"').replace("every = 2\n", "")
    async with buying(tmp_path, Feed(6, 0.25), prices) as (shop, buyer):
        await buyer.open(30)
        words = [await buyer.told() for _ in range(8)]
        assert words[-1] == ("closed", 1000)
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert 1.4e9 < meter.count * 1e9 + meter.part < 2.2e9


async def until(buyer: Buyer, last: str) -> list[tuple[str, Any]]:
    words = [await buyer.told()]
    while words[-1][0] != last:
        words.append(await buyer.told())
    return words


async def test_a_second_for_which_no_voucher_comes_ends_the_socket_with_its_receipt(tmp_path: Path):
    prices = PRICES.replace('per = "request"', 'per = "second"').replace("every = 2\n", "")
    feed = Feed(1000, 0.05)
    async with buying(tmp_path, feed, prices, wait_seconds=0.3) as (shop, buyer):
        await buyer.open(6)
        words = await until(buyer, "closed")
        assert [word for word, _ in words if word != "reading"] == [
            "farthing-need-voucher", "farthing-receipt", "closed",
        ]  # fmt: skip
        assert words[-2][1]["spent"] == "6"
        assert words[-1][1] == 4402
        await asyncio.wait_for(feed.closed.wait(), 5)
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert (meter.count, meter.part) == (2, 0)
        assert not shop.metering._kept._flying[buyer.session]


async def test_who_hangs_up_while_a_second_waits_for_a_voucher_is_not_waited_for(tmp_path: Path):
    prices = PRICES.replace('per = "request"', 'per = "second"').replace("every = 2\n", "")
    feed = Feed(1000, 0.05)
    async with buying(tmp_path, feed, prices, wait_seconds=60) as (shop, buyer):
        await buyer.open(6)
        await until(buyer, "farthing-need-voucher")
        await asyncio.sleep(0.3)  # The app's next message waits by now.
        buyer.writer.close()
        await asyncio.wait_for(feed.closed.wait(), 5)
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert meter.count == 2


async def test_who_hangs_up_pays_for_what_was_sent_and_holds_nothing(tmp_path: Path):
    feed = Feed(1000, 0.01)
    async with buying(tmp_path, feed) as (shop, buyer):
        await buyer.open(400)
        for _ in range(3):
            await buyer.told()
        buyer.writer.close()
        await asyncio.wait_for(feed.closed.wait(), 10)
        meter = shop.metering.find(buyer.session)
        assert meter is not None
        assert 3 <= meter.count < 260
        assert not shop.metering._kept._flying[buyer.session]


async def test_what_was_counted_is_on_disk_before_it_left(tmp_path: Path):
    async with buying(tmp_path, Feed(1000, 0.01)) as (shop, buyer):
        await buyer.open(400)
        for _ in range(20):
            last = await buyer.told()
        [meter] = shop.book.all()
        assert meter.count > int(last[1])
        assert meter.units == 400
        buyer.writer.close()


@pytest.mark.parametrize("per", ["request", "byte"])
async def test_an_app_that_waits_for_a_voucher_ends_when_its_client_hangs_up(
    tmp_path: Path, per: str
):
    feed = Feed(10)
    prices = PRICES.replace('per = "request"', f'per = "{per}"')
    async with buying(tmp_path, feed, prices, wait_seconds=600) as (shop, buyer):
        await buyer.open(3)
        while (await buyer.told())[0] != "farthing-need-voucher":
            pass
        buyer.writer.close()
        await asyncio.wait_for(feed.closed.wait(), 20)
        assert not shop.metering._kept._flying[buyer.session]


async def refusing(scope: Any, receive: Any, send: Any, status: int) -> None:
    if scope["type"] == "http":
        await Feed()(scope, receive, send)
        return
    await receive()
    start = {"type": "websocket.http.response.start", "status": status}
    await send({**start, "headers": [(b"payment-required", b"x"), (b"x-why", b"w")]})
    await send({"type": "websocket.http.response.body", "body": b"a page that costs"})


@pytest.mark.parametrize(("status", "told"), [(200, 500), (302, 500), (402, 403), (404, 404)])
async def test_an_app_that_opens_no_socket_gives_nothing_away_and_costs_nothing(
    tmp_path: Path, status: int, told: int
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await refusing(scope, receive, send, status)

    async with buying(tmp_path, app) as (shop, buyer):
        refused = await buyer.open(6)
        assert refused.status_code == told
        names = {name for name, _ in refused.headers}
        assert b"payment-required" not in names and (b"x-why" in names) == (told < 500)
        if told == 500:
            assert b"page" not in (await buyer.next()).data
        meter = shop.metering.find(buyer.session)
        assert meter is not None and meter.count == 0
        assert not shop.metering._kept._flying[buyer.session]


async def test_the_handshake_says_how_the_session_stands(tmp_path: Path):
    async with buying(tmp_path, Feed(1)) as (_, buyer):
        opened = await buyer.open(6)
        told = dict(opened.extra_headers)[b"farthing-session"].decode()
        assert f'session="{buyer.session}"' in told and 'promised="6"' in told


@contextlib.asynccontextmanager
async def behind_a_proxy(folder: Path, feed: Feed, per: str, **more: Any) -> AsyncIterator[Any]:
    prices = PRICES.replace('per = "request"', f'per = "{per}"')
    if per == "second":
        prices = prices.replace("every = 2\n", "")
    async with (
        serving(feed, ws="wsproto") as upstream,
        buying(folder, ReverseProxy(upstream), prices, **more) as (shop, buyer),
    ):
        yield shop, buyer


async def test_a_service_behind_the_proxy_is_metered_message_by_message(tmp_path: Path):
    feed = Feed(10, listens=True)
    async with behind_a_proxy(tmp_path, feed, "request") as (shop, buyer):
        await buyer.open(6)
        assert [await buyer.told() for _ in range(4)] == [("reading", str(n)) for n in range(4)]
        assert (await buyer.told())[0] == "farthing-need-voucher"
        buyer.say("hello")
        buyer.promise(15)
        assert [await buyer.told() for _ in range(6)] == [("reading", str(n)) for n in range(4, 10)]
        word, receipt = await buyer.told()
        assert (word, receipt["count"], receipt["spent"]) == ("farthing-receipt", "10", "15")
        assert await buyer.told() == ("closed", 1000)
        assert feed.heard == ["hello"]
        assert shop.metering.find(buyer.session).count == 10


async def test_a_service_behind_the_proxy_is_metered_by_its_bytes(tmp_path: Path):
    async with behind_a_proxy(tmp_path, Feed(10), "byte") as (shop, buyer):
        await buyer.open(300)
        assert (await until(buyer, "closed"))[-1] == ("closed", 1000)
        assert shop.metering.find(buyer.session).count == 90


async def test_a_second_that_nobody_promises_ends_the_socket_behind_the_proxy(tmp_path: Path):
    feed = Feed(1000, 0.05)
    async with behind_a_proxy(tmp_path, feed, "second", wait_seconds=0.3) as (shop, buyer):
        await buyer.open(6)
        words = await until(buyer, "closed")
        assert [word for word, _ in words if word != "reading"] == [
            "farthing-need-voucher", "farthing-receipt", "closed",
        ]  # fmt: skip
        assert words[-1][1] == 4402
        await asyncio.wait_for(feed.closed.wait(), 10)
        assert shop.metering.find(buyer.session).count == 2


async def test_what_a_service_would_count_itself_is_no_socket_behind_the_proxy(tmp_path: Path):
    feed = Feed(10)
    async with behind_a_proxy(tmp_path, feed, "token") as (_, buyer):
        refused = await buyer.open(6)
        assert (refused.status_code, feed.sent) == (501, 0)
