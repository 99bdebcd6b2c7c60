"""A WebSocket that a device buys: its handshake paid, or vouchers as it runs."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.codec import to_base64url
from farthing.device import WillNotPay, bought_socket, paid
from farthing.device.bought_socket import LOST, TOO_LONG, UNREAD_MAX, BoughtSocket
from farthing.errors import Unavailable
from tests.web.metered_shop import PRICES, metered_shop

FLAT = """
[[offer]]
path = "/flat"
price = "0.0015 USD"
"""
WS = "farthing.web.placed_socket:PlacedSocket"


class Feed:
    """Sends readings over `/readings`, an echo of what comes first; closes with a code."""

    def __init__(self, count: int = 10, size: int = 1) -> None:
        self.count, self.size, self.heard = count, size, []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await receive()
        chosen = (scope["subprotocols"] or [None])[0]
        await send({"type": "websocket.accept", "subprotocol": chosen})
        for n in range(self.count):
            await send({"type": "websocket.send", "text": f"{n}".rjust(self.size)})
        message = await receive()
        while message["type"] == "websocket.receive":
            self.heard.append(message.get("text") or message.get("bytes"))
            if message.get("text") == "enough":
                await send({"type": "websocket.close", "code": 4001, "reason": "as told"})
                return
            await send({**message, "type": "websocket.send"})
            message = await receive()


@contextlib.asynccontextmanager
async def buying(folder: Path, feed: Feed, **more: Any):
    async with metered_shop(folder, feed, PRICES + FLAT, ws=WS) as (shop, url), shop.client() as c:
        session = c.session(url, **({"deposit": "0.0005 USD"} | more))
        async with session as bought:
            yield shop, url, c, bought


async def test_a_handshake_is_paid_once_and_messages_pass_both_ways(tmp_path: Path):
    feed = Feed(1)
    async with buying(tmp_path, feed) as (_, url, client, _):
        asked = f"ws{url.removeprefix('http')}/flat"
        async with client.socket(asked, subprotocols=["tea", "coffee"]) as socket:
            made = paid(socket.response)
            assert made is not None and made.amount.units == 1500
            assert client.paying.purse.journal.unresolved() == []  # An open socket is delivered.
            assert socket.subprotocol == "tea"
            assert await socket.receive() == "0"
            for said in ("hello", b"\x00bytes", "x" * 100_000):
                await socket.send(said)
                assert await socket.receive() == said
            await socket.send("enough")
            assert await socket.receive() is None and await socket.receive() is None
            assert (socket.code, socket.reason) == (4001, "as told")
            with pytest.raises(Unavailable) as closed:
                await socket.send("more")
            assert closed.value.code == "socket-closed"
        async with client.socket(asked) as socket:
            again = paid(socket.response)
            assert again is not None and again.payment != made.payment


@pytest.mark.parametrize("tick", [None, "0.000003 USD"])
async def test_vouchers_or_ticks_follow_as_the_seller_asks_for_them(tmp_path: Path, tick: Any):
    feed = Feed(40)
    async with buying(tmp_path, feed, tick=tick) as (shop, _, _, bought):
        async with bought.socket("/readings") as socket:
            said = [await socket.receive() for _ in range(40)]
            assert said == [str(n) for n in range(40)]
            await socket.send("enough")
            assert [message async for message in socket] == []
        assert feed.heard == ["enough"]
        assert (bought.state["count"], bought.state["owed"]) == ("40", "60")
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == 40
        assert (meter.sequence == 1) == bool(tick)
        session = bought.session
        await bought.close()
        assert (await shop.session(session))["captured"] == "60"


async def test_a_seller_that_has_lost_the_ladder_is_shown_its_voucher_again(tmp_path: Path):
    async with (
        buying(tmp_path, Feed(6), tick="0.000003 USD") as (_, _, _, bought),
        bought.socket("/readings") as socket,
    ):
        await socket.receive()
        kept = bought._sessions.files.read(bought.session)
        bought._sessions.promise(bought.session, kept.promised + 1)  # The ladder is left,
        shown = bought._sessions.climb(bought.session, kept.promised + 2, 3)  # for a new one
        bought._heard = f"{bought.session} {to_base64url(shown.voucher)}"  # that was never sent.
        said = [await socket.receive() for _ in range(5)]
        assert said == ["1", "2", "3", "4", "5"]


async def test_what_is_ahead_is_promised_along(tmp_path: Path):
    async with (
        buying(tmp_path, Feed(40), ahead="0.0001 USD") as (shop, _, _, bought),
        bought.socket("/readings") as socket,
    ):
        await socket.receive()
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.units == 102
        assert meter.sequence == 1


async def test_no_more_is_promised_than_the_deposit(tmp_path: Path):
    async with buying(tmp_path, Feed(40), deposit="0.000030 USD") as (shop, _, _, bought):
        async with bought.socket("/readings") as socket:
            with pytest.raises(WillNotPay):
                async for _ in socket:
                    pass
            assert await socket.receive() is None
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.units == 30


async def test_what_opens_no_socket_is_told(tmp_path: Path):
    async with buying(tmp_path, Feed()) as (_, url, client, _):
        with pytest.raises(Unavailable) as refused:
            async with client.socket(f"{url}/readings"):
                pass
        assert (refused.value.code, refused.value.more["answered"]) == ("no-socket", 402)


async def test_a_message_that_is_too_long_and_a_socket_that_is_lost_end_it(tmp_path: Path):
    async with (
        buying(tmp_path, Feed(1, size=2**21)) as (_, url, client, _),
        client.socket(f"{url}/flat") as socket,
    ):
        assert await socket.receive() is None
        assert socket.code == TOO_LONG
    async with (
        buying(tmp_path / "2", Feed(1)) as (_, url, client, _),
        client.socket(f"{url}/flat") as socket,
    ):
        await socket.receive()
        await socket.response.extensions["network_stream"].aclose()
        assert await socket.receive() is None
        assert socket.code == 1006


async def test_a_caller_that_takes_nothing_can_close(tmp_path: Path):
    async with buying(tmp_path, Feed(300)) as (_, url, client, _):
        async with asyncio.timeout(20):
            async with client.socket(f"{url}/flat") as socket:
                assert await socket.receive() == "0"


class Pouring(Feed):
    """Sends readings as fast as they are taken, and counts their bytes."""

    def __init__(self) -> None:
        super().__init__(count=10**6, size=50_000)
        self.sent = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counted(message: Any) -> None:
            await send(message)
            self.sent += len(message.get("text") or "")

        await super().__call__(scope, receive, counted)

    async def stands(self, most: int) -> int:
        """Wait until nothing more is taken; it may never be more than so many bytes."""
        before = -1
        while before != self.sent:
            before = self.sent
            assert before < most
            await asyncio.sleep(0.5)
        return self.sent


async def test_a_caller_that_takes_nothing_stops_the_seller_and_no_memory_is_filled(tmp_path: Path):
    feed = Pouring()
    kept = UNREAD_MAX * feed.size
    async with (
        buying(tmp_path, feed) as (_, url, client, _),
        client.socket(f"{url}/flat") as socket,
    ):
        assert (await socket.receive()).strip() == "0"
        stood = await feed.stands(kept + 12 * 2**20)
        assert stood >= kept
        while feed.sent == stood:
            await socket.receive()


PING, PONG, WORD = 0x89, b"\x8a\x00", b"\x81\x02on"


class Silent:
    """A connection over which nothing comes but what is asked for. Shape: silent where None."""

    def __init__(self, *comes: bytes | None) -> None:
        self.comes, self.said = list(comes), []

    async def read(self, _most: int) -> bytes:
        if not self.comes or (came := self.comes.pop(0)) is None:
            return await asyncio.Future[bytes]()
        return came

    async def write(self, raw: bytes, _timeout: float) -> None:
        self.said.append(raw[0])


async def test_a_silent_seller_is_asked_whether_it_is_there_and_left_if_it_is_not(monkeypatch):
    monkeypatch.setattr(bought_socket, "SILENT_SECONDS", 0.01)
    line = Silent(None, PONG, None, PONG, WORD)
    socket = BoughtSocket(httpx.Response(101, extensions={"network_stream": line}))
    assert await socket.receive() == "on"
    assert await socket.receive() is None
    assert socket.code == LOST
    assert line.said[:3] == [PING] * 3
    await socket.close()
