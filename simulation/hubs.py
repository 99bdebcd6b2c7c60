"""A hub and the machine under it: it is opened, it ends at any step, and it is opened again."""

import asyncio
import contextlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Protocol

import msgspec

from farthing.app import Ground, Hub, open_hub
from farthing.clock import NS
from farthing.config import Config
from farthing.errors import Unavailable
from farthing.hub_keys import KeyRing
from farthing.settings import BooksSettings, FeeSettings, LimitSettings, RiskSettings
from farthing.web.app import HubApp, LocalOperator
from simulation.disk import Disk
from simulation.heads import lose_end
from simulation.judging import Judging
from simulation.loop import SeededLoop, at_place
from simulation.stillness import STILL
from simulation.turns import Turns
from simulation.wire import BROKEN, App, Door, Request

if TYPE_CHECKING:
    from farthing.web.paywall import Paywall
    from simulation.network import Exchange
    from simulation.shops import Shop

_LIMITS = LimitSettings(address_per_second=0, key_per_second=1_000_000, failures_per_minute=0)
_DOWN_SECONDS, _TRIES = 0.5, 20
_SLOW_SECONDS_MAX = 20.0


class Watcher(Protocol):
    """Who hears what happens to a hub."""

    def ended(self, kind: str, *, waiting: int, unsynced: int) -> None:
        """Hear that it ended, and what was under way."""
        ...

    def befell(self, kind: str) -> None:
        """Hear of a fault that changed something."""
        ...

    def doomed(self, why: str) -> None:
        """Hear that it cannot go on."""
        ...


