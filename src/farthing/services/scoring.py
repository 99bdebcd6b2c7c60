"""Scoring: models look at orders once they are answered, and what is odd counts for the next one.

It follows the history like whoever else wants to know what happened, in a thread beside the event
loop, for a tenth of the time at most: payments never wait for it. What a model finds odd is told to
who judges, where it is one reason among others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import msgspec
import structlog

from farthing.books.followed import followed_by_name
from farthing.clock import NS
from farthing.core.judgements import Kept, Ordered, Ranked
from farthing.core.payments import PAYMENTS
from farthing.errors import FarthingError
from farthing.folders import private_folder
from farthing.risk.orders import REACH
from farthing.risk.quantiles import RANK_TOLD_MIN
from farthing.risk.traits import Traits
from farthing.services.context import Context
from farthing.services.learning import SOURCES
from farthing.services.model_shelf import Role, Shelf
from farthing.services.scorers import REMARKABLE, Scorers
from farthing.store.database import Tx
from farthing.store.labels import labels
from farthing.tasks import end
from farthing.threads import Threads

log = structlog.get_logger()

PAGE_LEAVES, CHUNK = 500, 64

_EVERY_SECONDS, _PATIENCE_SECONDS = 0.2, 0.5
_REST = 9
"""For each second of work, so many of rest."""

_WRITTEN_BYTES_MAX = 32 << 20
_END_OF_HISTORY = "SELECT COALESCE(MAX(number), 0) + 1 FROM leaves"

Heed = Callable[[Sequence[Ranked]], Awaitable[None]]


class Page(NamedTuple):
    """What some leaves of the history say: orders, and which earlier ones were told to be bad."""

    orders: Sequence[tuple[str, Kept]]
    bad: Sequence[Ordered]


class Scoring:
    """Follows the history, and has every new order scored.

    Shape: `looks` tells whether this process is who scores of several on these books; `behind` is
           in leaves; `skipped` are leaves that nobody scored, for there were too many.
    """

    def __init__(
        self, ctx: Context, shelf: Shelf, heed: Heed, thread: Threads, looks: Callable[[], bool]
    ) -> None:
        self._ctx, self._heed, self._thread, self._looks = ctx, heed, thread, looks
        self.scorers = Scorers(shelf)
        self._written = shelf.folder / "scores.jsonl"
        self._traits, self._next, self._since = Traits(), 0, 0
        self.behind = self.skipped = 0
        self._task: asyncio.Task[None] | None = None
        self._postponed = False

    def start(self) -> None:
        """Begin, beside all else."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            seen = self._ctx.committed.given
            if self._looks():
                await self._look_or_say()
            await asyncio.sleep(_EVERY_SECONDS)
            await self._ctx.committed.wait_past(seen, _PATIENCE_SECONDS)

    async def _look_or_say(self) -> None:
        try:
            await self.look()
        except Exception as fault:
            self._say_once(fault)
        else:
            self._postponed = False

    def _say_once(self, fault: Exception) -> None:
        hint = "rules judge alone until it works again"
        if not self._postponed and isinstance(fault, FarthingError):
            log.error("risk.scoring_postponed", why=fault.code, hint=hint)
        elif not self._postponed:
            log.error("risk.scoring_failed", why=repr(fault), hint=hint)
        self._postponed = True

    async def look(self) -> None:
        """Score what came since the last time; at first only remember what is there."""
        self.scorers.look()
        end = await self._ctx.database.read(lambda tx: tx.rows(_END_OF_HISTORY)[0][0])
        self._begin(end)
        while self._next < end:
            await self._read(self._next, min(end, self._next + PAGE_LEAVES))
            self.behind = end - self._next
        await self._thread.run(self._look_up, self._ctx.now_s())

    def _look_up(self, now: int) -> None:
        """Do what is due by time."""
        self.scorers.make_first(now)
        self.scorers.measure_drift(now)

    def _begin(self, end: int) -> None:
        first = max(1, end - REACH)
        if not self._next:
            self._since = end
        elif first > self._next or end < self._next:
            self.skipped += max(0, first - self._next)
        else:
            return
        self._traits, self._next = Traits(), first

    async def _read(self, first: int, end: int) -> None:
        page = await self._ctx.database.read(lambda tx: _page(tx, first, end))
        ranked: list[Ranked] = []
        for start in range(0, len(page.orders), CHUNK):
            began = perf_counter()
            some = page.orders[start : start + CHUNK]
            ranked += await self._thread.run(self._score, some, first >= self._since)
            await asyncio.sleep((perf_counter() - began) * _REST)
        for ordered in page.bad:
            self._traits.tell_bad(ordered)
        self._next = end
        if ranked:
            await self._heed(ranked)

    def _score(self, orders: Sequence[tuple[str, Kept]], counts: bool) -> list[Ranked]:
        """Have some orders scored where they are new, and remember them."""
        new: list[tuple[str, Ordered]] = []
        traits: list[Sequence[int]] = []
        for name, kept in orders:
            if not kept.answered:
                traits.append(self._traits.of(kept.ordered))
                new.append((name, kept.ordered))
                self.scorers.remember(kept.ordered.at, traits[-1])
            if kept.paid:
                self._traits.keep(kept.ordered)
        ranks: Mapping[Role, Sequence[int]] = {}
        if counts and traits:
            ranks = self.scorers.ranks(traits)
        self._write_down([name for name, _ in new], ranks)
        champion = ranks.get("champion", ())
        pairs = zip(new, champion, strict=False)
        return [
            Ranked(one.device, rank, one.at) for (_, one), rank in pairs if rank >= RANK_TOLD_MIN
        ]

    def _write_down(self, names: Sequence[str], ranks: Mapping[Role, Sequence[int]]) -> None:
        """Write down what anybody found remarkable, side by side."""
        who = {role: one.name for role, one in self.scorers.by_role.items()}
        lines: list[bytes] = []
        for at, name in enumerate(names):
            row = {role: given[at] for role, given in ranks.items()}
            if row and max(row.values()) >= REMARKABLE:
                lines.append(msgspec.json.encode({"payment": name, "ranks": row, "models": who}))
        if lines:
            append(self._written, b"\n".join(lines) + b"\n")


def append(file: Path, lines: bytes) -> None:
    """Add lines to a file of scores; a long one is put aside, and the one before it forgotten."""
    try:
        private_folder(file.parent)
        if file.exists() and file.stat().st_size > _WRITTEN_BYTES_MAX:
            file.replace(file.with_suffix(".old.jsonl"))
        with file.open("ab") as opened:
            opened.write(lines)
    except OSError as fault:
        log.error("risk.scores_not_written", why=str(fault))


def _page(tx: Tx, first: int, end: int) -> Page:
    orders = list(followed_by_name(tx, first, end))
    told = {
        label.payment
        for label in labels(tx, first - 1, end)
        if label.bad and label.source in SOURCES
    }
    found = tx.fetch(PAYMENTS, sorted(told))
    bad = [
        Ordered(one.device, one.payee, one.amount, one.created_ns // NS) for one in found.values()
    ]
    return Page(orders, bad)
