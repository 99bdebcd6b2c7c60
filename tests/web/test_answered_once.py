"""A metered route answers once, whatever fails while its handler runs."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from wsproto import events

from farthing.errors import FarthingError, Unavailable
from tests.web.metered_shop import MeteredShop, metered_shop
from tests.web.shop import serving
from tests.web.test_metered_kinds import prices
from tests.web.test_metered_socket import Feed, buying


class Heard:
    """An app before another one, which notes what that one answers."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.messages: list[Any] = []
        self.over = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            self.messages.append(message)
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            if self.began[-1:] != [402]:
                self.over.set()

    @property
    def began(self) -> list[int]:
        return [m["status"] for m in self.messages if m["type"] == "http.response.start"]


class Gated:
    """A handler that sends a part, waits until it may go on, and then fails or sends another."""

    def __init__(self, fault: Exception | None = None, told: str = "") -> None:
        self.fault, self.told = fault, told
        self.gate, self.sent = asyncio.Event(), asyncio.Event()
        self.raised: list[str] = []
        self.before: Callable[[], None] | None = None

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        fields = [(b"farthing-count", self.told.encode())] if self.told else []
        if self.before is not None:
            self.before()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": fields})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            self.sent.set()
            await self.gate.wait()
            if self.fault is not None:
                raise self.fault
            await send({"type": "http.response.body", "body": b"more", "more_body": False})
        except Exception as fault:
            self.raised.append(type(fault).__name__)
            raise


@contextlib.asynccontextmanager
async def asking(
    folder: Path, handler: Any, written: str
) -> AsyncGenerator[tuple[MeteredShop, Heard, Any]]:
    """Give a shop, what it answers, and a device's session with it."""
    async with metered_shop(folder, handler, written) as (shop, _), shop.client() as client:
        heard = Heard(shop)
        async with serving(heard) as url:
            yield shop, heard, client.session(url, "0.0005 USD", ahead="0.0001 USD")


def lose_disk(shop: MeteredShop) -> None:
    """Take the file of meters away: nothing can be written to it until it is opened anew."""
    (shop.folder / "meters.db-wal").unlink()


async def broken_off(heard: Heard, bought: Any, meanwhile: Any) -> None:
    """Ask for what breaks off after its first part, and let that happen."""
    with pytest.raises(httpx.RemoteProtocolError):
        async with bought.stream("GET", "/film") as answer:
            await meanwhile()
            await answer.aread()
    await asyncio.wait_for(heard.over.wait(), 20)


async def test_an_answer_whose_session_is_closed_meanwhile_is_broken_off(tmp_path: Path):
    handler = Gated()
    async with asking(tmp_path, handler, prices("byte")) as (shop, heard, bought):

        async def close() -> None:
            await handler.sent.wait()
            path = f"/v1/sessions/{bought.session}/close"
            await shop.town.made("POST", path, {}, who="seller.seller")
            await shop.metering.look_again()
            handler.gate.set()

        await broken_off(heard, bought, close)
        assert heard.began == [402, 200]
        assert handler.raised == ["AnswerStopped"]


async def test_a_handler_that_fails_late_is_not_answered_for(tmp_path: Path):
    handler = Gated(Unavailable("no-film", "the reel broke"))
    async with asking(tmp_path, handler, prices("byte")) as (_, heard, bought):

        async def fail() -> None:
            handler.gate.set()

        await broken_off(heard, bought, fail)
        assert heard.began == [402, 200]


async def test_bytes_that_cannot_be_counted_are_not_sent_and_not_owed(tmp_path: Path):
    handler = Gated()
    async with asking(tmp_path, handler, prices("byte")) as (shop, heard, bought):

        async def lose_the_disk() -> None:
            await handler.sent.wait()
            lose_disk(shop)
            handler.gate.set()

        await broken_off(heard, bought, lose_the_disk)
        assert heard.began == [402, 200]
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == len(b"part")
        await shop.restart()


async def test_a_count_that_cannot_be_written_down_is_answered_503_once(tmp_path: Path):
    handler = Gated(told="5")
    async with asking(tmp_path, handler, prices("handler")) as (shop, heard, bought):
        handler.before = lambda: lose_disk(shop)
        answer = await bought.get("/film")
        assert answer.status_code == 503
        assert heard.began == [402, 503]
        assert handler.raised == ["AnswerStopped"]
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == 0
        await shop.restart()


async def test_what_cannot_be_kept_is_answered_503_before_a_handler_runs(tmp_path: Path):
    handler = Gated()
    async with asking(tmp_path, handler, prices("byte")) as (shop, heard, bought):
        first = await bought._begin("GET", "/film", {}, {})
        await handler.sent.wait()
        lose_disk(shop)
        again = {"idempotency-key": "key-of-16-letters"}
        answers = [await bought.get("/film", headers=h) for h in ({}, again, again)]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert heard.began == [402, 200, 503, 503, 503]
        await first.aclose()
        handler.gate.set()
        await shop.restart()


class Breaks(Feed):
    """A feed that fails after it has opened."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(0)
        self.fault = fault

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await super().__call__(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "reading 0"})
        raise self.fault


@pytest.mark.parametrize("fault", [FarthingError("wrong", "lost"), ValueError("lost")])
async def test_a_socket_whose_app_fails_ends_with_its_receipt_and_says_so(
    tmp_path: Path, fault: Exception
):
    async with buying(tmp_path, Breaks(fault)) as (shop, buyer):
        heard = Heard(shop)
        async with serving(heard, ws="wsproto") as url:
            buyer.port = int(url.rsplit(":", 1)[1])
            assert isinstance(await buyer.open(9), events.AcceptConnection)
            assert await buyer.told() == ("reading", "0")
            assert (await buyer.told())[0] == "farthing-receipt"
            assert await buyer.told() == ("closed", 1011)
            await asyncio.wait_for(heard.over.wait(), 20)
            assert [m["type"] for m in heard.messages] == [
                "websocket.accept",
                "websocket.send",
                "websocket.send",
                "websocket.close",
            ]


class Twice:
    """A handler that begins two answers."""

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for _ in range(2):
            await send({"type": "http.response.start", "status": 200, "headers": []})


async def test_a_handler_that_begins_twice_is_counted_and_answered_once(tmp_path: Path):
    async with asking(tmp_path, Twice(), prices("request")) as (shop, heard, bought):

        async def nothing() -> None:
            pass

        await broken_off(heard, bought, nothing)
        assert heard.began == [402, 200]
        meter = shop.metering.find(bought.session)
        assert meter is not None and meter.count == 1
