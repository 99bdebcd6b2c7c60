"""Events for all who follow them: read from the books once, and told to those they concern.

A follower who asked the books itself after every commit would cost all others their time: a
hundred of them make a hundred questions of each payment.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

from farthing.core.events import Event
from farthing.errors import FarthingError
from farthing.log_lines import Log
from farthing.services.context import POLL_SECONDS, Context
from farthing.services.signals import Signal
from farthing.store.queries import events_after, newest_event

log = Log("events")

_PATIENCE_SECONDS = 15.0
_AT_ONCE = 500
_KEPT = 2_000
"""The newest events, in memory: who is further behind reads the books."""


class EventFeed:
    """Runs while somebody follows; `closing` tells that the hub is about to end."""

    def __init__(self, ctx: Context, closing: Callable[[], bool]) -> None:
        self._ctx, self._closing = ctx, closing
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._whole_after: int | None = None
        self._written: dict[int, bytes] = {}
        self._signals: dict[str | None, tuple[Signal, int]] = {}
        self._running: asyncio.Task[None] | None = None

    @contextmanager
    def following(self, owner: str | None) -> Generator[Signal]:
        """Follow an owner's events, or (None) everybody's; the signal is given when there are."""
        signal, others = self._signals.get(owner, (Signal(), 0))
        self._signals[owner] = signal, others + 1
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            yield signal
        finally:
            self._leave(owner)

    def _leave(self, owner: str | None) -> None:
        signal, followers = self._signals.pop(owner)
        if followers > 1:
            self._signals[owner] = signal, followers - 1
        if not self._signals and self._running is not None:
            self._running.cancel()
            self._running, self._whole_after = None, None
            self._kept.clear()
            self._written.clear()

    async def after(self, owner: str | None, number: int, limit: int) -> list[Event]:
        """List events after a number in order, from memory where they are."""
        if self._whole_after is None or number < self._whole_after:
            return await self._ctx.database.read(lambda tx: events_after(tx, owner, number, limit))
        found: list[Event] = []
        for event in reversed(self._kept):
            if event.number <= number:
                break
            if owner is None or event.owner == owner:
                found.append(event)
        return found[::-1][:limit]

    def written(self, event: Event, write: Callable[[Event], bytes]) -> bytes:
        """Write an event once for all who follow it."""
        known = self._written.get(event.number)
        if known is None:
            if len(self._written) >= _KEPT:
                self._written.clear()
            known = self._written[event.number] = write(event)
        return known

    async def _run(self) -> None:
        while True:
            try:
                newest = await self._ctx.database.read(newest_event)
                self._whole_after = newest
                self._give(list(self._signals))  # What came before this is found in the books.
                await self._follow(newest)
            except FarthingError as error:
                log.info("events.postponed", code=error.code)
            except Exception as fault:
                log.error("events.failed", fault=fault)
            await asyncio.sleep(POLL_SECONDS)

    async def _follow(self, newest: int) -> None:
        ctx = self._ctx
        patience = ctx.patience(_PATIENCE_SECONDS)
        while True:
            seen = ctx.committed.given
            found = await ctx.database.read(
                lambda tx, after=newest: events_after(tx, None, after, _AT_ONCE)
            )
            if found:
                newest = found[-1].number
                self._tell(found)
                continue
            if self._closing():
                self._give(list(self._signals))
            await ctx.committed.wait_past(seen, patience)

    def _tell(self, found: list[Event]) -> None:
        for event in found:
            if len(self._kept) == _KEPT:
                self._whole_after = self._kept[0].number
            self._kept.append(event)
        self._give([None, *{event.owner for event in found}])

    def _give(self, owners: list[str | None]) -> None:
        for owner in owners:
            if owner in self._signals:
                self._signals[owner][0].give()