class HubMachine:
    """One hub's machine: its disk, its clock, and the hub's lives one after the other.

    Shape: `unanswered` are the requests that it works on; `shop` sells in the hub's process.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        loop: SeededLoop,
        luck: Random,
        watcher: Watcher,
        judging: Judging | None = None,
    ) -> None:
        self.judging = judging
        self.name, self.loop, self._luck, self._watcher = name, loop, luck, watcher
        self._config = Config(
            folder=str(folder),
            books=BooksSettings(own_process="never"),
            limits=_LIMITS,
            risk=RiskSettings(mode="off") if judging is None else judging.settings(),
        )
        disk_luck = Random(luck.random())
        self.disk = Disk(
            f"{name}-{folder.name}", disk_luck, on_end=self.end, on_fault=self._disk_failed
        )
        self.books, self.heads = str(folder / "farthing.db"), folder / "heads.log"
        self.keys = KeyRing(folder / "keys")
        self.context, self.place, self.lives = at_place(name), name, 0
        self.hub: Hub | None = None
        self._apps: dict[Door, App] | None = None
        self.shop: Shop | None = None
        self._paywall: Paywall | None = None
        self.identity = self.root_key = ""
        self.skew_seconds, self.slow_until = 0.0, 0.0
        self.other: HubMachine | None = None
        self.unanswered: set[Exchange] = set()
        self.keys.create()

    def clock(self) -> int:
        """Read the machine's clock."""
        return STILL.now_ns() + round(self.skew_seconds * NS)

    @property
    def is_slow(self) -> bool:
        """Whether its disk is slow now."""
        return self.loop.time() < self.slow_until

    def app_for(self, request: Request) -> App | None:
        """Give what answers a request; None while the hub is down."""
        return None if self._apps is None else self._apps.get(request.door)

    async def open(self, tries: int = _TRIES) -> None:
        """Begin the hub's next life; where its disk fails, try again as a supervisor does."""
        self.lives += 1
        self.place = f"{self.name}/{self.lives}"
        self.context = at_place(self.place)
        ground = Ground(self._turns, self.disk.name)
        opening = open_hub(self._config, clock=self.clock, ground=ground)
        try:
            hub = await self.loop.create_task(opening, context=self.context)
        except Exception as fault:
            await self._open_again(fault, tries)
            return
        self.hub, self.identity = hub, hub.ctx.identity.hub
        self.root_key = hub.ctx.identity.root_public
        app = HubApp(hub.desk)
        self._apps = {"hub": app, "operator": LocalOperator(app)}
        if self.shop is not None:
            self.let_sell(self.shop)

    def let_sell(self, shop: "Shop") -> None:
        """Let a shop sell in the hub's process, from here on and in each life to come."""
        self.shop = shop
        if self.hub is not None and self._apps is not None:
            self._apps["shop"] = self._paywall = shop.open(self.hub)

    async def _open_again(self, fault: Exception, tries: int) -> None:
        if isinstance(fault, Unavailable) and tries:
            await asyncio.sleep(_DOWN_SECONDS)
            await self.open(tries - 1)
        else:
            self._watcher.doomed(f"{self.name} cannot be opened again: {fault!r}")

    def end(self, kind: str) -> None:
        """End the hub here and now, and open it again after a while."""
        if self.hub is None:
            return
        hub, self.hub, self._apps = self.hub, None, None
        unsynced, waiting = self.disk.unsynced, sorted(self.unanswered, key=lambda one: one.number)
        if hub.books.is_ahead:
            self._watcher.befell("hold-lost")
        self.unanswered.clear()
        self.loop.drop(self.place)
        self.disk.spare()
        is_power = kind.startswith("power-cut")
        if is_power:
            self.disk.cut()
        else:
            self.disk.end_process()
            for exchange in waiting:
                exchange.hear(BROKEN)  # The system closes the connections of who is gone.
        # What the hub itself is in the middle of must not be closed under it.
        world = at_place("world")
        self.loop.call_later(_DOWN_SECONDS, self._bury, hub, is_power, context=world)
        self._watcher.ended(kind, waiting=len(waiting), unsynced=unsynced if is_power else 0)

    def _bury(self, hub: Hub, is_power: bool) -> None:
        self.disk.closing = True
        with contextlib.suppress(Exception):
            hub.ctx.database.close()
        hub.heads.close()
        self.disk.closing = False
        self.disk.power_on()
        lost = lose_end(self.heads, self._luck) if is_power else ""
        if lost:
            self._watcher.befell(lost)
        self.loop.create_task(self.open())

    async def close(self) -> None:
        """End the hub as its operator does."""
        if self.hub is not None:
            hub, self.hub, self._apps = self.hub, None, None
            while self.unanswered:  # As a server does, it answers what it has taken.
                await asyncio.sleep(0.01)
            if self._paywall is not None:
                await self.loop.create_task(self._paywall.drain(), context=self.context)
            await self.loop.create_task(hub.close(), context=self.context)

    async def restart(self, *, with_new_key: bool) -> None:
        """Stop the hub as its operator does, and start it, perhaps with another signing key."""
        if self.hub is None:
            return
        waiting = len(self.unanswered)
        await self.close()
        self._watcher.ended("restarted", waiting=waiting, unsynced=0)
        if with_new_key:
            self.keys.add_signing_key()
            self._watcher.befell("hub-key-rotated")
        await self.open()

    async def take_fee(self, account: str, ppm: int) -> None:
        """Take a share of everything that is captured from here on."""
        fees = {"USD": FeeSettings(account=account, ppm=ppm)}
        self._config = msgspec.structs.replace(self._config, fees=fees)
        await self.restart(with_new_key=False)

    async def up(self) -> None:
        """Wait until it is open."""
        while self._apps is None:
            await asyncio.sleep(0.1)

    def _disk_failed(self, kind: str) -> None:
        if self.unanswered:
            self._watcher.befell(kind)

    def _turns(self, count: int, name: str) -> Turns:
        return Turns(count, name, self._turn_seconds)

    def _turn_seconds(self, name: str) -> float:
        if self.is_slow and name == "farthing-write":
            return self._luck.random() * _SLOW_SECONDS_MAX
        return self.loop.turn_seconds()
