"""Tells people what happened, beside the payment path, as long as a hub is served.

Each lane of a person is told by a task of its own, so a slow mail server keeps nobody waiting but
those who are told by it. Where nobody is told anything, one look every two seconds is all it costs.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from farthing.clock import NS
from farthing.errors import FarthingError
from farthing.log_lines import Log
from farthing.services.context import Context
from farthing.services.leases import Sole
from farthing.services.notices import Notices
from farthing.services.telling_lanes import Lanes
from farthing.store.notices import forget_tries, stirred_lanes
from farthing.tasks import end

log = Log("notices")

KEPT_SECONDS = 30 * 86_400
"""How long a try is known of."""

LOOK_SECONDS = 2.0
_BREATH_SECONDS = 0.2
_CLEAN_EVERY = 1800
_AT_ONCE = 32


class Teller:
    """Runs as long as its hub is served, in one process of all.

    Units: it looks every `look_seconds` whether anything happened, where no commit tells it.
    """

    def __init__(self, ctx: Context, notices: Notices, look_seconds: float = LOOK_SECONDS) -> None:
        self._ctx, self._notices, self._look_seconds = ctx, notices, look_seconds
        self._lanes = Lanes(ctx, notices)
        self._sole = Sole(ctx, "notices")
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._due: dict[str, int] = {}
        self._again: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._seen: int | None = None
        self._finished = asyncio.Event()
        self._turns = 0

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; a notice that is being sent is sent to its end, for a while."""
        await end(self._task)
        self._task = None
        await self._notices.showing.stop()
        if self._telling:
            await asyncio.wait(self._telling.values(), timeout=10)
        for task in self._telling.values():
            task.cancel()
        await self._sole.give_back()

    async def _run(self) -> None:
        while True:
            given, tells = self._ctx.committed.given, False
            try:
                tells = await self._turn()
            except FarthingError as error:
                log.info("notices.postponed", code=error.code)
            except Exception as fault:
                log.error("notices.failed", fault=fault)
            await asyncio.sleep(_BREATH_SECONDS if tells else self._look_seconds)
            if tells:
                await self._wait_for_more(given)

    async def _wait_for_more(self, given: int) -> None:
        """Wait for a commit, for a lane that was told, or for the next that is due."""
        self._finished.clear()
        patience, now = self._ctx.patience(self._look_seconds), self._ctx.clock()
        if self._due:
            patience = min(patience, max(0.0, (min(self._due.values()) - now) / NS))
        await self._ctx.committed.wait_past_or(given, self._finished, patience)

    async def _turn(self) -> bool:
        """Begin to tell what is due; say whether anybody is told anything at all."""
        seen = self._seen
        found = await self._ctx.database.read(lambda tx: stirred_lanes(tx, seen))
        if not found.any_heard or not await self._sole.mine():
            if self._seen is not None:
                await self._notices.showing.stop()
            self._seen = None  # Whoever is sole later looks at all of them first.
            self._due.clear()
            return False
        if self._seen is None:
            await self._lanes.resume()
        self._note(found.lanes, found.changed)
        self._seen = found.newest
        now, room = self._ctx.clock(), _AT_ONCE - len(self._telling)
        due = sorted((at, lane) for lane, at in self._due.items() if at <= now)
        for _, lane in [one for one in due if one[1] not in self._telling][:room]:
            del self._due[lane]
            self._telling[lane] = asyncio.create_task(self._told(lane))
        self._turns += 1
        if self._turns % _CLEAN_EVERY == 0:
            before = now - KEPT_SECONDS * NS
            await self._ctx.books.tidy(partial(forget_tries, before_ns=before))
        return True

    def _note(self, stirred: Sequence[str], changed: Sequence[str]) -> None:
        """Look at lanes that have something new: at once, unless they wait for a time already."""
        now = self._ctx.clock()
        for lane in stirred:
            if lane in self._telling:
                self._again.add(lane)
            else:
                self._due.setdefault(lane, now)
        for lane in changed:  # What they wait for may not hold any more.
            if lane not in self._telling:
                self._due[lane] = now

    async def _told(self, lane: str) -> None:
        again: int | None = None
        try:
            again = await self._lanes.tell(lane)
        except FarthingError as error:
            log.info("notices.postponed", code=error.code)
            again = self._ctx.clock() + NS
        except Exception as fault:
            log.error("notices.failed", fault=fault)
            again = self._ctx.clock() + 60 * NS
        finally:
            self._telling.pop(lane, None)
            if lane in self._again:
                self._again.discard(lane)
                again = self._ctx.clock()
            if again is not None:
                self._due[lane] = again
            self._finished.set()
