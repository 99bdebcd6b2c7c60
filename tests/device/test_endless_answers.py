"""Sellers and hubs that answer without end, or with a little that unpacks to a lot."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from farthing import asking
from farthing.device import Client
from farthing.device.hub_calls import ANSWER_BYTES_MAX, look_up
from farthing.errors import OutcomeUnknown
from farthing.web.hub_offers import HubOffers
from farthing.web.remote_hub import RemoteHub

from .world import HUB_URL, SHOP, Clock, World, a_purse, credential, patience

PART = b" " * 65_536
BOMB = gzip.compress(bytes(50_000_000))


class Drips(httpx.AsyncByteStream):
    """A body that is counted as it is read; endless if its last part is to be repeated."""

    def __init__(self, *parts: bytes, endless: bool = False, fault: Any = None) -> None:
        self.parts, self.endless, self.fault = parts, endless, fault
        self.given, self.closed = 0, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.given += len(part)
            yield part
        while self.endless:
            self.given += len(self.parts[-1])
            yield self.parts[-1]
        if self.fault:
            raise self.fault

    async def aclose(self) -> None:
        self.closed = True


class Answers(httpx.AsyncBaseTransport):
    """Passes on to a world, but puts another body under what a test picks."""

    def __init__(self, world: World, body: Drips, coding: str = "", status: int = 0) -> None:
        self.inner, self.body = httpx.ASGITransport(world), body
        self.coding, self.status = coding, status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        paying = bool(credential(request))
        if paying != bool(self.status) or request.url.host == "hub.example":
            return answer
        coded = [("content-encoding", self.coding)] if self.coding else []
        kept = [*answer.headers.multi_items(), *coded]
        return httpx.Response(self.status or answer.status_code, headers=kept, stream=self.body)


def fetched(body: Drips, coding: str = "", status: int = 0) -> tuple[int, World, bytes]:
    """Ask a shop for a page whose 402 (or, with a status, whose paid answer) has this body."""
    clock = Clock()
    world = World(clock)
    world.status = status if status == 404 else 200  # A 404 costs nothing here.
    purse = a_purse(world, None)

    async def run() -> tuple[int, World, bytes]:
        transport = Answers(world, body, coding, status)
        async with (
            Client(purse, patience=patience(clock), transport=transport) as http,
            http.stream("GET", f"{SHOP}/weather") as answer,
        ):
            read = b""
            if not body.endless:
                read = b"".join([part async for part in answer.aiter_raw()])
            return answer.status_code, world, read

    return asyncio.run(run())


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br", "zstd"])
def test_a_price_is_paid_whatever_is_below_it(coding: str):
    body = Drips(PART, endless=True)
    status, world, _ = fetched(body, coding)
    assert (status, world.served) == (200, 1)
    assert body.given <= ANSWER_BYTES_MAX + 2 * len(PART)
    assert body.closed


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_an_error_without_end_is_not_kept_and_can_still_be_read(coding: str):
    body = Drips(PART, endless=True)
    assert fetched(body, coding, status=404)[0] == 404
    assert body.given <= ANSWER_BYTES_MAX + 2 * len(PART)
    assert body.closed


def test_a_bomb_is_not_unpacked_and_is_passed_on_as_it_came():
    unpacked = zlib.decompressobj(31).decompress(BOMB, ANSWER_BYTES_MAX)
    assert len(unpacked) == ANSWER_BYTES_MAX
    assert fetched(Drips(BOMB[:100], BOMB[100:]), "gzip", status=404)[2] == BOMB


@pytest.mark.parametrize("broken", [BOMB[:-9], b"no gzip at all"])
def test_what_does_not_unpack_is_no_problem_and_passed_on(broken: bytes):
    assert fetched(Drips(broken), "gzip", status=404)[2] == broken


@pytest.mark.parametrize(
    ("coding", "pack"), [("", bytes), ("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_problem_is_understood_and_still_there_to_be_read(coding: str, pack: Any):
    with pytest.raises(OutcomeUnknown):  # It was waited for, which a plain 409 is not.
        fetched(Drips(pack(b'{"code": "payment-in-progress"}')), coding, status=409)
    plain = pack(b"plain")
    assert fetched(Drips(plain, b""), coding, status=404)[2] == plain


def test_an_error_that_broke_off_breaks_off_again_for_who_reads_it():
    with pytest.raises(httpx.ReadError, match="cut"):
        fetched(Drips(b"half", fault=httpx.ReadError("cut")), status=404)


class Hub(httpx.AsyncBaseTransport):
    """A hub that answers everything with one body."""

    def __init__(self, body: Drips, coding: str = "") -> None:
        self.body, self.coding = body, coding
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers["accept-encoding"])
        headers = {"content-encoding": self.coding} if self.coding else {}
        return httpx.Response(200, headers=headers, stream=self.body)


def endless() -> list[Hub]:
    """Give hubs that answer too much."""
    return [Hub(Drips(PART, endless=True)), Hub(Drips(BOMB), "gzip")]


async def test_a_hub_that_answers_too_much_was_not_heard():
    clock = Clock()
    purse = a_purse(World(clock), None)
    for hub in endless():
        assert await look_up(hub, purse, "pay_x", clock) is None
        async with httpx.AsyncClient(transport=hub, base_url=HUB_URL) as client:
            with pytest.raises(OutcomeUnknown):
                await RemoteHub(client).void("pay_x", "why")
            with pytest.raises(asking.AnswerTooLong, match="compressed" if hub.coding else "more"):
                await asking.ask(client, client.build_request("GET", "/"))
            await HubOffers(client, "acc_x", {}, []).refresh()  # The old prices stand.
        assert set(hub.asked) == {"identity"}
        assert hub.body.given <= 6 * (asking.LIST_BYTES_MAX + 2 * len(PART))
        assert hub.body.closed


async def test_lines_come_one_by_one_and_are_bounded():
    answer = httpx.Response(200, stream=Drips(b"a\nb", b"c\n\nd", b"x\n"))
    assert [line async for line in asking.lines(answer, 10)] == [b"a", b"bc", b"", b"dx"]
    answer = httpx.Response(200, stream=Drips(b"ok\n", PART, endless=True))
    with pytest.raises(asking.AnswerTooLong):
        print([line async for line in asking.lines(answer, 2)])
    answer = httpx.Response(200, stream=Drips(b"ok\n", PART, endless=True))
    assert await anext(asking.lines(answer, ANSWER_BYTES_MAX)) == b"ok"


def test_before_anything_is_sold_a_hub_is_asked_as_carefully():
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([PART] * 100))

    with httpx.Client(transport=httpx.MockTransport(answer), base_url=HUB_URL) as client:
        with pytest.raises(asking.AnswerTooLong):
            asking.ask_now(client, "/", ANSWER_BYTES_MAX)
        assert len(asking.ask_now(client, "/", 100 * len(PART)).content) == 100 * len(PART)
