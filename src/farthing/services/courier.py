"""Sends what happened to the webhooks of those it concerns, beside the payment path.

Each lane is carried by a task of its own, one event after the other, so a slow endpoint keeps
nobody waiting but itself. Where nobody has a webhook, one look every two seconds is all it costs.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from itertools import islice

from farthing.clock import NS
from farthing.core.webhooks import Lane, Webhook
from farthing.errors import FarthingError
from farthing.log_lines import Log
from farthing.notifiers.base import Post
from farthing.services.carrying import Carrier, Patience
from farthing.services.context import Context
from farthing.services.leases import Sole
from farthing.store.webhooks import due_lanes, forget_deliveries, new_lanes
from farthing.tasks import end

log = Log("webhooks")

KEPT_SECONDS = 30 * 86_400
"""How long a try is known of."""

_BREATH_SECONDS = 0.2
LOOK_SECONDS = 2.0
_CLEAN_EVERY = 1800
_AT_ONCE = 64


class Courier:
    """Runs as long as its hub does.

    Units: it looks every `look_seconds` whether anybody wants anything, where no commit tells it.
    Shape: `luck` is between 0 and 1, and spreads new tries.
    """

    def __init__(
        self,
        ctx: Context,
        post: Post,
        patience: Patience | None = None,
        luck: Callable[[], float] = random.random,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._ctx, self._look_seconds, self._next_ns = ctx, look_seconds, 0
        self._carrier = Carrier(ctx, post, patience or Patience(), luck)
        self._sole = Sole(ctx, "webhooks")
        self._carrying: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._seen: int | None = None
        self._finished = asyncio.Event()
        self._turns = 0

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what is on its way is sent again by whoever comes next."""
        await end(*self._carrying.values(), self._task)
        self._task = None
        await self._sole.give_back()

    async def _run(self) -> None:
        while True:
            given, sends = self._ctx.committed.given, False
            try:
                sends = await self._turn()
            except FarthingError as error:
                log.info("webhooks.postponed", code=error.code)
            except Exception as fault:
                log.error("webhooks.failed", fault=fault)
            await asyncio.sleep(_BREATH_SECONDS if sends else self._look_seconds)
            if sends:
                await self._wait_for_more(given)

    async def _wait_for_more(self, given: int) -> None:
        """Wait for a commit, for a lane that came to its end, or until another process may have
        committed something.
        """
        self._finished.clear()
        patience = self._ctx.patience(self._look_seconds)
        if self._next_ns:
            patience = min(patience, max(0.0, (self._next_ns - self._ctx.clock()) / NS))
        await self._ctx.committed.wait_past_or(given, self._finished, patience)

    async def _turn(self) -> bool:
        """Begin to carry what is due; tell whether there may be more soon."""
        ctx, now, left = self._ctx, self._ctx.clock(), self._carrier.unfinished
        named, seen = list(islice(left, _AT_ONCE)), self._seen
        due = await ctx.database.read(lambda tx: due_lanes(tx, now, seen, named))
        if not due.any_on or not await self._sole.mine():
            self._seen = None  # Whoever is sole later looks at all of them first.
            return False
        if seen is None:
            left.update(dict.fromkeys(await ctx.database.read(new_lanes)))
        self._seen, self._next_ns = due.newest, due.next_ns
        waiting = [each for each in due.lanes if each[0].id not in self._carrying]
        waiting.sort(key=lambda each: each[0].id not in left)
        room = _AT_ONCE - len(self._carrying)
        for lane, webhook in waiting[:room]:
            self._carry(lane, webhook)
        left.update({lane.id: None for lane, _ in waiting[room:]})
        self._turns += 1
        if self._turns % _CLEAN_EVERY == 0:
            before = now - KEPT_SECONDS * NS
            await ctx.books.tidy(partial(forget_deliveries, before_ns=before))
        return True

    def _carry(self, lane: Lane, webhook: Webhook) -> None:
        task = asyncio.create_task(self._carried(lane, webhook))
        self._carrying[lane.id] = task

    async def _carried(self, lane: Lane, webhook: Webhook) -> None:
        try:
            await self._carrier.carry(lane, webhook)
        except FarthingError as error:
            log.info("webhooks.postponed", code=error.code)
        except Exception as fault:
            log.error("webhooks.failed", fault=fault)
        finally:
            self._carrying.pop(lane.id, None)
            self._finished.set()
