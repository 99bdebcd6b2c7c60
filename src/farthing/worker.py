"""What happens by time: holds expire, asks reach their deadline, old answers are forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from farthing.clock import NS, write_time
from farthing.core.answers import AnswerAsk
from farthing.core.closing import CloseSession, SettleDeposit
from farthing.core.idempotency import KEPT_SECONDS
from farthing.core.settling import Expire
from farthing.errors import FarthingError
from farthing.services.books_clock import BEHIND_SECONDS_MAX, seconds_behind
from farthing.services.context import Context
from farthing.store.queries import (
    asks_over,
    forget_answers,
    holds_over,
    sessions_due,
    sessions_unsettled,
)
from farthing.tasks import end

log = structlog.get_logger()
_EVERY_SECONDS = 0.5
_CLEAN_EVERY = 600


class Worker:
    """Look twice a second for what is due.

    Shape: `probe` tries to write again after the books could not be written; without `looks`
           another process on these books looks for what is due, and this one only probes.
    """

    def __init__(self, ctx: Context, probe: Callable[[], Awaitable[bool]] | None = None) -> None:
        self._ctx, self._probe = ctx, probe
        self._task: asyncio.Task[None] | None = None
        self.looks = True
        self.turns = self.rounds = self.failures = 0
        self._looked = 0
        self._behind = False

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            self.turns += 1  # Also where the books cannot be written: a restart mends no disk.
            try:
                if self._probe is None or await self._probe():
                    if self.looks:
                        await self.look()
                    self.rounds += 1
            except FarthingError as error:
                self.failures += 1
                log.warning("worker.postponed", code=error.code)
            except Exception:
                self.failures += 1
                log.exception("worker.failed")

    async def look(self) -> int:
        """Settle what is due now, and tell how much it was."""
        ctx, now = self._ctx, self._ctx.clock()
        await self._watch_clock()
        holds = await ctx.database.read(lambda tx: holds_over(tx, now))
        asks = await ctx.database.read(lambda tx: asks_over(tx, now))
        await ctx.books.commit([Expire(payment) for payment in holds])
        await ctx.books.commit([AnswerAsk(payment, None, "lapse") for payment in asks])
        due = await self._close_sessions(now)
        self._looked += 1
        if self._looked % _CLEAN_EVERY == 0:
            await self._forget(now - KEPT_SECONDS * NS)
        return len(holds) + len(asks) + due

    async def _close_sessions(self, now: int) -> int:
        """Close sessions whose time and grace are over, and settle what a crash left unsettled."""
        ctx = self._ctx
        due = await ctx.database.read(lambda tx: sessions_due(tx, now))
        await ctx.books.commit([CloseSession(session, None, due=True) for session in due])
        unsettled = await ctx.database.read(sessions_unsettled)
        deposits = [deposit for session in unsettled for deposit in session.deposits]
        await ctx.books.commit([SettleDeposit(deposit) for deposit in deposits])
        return len(due) + len(unsettled)

    async def _watch_clock(self) -> None:
        """Tell once when the clock is behind the books, also at the start, and when it is not."""
        seconds = await seconds_behind(self._ctx)
        behind = seconds > BEHIND_SECONDS_MAX
        if behind and not self._behind:
            until = write_time((self._ctx.clock() + seconds * NS) // NS)
            hint = "a commit was made while the clock was ahead; see farthing doctor"
            log.warning("clock.behind_books", seconds=seconds, until=until, hint=hint)
        elif self._behind and not behind:
            log.warning("clock.caught_up")
        self._behind = behind

    async def _forget(self, before_ns: int) -> None:
        await self._ctx.books.tidy(partial(forget_answers, before_ns=before_ns))
