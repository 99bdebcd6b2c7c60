"""Several real hubs over one PostgreSQL, and clients that ask another hub where one fails them."""

import asyncio
import functools
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.crashing import CrashingHub

CLIENTS = 6
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 120


class Neighbour(CrashingHub):
    """Another hub on the same books: it has the same keys, and a folder of its own."""

    def __init__(self, folder: Path, first: CrashingHub, books: str):
        folder.mkdir()
        shutil.copytree(first.folder / "keys", folder / "keys")
        self._settle_in(folder, books)


class ManyHubs(CrashingHub):
    """Hubs whose clients go on until they are answered, at whichever hub answers.

    Shape: `urls` is where clients ask, one for each hub: a test may stand between. `repeated`
           counts what had to be asked again.
    """

    def __init__(self, folder: Path, books: str, count: int = 2):
        first = folder / "0"
        first.mkdir()
        super().__init__(first, books)
        more = [Neighbour(folder / str(i), self, books) for i in range(1, count)]
        self.hubs: list[CrashingHub] = [self, *more]
        self.urls = [hub.url for hub in self.hubs]
        self.repeated = 0
        self._turn = 0

    def start_all(self):
        """Start all hubs, and wait until each takes payments."""
        for hub in self.hubs:
            hub.begin()
        for hub in self.hubs:
            hub.wait_ready()

    def stop_all(self):
        """End all hubs however they stand."""
        for hub in self.hubs:
            hub.stop()

    async def ask(self, client, path, **body):
        """Ask one hub, and the next one while none has answered."""
        self._turn += 1
        turns = itertools.count(self._turn)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (answer := await self._answer(client, next(turns), path, body)) is None:
                self.repeated += 1
                await asyncio.sleep(_PAUSE_SECONDS)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def _answer(self, client, turn: int, path: str, body: Any) -> httpx.Response | None:
        """Ask the hub whose turn it is; None where it says nothing, or to ask again."""
        try:
            answer = await client.post(self.urls[turn % len(self.urls)] + path, json=body)
        except httpx.TransportError:
            return None
        return None if answer.status_code in (503, 504) else answer

    async def work(self, until: Callable[[], bool]):
        """Pay in every way from several clients, each going on until it is answered."""
        async with self.client() as client:

            async def pay(held):
                await self.pay(client, self.order(held=held))

            async def batch():
                await self.pay_together(client, [self.order(held=False) for _ in range(5)])

            async def keep_on(once):
                while not until():
                    await once()

            ways = [functools.partial(pay, i % 3 == 0) for i in range(CLIENTS)]
            ways += [batch, *(functools.partial(drawer.draw, client) for drawer in self.drawers)]
            async with asyncio.TaskGroup() as group:
                for once in ways:
                    group.create_task(keep_on(once))

    async def make_ready(self) -> None:
        """Start all hubs, with devices and sessions to pay by."""
        self.start_all()
        await self.furnish()
        await self.open_sessions()

    async def stand_in(self) -> None:
        """Kill all hubs but the first under load, one after the other: the others go on."""
        await self.make_ready()

        async def trouble():
            for hub in self.hubs[1:]:
                hub.kill()
                await self.go_on()

        await self.disturbed(trouble)
        assert self.repeated > 0
        await self.all_is_well()

    def paid(self) -> int:
        """Count what clients know to be paid."""
        return sum(sent.done for sent in self.sent)

    async def go_on(self, more: int = 40):
        """Wait until so many more were paid."""
        before = self.paid()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while self.paid() < before + more:  # noqa: ASYNC110 - payments tell nobody
                await asyncio.sleep(0.01)

    async def disturbed(self, trouble) -> None:
        """Work while `trouble` comes, and until a while after it."""
        over: list[bool] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(self.work(lambda: bool(over)))
            await self.go_on()
            await trouble()
            await self.go_on()
            over.append(True)

    async def all_is_well(self):
        """Close the sessions, stop, audit at each hub, and compare with what clients know."""
        async with self.client() as client:
            for drawer in self.drawers:
                await drawer.close(client)
        self.stop_all()
        assert all(sent.done for sent in self.sent)
        report = await self.check()
        assert report.payments == len(self.sent) + len(self.drawers)
        for hub in self.hubs[1:]:
            hub.farthing("audit")
