"""Event streams and exports are bounded for each owner, each address and all, on real sockets."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from farthing.services.desk import Desk
from farthing.settings import LimitSettings
from farthing.web.app import HubApp
from farthing.web.guard import Guard
from tests.web.behind_guard import Client, client, clients, guarding, problem_in, until

from .statements import Statements
from .test_streams import listening
from .town import Town, open_town


@contextlib.asynccontextmanager
async def served(
    town: Town, guard: Guard | None = None, listener: Any = None, **limits: int
) -> AsyncIterator[tuple[int, Desk]]:
    """Serve the town's hub over sockets, with limits of one's own."""
    config = msgspec.structs.replace(town.hub.desk.config, limits=LimitSettings(**limits))
    desk = dataclasses.replace(town.hub.desk, config=config)
    async with guarding(HubApp(desk), guard or Guard(), listener) as port:
        yield port, desk


async def follow(one: Client, town: Town, who: str, path: str = "/v1/events") -> bytes:
    """Ask for a long answer, and give how it begins."""
    key = f"Authorization: Bearer {town.keys[who]}\r\n"
    await one.send(f"GET {path} HTTP/1.1\r\nHost: hub\r\n{key}\r\n".encode())
    return await one.reader.read(65536)


@contextlib.asynccontextmanager
async def deaf(port: int) -> AsyncIterator[Client]:
    """Connect so that hardly anything is taken in that is not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    yield Client(reader, writer)
    writer.close()


async def test_an_owner_has_so_many_streams_whatever_its_keys_and_others_have_theirs(
    tmp_path: Path,
):
    here = ["127.0.0.1"] * 5
    async with (
        open_town(tmp_path) as town,
        served(town, streams_per_owner=3) as (port, desk),
        clients(port, here) as [first, second, third, fourth, other],
    ):
        for one, who in ((first, "buyer.read"), (second, "buyer.owner"), (third, "buyer.read")):
            assert (await follow(one, town, who)).startswith(b"HTTP/1.1 200 ")
        refused = await follow(fourth, town, "buyer.read")
        assert problem_in(refused) == (429, "too-much-at-once")
        assert (await follow(other, town, "seller.read")).startswith(b"HTTP/1.1 200 ")
        first.writer.close()
        await until(lambda: desk.streams.open == 3)
        answer = await follow(fourth, town, "buyer.read", "/v1/payments/export")
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_an_address_has_so_many_streams_whoever_asks_from_there(tmp_path: Path):
    there = ["127.0.0.2"] * 3
    async with (
        open_town(tmp_path) as town,
        served(town, streams_per_address=2) as (port, _),
        clients(port, there) as [first, second, third],
        client(port, "127.0.0.3") as elsewhere,
    ):
        for one, who in ((first, "buyer.read"), (second, "seller.read")):
            assert (await follow(one, town, who)).startswith(b"HTTP/1.1 200 ")
        refused = await follow(third, town, "operator")
        assert problem_in(refused) == (429, "too-much-at-once")
        assert (await follow(elsewhere, town, "operator")).startswith(b"HTTP/1.1 200 ")


async def test_of_all_streams_together_nobody_takes_the_last_ones_and_then_it_is_503(
    tmp_path: Path,
):
    async with (
        open_town(tmp_path) as town,
        served(town, streams_max=3) as (port, desk),
        clients(port, ["127.0.0.1"] * 6) as some,
    ):
        told = [await follow(one, town, "buyer.read") for one in some[:3]]
        assert [answer[9:12] for answer in told] == [b"200", b"200", b"429"]
        assert (await follow(some[3], town, "seller.read")).startswith(b"HTTP/1.1 200 ")
        refused = await follow(some[4], town, "operator")
        assert problem_in(refused) == (503, "too-busy")
        assert desk.streams.open == 3


async def test_who_does_not_read_a_stream_or_an_export_is_hung_up_on(tmp_path: Path):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # Else the system takes it all.
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    async with open_town(tmp_path) as town:
        await asyncio.gather(*(town.pay(1) for _ in range(300)))
        guard = Guard(stall_seconds=0.4)
        async with served(town, guard, listener) as (port, desk):
            for path in ("/v1/events?after=0", "/v1/payments/export"):
                async with client(port) as hearing, deaf(port) as idle:
                    await follow(hearing, town, "seller.read")
                    await follow(idle, town, "buyer.read", path)
                    await until(lambda: guard.unread.bytes)
                    await until(lambda: desk.streams.open == 1)
                    await until(lambda: guard.places.held == 1)
                await until(lambda: desk.streams.open == 0)


async def questions(town: Town, statements: Statements, followers: int) -> int:
    """Count how often the books are asked for events while ten payments are told to followers."""
    async with contextlib.AsyncExitStack() as stack:
        heard = [
            await stack.enter_async_context(listening(town, "seller.read"))
            for _ in range(followers)
        ]
        statements.taken()
        for number in range(10):
            await town.pay(number + 1)
            for one in heard:
                assert (await one.next())["body"]["captured"] == str(number + 1)
        return sum("FROM events" in ran for ran in statements.taken())


async def test_many_who_follow_cost_the_books_no_more_questions_than_one(tmp_path: Path):
    with Statements() as statements:
        async with open_town(tmp_path) as town:
            alone = await questions(town, statements, 1)
            assert 0 < await questions(town, statements, 20) <= alone + 10
