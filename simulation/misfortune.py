"""What befalls a hub's machine from time to time: ends, a bad disk, a clock that jumps."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from simulation.hubs import HubMachine
from simulation.loop import at_place
from simulation.town import Town

_BETWEEN_SECONDS = 0.3
_WRITES_MAX = 60
_SOON_SECONDS = 0.01
_HOLD_SECONDS, _HOLD_WRITES = 0.0001, 25
_ENDS = ("killed", "power-cut")
_ENDS_WRITING = ("killed-writing", "power-cut-writing")
_AHEAD_SECONDS, _BEHIND_SECONDS = (40.0, 400.0), (70.0, 950.0, 4000.0)
"""The books' time never goes back: what is ahead for long would leave no order in time."""


class Misfortune:
    """Comes over one hub again and again, until it is calm."""

    def __init__(self, town: Town, hub: HubMachine, luck: Random) -> None:
        self._town, self._hub, self._luck = town, hub, luck
        self._kinds: list[Callable[[], Awaitable[None]]] = [
            self._end, self._end_writing, self._fail, self._fill, self._slow, self._jump,
            self._restart, self._end_twice, self._strike_hold, self._strike_hold,
        ]  # fmt: skip

    async def run(self) -> None:
        """Go on until it is stopped."""
        while True:
            await asyncio.sleep(self._luck.expovariate(1 / _BETWEEN_SECONDS))
            if not self._town.faults.calm and self._hub.hub is not None:
                await self._luck.choice(self._kinds)()

    async def _end(self) -> None:
        self._hub.end(self._luck.choice(_ENDS))

    async def _end_writing(self) -> None:
        kind = self._luck.choice(_ENDS_WRITING)
        self._hub.disk.end_at(self._luck.randrange(1, _WRITES_MAX), kind)

    async def _end_twice(self) -> None:
        """Kill it in a write, and cut the power just after it is up again.

        What a killed process wrote is seen by the next one, though nothing has synced it.
        """
        lives = self._hub.lives
        self._hub.disk.end_at(self._luck.randrange(1, _WRITES_MAX), "killed-writing")
        while self._hub.lives == lives or self._hub.hub is None:
            if self._town.faults.calm:
                return
            await asyncio.sleep(0.001)
        await asyncio.sleep(self._luck.expovariate(1 / _SOON_SECONDS))
        self._hub.end("power-cut")

    async def _strike_hold(self) -> None:
        """End it, or let its disk fail, where a hold is decided and not written yet."""
        hub, draw = self._hub, self._luck.random()
        if hub.shop is None:
            return
        if draw < 0.6:
            kind, seconds = self._luck.choice(_ENDS), self._luck.expovariate(1 / _HOLD_SECONDS)
            later = self._town.loop.call_later
            world = at_place("world")
            hub.shop.at_next_lone_hold = lambda: later(seconds, hub.end, kind, context=world)
        elif draw < 0.8:
            kind, count = self._luck.choice(_ENDS_WRITING), self._luck.randrange(1, _HOLD_WRITES)
            hub.shop.at_next_lone_hold = lambda: hub.disk.end_at(count, kind)
        else:
            hub.shop.at_next_lone_hold = self._fail_once

    async def _fail(self) -> None:
        self._fail_once()

    def _fail_once(self) -> None:
        self._hub.disk.failing = self._luck.choice(("write-failed", "sync-failed"))

    async def _fill(self) -> None:
        self._hub.disk.fill()
        await asyncio.sleep(self._luck.random() * 0.5)
        self._hub.disk.is_full = False

    async def _slow(self) -> None:
        self._hub.slow_until = self._town.loop.time() + 1 + self._luck.random() * 4

    async def _jump(self) -> None:
        back = self._luck.random() < 0.5
        seconds = self._luck.choice(_BEHIND_SECONDS if back else _AHEAD_SECONDS)
        self._hub.skew_seconds = -seconds if back else seconds
        kind = "clock-behind" if back else "clock-ahead"
        self._town.change(kind, self._hub.name)
        await asyncio.sleep(0.2 + self._luck.random() * 0.6)
        self._hub.skew_seconds = 0.0

    async def _restart(self) -> None:
        await self._hub.restart(with_new_key=self._luck.random() < 0.5)
