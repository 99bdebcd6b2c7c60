"""WebSockets through the proxy: carried as they are, bounded, and ended when a side is gone."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from wsproto import events

from farthing.web.guard import Guard
from farthing.web.proxy import ReverseProxy
from farthing.web.trust import Trust

from .behind_guard import guarding, until
from .shop import Shop, selling, serving
from .sockets import Wire, opening, service

WS = "farthing.web.placed_socket:PlacedSocket"
KIB = 1024


@contextlib.asynccontextmanager
async def proxied(serve: Any, guard: Guard | None = None, **more: Any) -> AsyncIterator[str]:
    """A service, the proxy before it, and where that listens."""
    settings = {
        "ws": WS,
        "ws_max_size": more.get("socket_message_bytes_max", 256 * KIB),
        "proxy_headers": False,
    }
    async with (
        service(serve) as url,
        guarding(ReverseProxy(url + "/base", **more), guard or Guard(), **settings) as port,
    ):
        yield f"http://127.0.0.1:{port}"


async def echo(wire: Wire) -> None:
    """Say everything back, until the other side closes."""
    wire.put(events.AcceptConnection())
    while isinstance(event := await wire.next(), events.Message):
        wire.put(type(event)(data=event.data))


class Ending:
    """Accepts, and notes how the socket ends."""

    def __init__(self) -> None:
        self.ends: list[Any] = []

    async def __call__(self, wire: Wire) -> None:
        wire.put(events.AcceptConnection())
        while isinstance(event := await wire.next(), events.Message):
            pass
        self.ends.append(event)


async def test_messages_pass_whole_in_both_directions():
    async with proxied(echo) as url, opening(url) as (wire, opened):
        assert isinstance(opened, events.AcceptConnection) and not opened.extensions
        for data in ("hello", "", "ü" * 50_000, b"\x00\xff", bytes(200_000)):
            kind = events.TextMessage if isinstance(data, str) else events.BytesMessage
            wire.put(kind(data=data))
            came = await wire.next()
            assert (type(came), came.data) == (kind, data)


@pytest.mark.rule("asvs.4.4", on="proxy")
async def test_the_handshake_goes_on_as_it_was_read_and_its_answer_comes_back():
    seen: list[Any] = []

    async def chooses(wire: Wire) -> None:
        seen.append(wire.request)
        extra = [(b"set-cookie", b"a=1"), (b"date", b"x"), (b"alt-svc", b"h3=:1")]
        wire.put(events.AcceptConnection(subprotocol="two", extra_headers=extra))

    fields = [
        (b"origin", b"https://page.example"),
        (b"cookie", b"s=1"),
        (b"farthing-payer", b"dev_me"),
        (b"x-forwarded-for", b"10.0.0.1"),
    ]
    async with (
        proxied(chooses) as url,
        opening(url, "/fr%65e?a=%2e", fields, subprotocols=["one", "two"]) as (_, opened),
    ):
        assert opened.subprotocol == "two"
        assert dict(opened.extra_headers)[b"set-cookie"] == b"a=1"
        assert b"alt-svc" not in dict(opened.extra_headers)
    [request] = seen
    told = dict(request.extra_headers)
    assert (request.target, request.subprotocols) == ("/base/free?a=%2e", ["one", "two"])
    assert told[b"origin"] == b"https://page.example" and told[b"cookie"] == b"s=1"
    assert told[b"x-forwarded-for"] == b"127.0.0.1"
    assert b"farthing-payer" not in told and not request.extensions


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4001, "enough"), (1005, "")])
async def test_how_a_client_closes_is_carried_to_the_service(code: int, reason: str):
    ending = Ending()
    async with proxied(ending) as url, opening(url) as (wire, _):
        wire.put(events.CloseConnection(code=None if code == 1005 else code, reason=reason or None))
        await until(lambda: ending.ends)
    assert (int(ending.ends[0].code), ending.ends[0].reason or "") == (code, reason)


async def test_a_client_that_is_cut_off_is_no_goodbye_to_the_service():
    ending = Ending()
    async with proxied(ending) as url, opening(url) as (wire, _):
        wire.writer.transport.abort()
        await until(lambda: ending.ends)
    assert ending.ends == [None]


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4002, "sold out"), (1012, "")])
async def test_how_the_service_closes_is_carried_to_the_client(code: int, reason: str):
    async def closes(wire: Wire) -> None:
        wire.put(events.AcceptConnection())
        wire.say("last")
        wire.close(code, reason)
        await wire.next()

    async with proxied(closes) as url, opening(url) as (wire, _):
        assert await wire.text() == "last"
        closed = await wire.next()
    assert (int(closed.code), closed.reason) == (code, reason)


@pytest.mark.parametrize("last", [b"", b"\xff\xff\xff\xff", b"\x88\x02\x03\xf6"])
async def test_a_service_that_breaks_off_or_talks_nonsense_is_told_as_1011(last: bytes):
    async def breaks(wire: Wire) -> None:
        wire.put(events.AcceptConnection())
        wire.say("last")
        wire.writer.write(last)
        await wire.writer.drain()

    async with proxied(breaks) as url, opening(url) as (wire, _):
        assert await wire.text() == "last"
        assert (await wire.next()).code == 1011


async def refuses(wire: Wire) -> None:
    wire.put(events.RejectConnection(status_code=403, headers=[(b"x-why", b"w")], has_body=True))
    wire.put(events.RejectData(data=b"not for you"))


async def test_a_refusal_is_passed_on_with_its_reason():
    async with proxied(refuses) as url, opening(url) as (wire, refused):
        assert (refused.status_code, wire.body) == (403, b"not for you")
        assert (b"x-why", b"w") in refused.headers


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npage", 502),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", 502),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", 502),
        (b"HTTP/1.1 101 Yes\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", 502),
        (b"HTTP/1.1 404 No\r\n\r\n" + bytes(300 * KIB), 502),
        (b"HTTP/1.1 404 No\r\n\r\ngone", 404),
        (b"HELLO\r\n\r\n", 502),
        (b"", 502),
        (None, 504),
    ],
)
async def test_what_opens_no_socket_is_an_error_and_never_a_page(said: bytes | None, status: int):
    async def answers(wire: Wire) -> None:
        if said is None:
            await asyncio.sleep(20)
        wire.writer.write(said)
        await wire.writer.drain()

    async with (
        proxied(answers, head_seconds=1.0 if said is None else 20.0) as url,
        opening(url) as (wire, refused),
    ):
        assert isinstance(refused, events.RejectConnection), refused
        assert refused.status_code == status
        assert b"page" not in wire.body


async def test_a_service_that_is_away_is_a_502():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    front = ReverseProxy(f"http://127.0.0.1:{port}")
    async with serving(front, ws=WS) as url, opening(url) as (wire, refused):
        assert refused.status_code == 502 and b"upstream-failed" in wire.body


async def test_a_message_that_is_too_large_ends_the_socket_on_either_side():
    ending = Ending()
    async with proxied(ending, socket_message_bytes_max=10_000) as url, opening(url) as (wire, _):
        wire.put(events.BytesMessage(data=bytes(10_001)))
        assert (await wire.next()).code == 1009
        await until(lambda: ending.ends)
    assert ending.ends[0].code == 1009

    async def tells_too_much(wire: Wire) -> None:
        wire.put(events.AcceptConnection())
        wire.say("ü" * 5_001)
        ending.ends.append(await wire.next())

    async with proxied(tells_too_much, socket_message_bytes_max=10_000) as url:
        async with opening(url) as (wire, _):
            assert (await wire.next()).code == 1011
        await until(lambda: len(ending.ends) == 2)
    assert ending.ends[1].code == 1009


class Flood:
    """Says as much as is taken, and counts it."""

    def __init__(self, size: int) -> None:
        self.size, self.sent, self.over = size, 0, False

    async def __call__(self, wire: Wire) -> None:
        wire.put(events.AcceptConnection())
        await self.pour(wire)

    async def pour(self, wire: Wire, most: int = 10**9) -> None:
        wire.writer.transport.set_write_buffer_limits(high=0)
        try:
            while self.sent < most:
                wire.put(events.BytesMessage(data=bytes(self.size)))
                await wire.writer.drain()
                await asyncio.sleep(0)
                self.sent += self.size
        except ConnectionError:
            self.over = True

    async def stands(self) -> int:
        """Wait until nothing more is taken."""
        before = -1
        while before != self.sent or not self.sent:
            before = self.sent
            await asyncio.sleep(0.5)
        return self.sent


@pytest.mark.parametrize("size", [500, 50_000])
async def test_a_client_that_does_not_read_stops_the_service_and_no_memory_is_filled(size: int):
    flood = Flood(size)
    async with proxied(flood) as url, opening(url, receive_buffer=8 * KIB) as (wire, _):
        wire.writer.transport.pause_reading()
        assert 0 < await flood.stands() < 12_000 * KIB
        before = flood.sent
        wire.writer.transport.resume_reading()
        while flood.sent == before:
            assert isinstance(await wire.next(), events.BytesMessage)


async def test_a_service_that_does_not_read_stops_the_client_and_is_given_up():
    async def deaf(wire: Wire) -> None:
        wire.put(events.AcceptConnection())
        wire.writer.transport.pause_reading()
        await asyncio.sleep(60)

    flood, guard = Flood(50_000), Guard()
    async with proxied(deaf, guard, stall_seconds=2.0) as url, opening(url) as (wire, _):
        pouring = asyncio.create_task(flood.pour(wire))
        assert (await wire.next()).code == 1011
        assert 0 < flood.sent < 12_000 * KIB
        pouring.cancel()
        await asyncio.gather(pouring, return_exceptions=True)
        wire.writer.close()
        await until(lambda: not guard.places.held, 20)


async def test_a_client_that_does_not_read_is_hung_up_on_and_others_are_served():
    flood, guard = Flood(50_000), Guard(stall_seconds=1.0)

    async def serves(wire: Wire) -> None:
        await (echo if wire.request.target.endswith("/echo") else flood)(wire)

    async with proxied(serves, guard) as url, opening(url, receive_buffer=8 * KIB) as (wire, _):
        wire.writer.transport.pause_reading()
        async with opening(url, "/echo") as (other, _):
            for n in range(20):
                other.say(f"{n}")
                assert await other.text() == f"{n}"
                await asyncio.sleep(0.05)
        await until(lambda: flood.over, 20)
        await until(lambda: not guard.places.held and not guard.unread.bytes, 10)


async def test_one_address_has_its_share_of_sockets_and_gives_them_back():
    ending, trust = Ending(), Trust(["127.0.0.1"])
    one, other = [(b"x-forwarded-for", b"10.0.0.1")], [(b"x-forwarded-for", b"10.0.0.2")]
    async with proxied(ending, sockets_max=2, trust=trust) as url:
        async with opening(url, "/", one):
            async with opening(url, "/", one) as (wire, refused):
                assert refused.status_code == 429 and b"too-much-at-once" in wire.body
            async with opening(url, "/", other) as (_, opened):
                assert isinstance(opened, events.AcceptConnection)
        await until(lambda: len(ending.ends) == 2)
        async with opening(url, "/", one) as (_, opened):
            assert isinstance(opened, events.AcceptConnection)


async def test_messages_that_do_not_end_have_the_room_that_requests_have():
    guard = Guard(requests_bytes_max=150_000)
    async with proxied(echo, guard) as url, opening(url) as (wire, _):
        wire.put(events.BytesMessage(data=bytes(140_000), message_finished=False))
        await until(lambda: guard.requests.held > 100_000)
        async with opening(url) as (other, _):
            other.put(events.BytesMessage(data=bytes(140_000), message_finished=False))
            assert (await other.next()).code == 1013
        wire.put(events.BytesMessage(data=b"end", message_finished=True))
        assert len((await wire.next()).data) == 140_003
        await until(lambda: not guard.requests.held)


async def test_who_sends_pings_and_reads_no_answer_fills_no_memory():
    guard = Guard(stall_seconds=1.0)
    async with proxied(echo, guard) as url, opening(url, receive_buffer=8 * KIB) as (wire, _):
        wire.writer.transport.pause_reading()
        wire.writer.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(20):
                while True:
                    for _ in range(500):
                        wire.put(events.Ping(payload=bytes(125)))
                    await wire.writer.drain()
                    await asyncio.sleep(0)
                    assert guard.unread.bytes < 512 * KIB
        await until(lambda: not guard.places.held, 10)


async def test_everything_ends_when_the_server_does():
    ending = Ending()
    async with service(ending) as upstream:
        front = ReverseProxy(upstream)
        async with contextlib.AsyncExitStack() as clients:
            async with serving(front, ws=WS) as url:
                wires = [await clients.enter_async_context(opening(url)) for _ in range(3)]
            for wire, _ in wires:
                assert (await wire.next()).code == 1012
            await until(lambda: len(ending.ends) == 3)
    assert {int(end.code) for end in ending.ends} == {1012}


async def test_a_service_behind_a_price_list_is_reached_only_where_nothing_is_asked():
    async with service(echo) as upstream:
        shop = Shop()
        async with selling(shop, ReverseProxy(upstream), ws=WS) as client:
            url = str(client.base_url).rstrip("/")
            async with opening(url, "/free") as (wire, _):
                wire.say("hello")
                assert await wire.text() == "hello"
            for target in ("/paid", "/p%61id", "/paid/", "/PAID"):
                async with opening(url, target) as (wire, refused):
                    assert isinstance(refused, events.RejectConnection), target
