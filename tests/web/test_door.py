"""Connections are counted from the moment they are accepted, and no address takes all places."""

import asyncio
import errno
import socket
import ssl
from typing import Any

import pytest

from farthing.web import door
from farthing.web.guard import Guard
from farthing.web.strict_http import StrictHttp
from farthing.web.trust import Trust

from .behind_guard import GET, LAST, client, clients, guarding, problem_in, until
from .shop import Counter, raw, serving


@pytest.mark.rule("owasp-api.4", on="uvicorn")
async def test_beyond_its_places_a_server_says_503_and_each_place_is_given_back():
    guard = Guard(connections_max=3)
    async with guarding(Counter(), guard) as port:
        async with clients(port, ["127.0.0.1"] * 3) as all_in:
            await until(lambda: guard.places.held == 3)
            async with client(port) as late:
                assert problem_in(await late.all()) == (503, "too-busy")
            await all_in[0].send(LAST)
            assert (await all_in[0].all()).startswith(b"HTTP/1.1 200 ")
        await until(lambda: not guard.places.held)
        async with client(port) as again:
            await again.send(LAST)
            assert (await again.all()).startswith(b"HTTP/1.1 200 ")


async def test_one_address_has_its_share_and_another_finds_a_place():
    guard = Guard(connections_max=100, per_address_max=5)
    async with guarding(Counter(), guard) as port, clients(port, ["127.0.0.2"] * 5):
        await until(lambda: guard.places.share("127.0.0.2") == 5)
        async with client(port, "127.0.0.2") as sixth:
            assert problem_in(await sixth.all()) == (429, "too-much-at-once")
        async with client(port, "127.0.0.3") as other:
            await other.send(GET)
            assert (await other.all(0.3)).startswith(b"HTTP/1.1 200 ")


async def test_a_flood_from_many_addresses_leaves_a_place_for_one_more():
    guard = Guard(connections_max=20)
    flood = [f"127.0.0.{n}" for n in range(2, 8)] * 10
    async with guarding(Counter(), guard) as port, clients(port, flood):
        await until(lambda: guard.places.held >= 15)
        async with client(port, "127.0.1.1") as honest:
            await honest.send(GET)
            assert (await honest.all(0.3)).startswith(b"HTTP/1.1 200 ")


async def test_a_trusted_proxy_speaks_for_many():
    guard = Guard(connections_max=20, per_address_max=2, trust=Trust(["127.0.0.5"]))
    async with guarding(Counter(), guard) as port, clients(port, ["127.0.0.5"] * 19):
        await until(lambda: guard.places.held == 19)


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


async def test_handshakes_that_never_begin_take_a_place_and_only_for_a_while(monkeypatch):
    monkeypatch.setattr(door, "HANDSHAKE_SECONDS", 0.3)
    guard, tls = Guard(connections_max=5), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with (
        guarding(Counter(), guard, tls=tls) as port,
        clients(port, ["127.0.0.1"] * 7) as silent,
    ):
        await until(lambda: guard.places.held == 5)
        await until(lambda: guard.places.held == 0)
        assert [await one.all(1) for one in silent] == [b""] * 7


class OutOfFiles(socket.socket):
    """A listener whose system has no more files for it, for a while."""

    left = 3

    def accept(self) -> Any:
        if self.left:
            self.left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_where_no_more_files_can_be_opened_the_server_goes_on_afterwards(caplog):
    listener = OutOfFiles()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    async with guarding(Counter(), Guard(), listener) as port, client(port) as one:
        await one.send(GET)
        assert (await one.all(2)).startswith(b"HTTP/1.1 200 ")
    told = [record for record in caplog.records if record.name == "farthing.door"]
    assert len(told) == 1
    assert "open files" in told[0].getMessage()


async def test_too_many_requests_at_once_are_told_so_in_our_own_format():
    going, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        begun.release()
        await going.wait()
        await Counter()(scope, receive, send)

    async with serving(waits, limit_concurrency=2) as url:
        port = int(url.rpartition(":")[2])
        async with clients(port, ["127.0.0.1"] * 2) as first:
            for one in first:
                await one.send(LAST)
                await begun.acquire()
            assert problem_in(await raw(url, GET, seconds=1)) == (503, "too-busy")
            going.set()
            assert (await first[0].all()).startswith(b"HTTP/1.1 200 ")


async def test_a_request_before_the_last_was_answered_is_not_read_and_not_kept():
    app = Counter(seconds=0.2)
    async with serving(app) as url:
        answer = await raw(url, GET + GET * 5_000, seconds=2)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in answer
        assert app.runs == 1


async def test_a_stream_before_which_more_was_asked_still_ends_with_its_client():
    ended = asyncio.Event()

    async def stream(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b": hello", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    async with serving(stream) as url, client(int(url.rpartition(":")[2])) as one:
        await one.send(GET + GET)
        await asyncio.wait_for(one.reader.readuntil(b": hello"), 20)
        one.writer.close()
        await asyncio.wait_for(ended.wait(), 20)


async def test_a_second_request_that_is_nonsense_is_not_answered_in_the_firsts_place():
    async with serving(Counter(seconds=0.2)) as url:
        answer = await raw(url, GET + b"\x00\x00\x00\x00", seconds=2)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 ") == 1


async def test_who_floods_after_a_refusal_is_not_listened_to_for_long():
    async with serving(Counter()) as url, client(int(url.rpartition(":")[2])) as one:
        await one.send(b"nonsense\r\n\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                one.writer.write(bytes(65536))
                await one.writer.drain()


async def test_a_connection_that_became_something_else_is_watched_no_more():
    made: list[Any] = []

    class Other(asyncio.Protocol):
        def __init__(self, **_named: Any) -> None:
            made.append(self)

    open_before = StrictHttp.open_now
    upgrade = GET[:-2] + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    async with serving(Counter(), ws=Other) as url, client(int(url.rpartition(":")[2])) as one:
        await one.send(upgrade)
        await until(lambda: made)
        assert StrictHttp.open_now == open_before


def test_a_mapped_address_is_counted_as_what_it_is():
    guard = Guard()
    assert guard.who(("::ffff:203.0.113.9", 1)) == "203.0.113.9"
    assert guard.who(("2001:db8::7", 1)) == "2001:db8::/64"
    assert [guard.who(c) for c in (None, ("127.0.0.1", 1), ("::1", 1))] == ["", "", ""]
