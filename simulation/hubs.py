"""A hub and the machine under it: it is opened, it ends at any step, and it is opened again."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from farthing.app import Ground, Hub, KeyRing, open_hub
from farthing.config import BooksSettings, Config, LimitSettings
from farthing.web.app import HubApp, LocalOperator
from simulation.disk import Disk
from simulation.loop import SeededLoop, at_place
from simulation.stillness import STILL
from simulation.turns import Turns
from simulation.wire import BROKEN, App, Request

if TYPE_CHECKING:
    from simulation.network import Exchange

_LIMITS = LimitSettings(address_per_second=0, key_per_second=1_000_000, failures_per_minute=0)


class HubMachine:
    """One hub's machine: its disk, its clock, and the hub's lives one after the other.

    Shape: `unanswered` are the requests that it works on; `on_end` hears of each end, by
           kind, and `on_doom` why it cannot go on.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        loop: SeededLoop,
        luck: Random,
        *,
        on_end: Callable[..., None],
        on_doom: Callable[[str], None],
    ) -> None:
        self.name, self._loop = name, loop
        self._on_end, self._on_doom = on_end, on_doom
        self._config = Config(
            folder=str(folder), books=BooksSettings(own_process="never"), limits=_LIMITS
        )
        self.disk = Disk(f"{name}-{folder.name}", Random(luck.random()), self.end)
        self.books = str(folder / "farthing.db")
        self.context, self.place, self.lives = at_place(name), name, 0
        self.hub: Hub | None = None
        self._apps: tuple[App, App] | None = None
        self.identity = ""
        self.unanswered: set[Exchange] = set()
        KeyRing(folder / "keys").create()

    def clock(self) -> int:
        """Read the machine's clock."""
        return STILL.now_ns()

    def app_for(self, request: Request) -> App | None:
        """Give what answers a request; None while the hub is down."""
        return None if self._apps is None else self._apps[request.operator]

    async def open(self) -> None:
        """Begin the hub's next life."""
        self.lives += 1
        self.place = f"{self.name}/{self.lives}"
        self.context = at_place(self.place)
        ground = Ground(self._turns, self.disk.name)
        opening = open_hub(self._config, clock=self.clock, ground=ground)
        try:
            hub = await self._loop.create_task(opening, context=self.context)
        except Exception as fault:
            self._on_doom(f"{self.name} cannot be opened again: {fault!r}")
            return
        self.hub = hub
        self.identity = hub.ctx.identity.hub
        app = HubApp(hub.desk)
        self._apps = (app, LocalOperator(app))

    def end(self, kind: str) -> None:
        """End the hub here and now, and open it again after a while."""
        if self.hub is None:
            return
        hub, self.hub, self._apps = self.hub, None, None
        unsynced, waiting = self.disk.unsynced, list(self.unanswered)
        self.unanswered.clear()
        self._loop.drop(self.place)
        self._end_disk(kind)
        # What the hub itself is in the middle of must not be closed under it.
        self._loop.call_later(0.5, self._bury, hub, context=at_place("world"))
        for exchange in waiting:
            if kind == "killed":
                exchange.hear(BROKEN)
        self._on_end(kind, self, unsynced, waiting)

    def _end_disk(self, kind: str) -> None:
        self.disk.spare()
        if kind == "killed":
            self.disk.end_process()
        else:
            self.disk.cut()

    def _bury(self, hub: Hub) -> None:
        self.disk.closing = True
        with contextlib.suppress(Exception):
            hub.ctx.database.close()
        hub.heads.close()
        self.disk.closing = False
        self.disk.power_on()
        self._loop.create_task(self.open())

    async def close(self) -> None:
        """End the hub as its operator does."""
        if self.hub is not None:
            hub, self.hub, self._apps = self.hub, None, None
            await self._loop.create_task(hub.close(), context=self.context)

    async def up(self) -> None:
        """Wait until it is open."""
        while self._apps is None:
            await asyncio.sleep(0.1)

    def _turns(self, count: int, name: str) -> Turns:
        return Turns(count, name, lambda _: self._loop.turn_seconds())
