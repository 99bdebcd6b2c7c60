"""Books on SQL: everything that queued while the last commit ran goes into the next one.

There is no timer and no waiting: a lone unit is a batch of one on the same path. One commit runs
at a time, on a thread or in a process of its own (`writers.py`), so the event loop goes on
reading requests meanwhile. What came in one turn of it is handed over together. Where more waits
than fits, each party has its turn: who floods the books waits for itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from farthing.books.base import Done, Tx
from farthing.books.cluster import Cluster
from farthing.books.cluster_writing import ClusterWriting
from farthing.books.court import STEP_LEAVES, Recalled
from farthing.books.writers import OnThread, Writer
from farthing.books.writing import OnBatch, Transacts, Writing
from farthing.clock import Clock
from farthing.core.chain import Head
from farthing.core.decisions import Unit
from farthing.core.judgements import Judges, Ranked
from farthing.errors import (
    FarthingError,
    InvariantBroken,
    OutcomeUnknown,
    TooMuch,
    Unavailable,
    ensure,
)
from farthing.keys import Signer
from farthing.sharing import Line
from farthing.threads import Threads

T = TypeVar("T")

BATCH_MAX = 512
HANDED_OVER_MAX = 2 * BATCH_MAX
"""So many units may be at a writer that joins what waits there; the others wait in line here."""
PIECE = 8
"""So many units are worth a message to a writing process that may be idle."""
QUEUE_MAX = 20_000
AHEAD_SECONDS = 0.002
"""How long what is decided may wait for what is to be written with it."""
STALLED_SECONDS = 10.0
"""If nothing was written for so long, though something waits, no more is let in: who is told so at
once can ask elsewhere, and who has been let in is answered first when it goes on."""


class Wish:
    """Units that one caller put in together, and the future that hears of them."""

    __slots__ = ("answers", "heard", "left", "since", "units")

    def __init__(self, units: Sequence[Unit[Any]], heard: "asyncio.Future[list[Any]]") -> None:
        self.units, self.heard = units, heard
        self.answers: list[Any] = []
        self.left = len(units)
        self.since = perf_counter()


class KeptBy(NamedTuple):
    """A cluster that keeps the money, and what makes the number by which it knows the books."""

    cluster: Cluster
    new: Callable[[], int]


class SqlBooks:
    """The one writer path on SQLite and PostgreSQL, with a cluster beside them or without one."""

    def __init__(
        self,
        database: Transacts,
        signer: Callable[[], Signer],
        clock: Clock,
        writer: Threads,
        on_head: Callable[[Head], None] | None = None,
        on_commit: Callable[[], None] | None = None,
        chain: str = "main",
        on_batch: OnBatch | None = None,
        *,
        newest: Head | None = None,
        stalled_seconds: float = STALLED_SECONDS,
        kept_by: KeptBy | None = None,
        judges: Judges | None = None,
    ) -> None:
        told = (database, signer, clock, on_head, chain, on_batch)
        writing = (
            Writing(*told, newest=newest, judges=judges)
            if kept_by is None
            else ClusterWriting(*told, newest=newest, judges=judges).beside(*kept_by)
        )
        self._stalled_seconds, self._moved = stalled_seconds, 0.0
        self._writer: Writer = OnThread(writing, writer)
        self._on_commit = on_commit
        database.before_reads(self.finish)
        self._queue: Line[tuple[Wish, Unit[Any]]] = Line(QUEUE_MAX)
        self._under_way = 0
        self._starting = False
        self._finishing: asyncio.TimerHandle | None = None
        self._closed = False
        self._drained = asyncio.Event()

    def hand_over(self, writer: Writer) -> None:
        """Let another write from here on; nothing may be under way."""
        ensure(not self._under_way, "nothing is written while the writer changes")
        self._writer = writer

    async def commit_one(self, unit: Unit[T], of: str = "") -> Done[T]:
        """Commit one unit, and raise what it was refused with."""
        [answer] = await self.commit([unit], of)
        if isinstance(answer, FarthingError):
            raise answer
        return answer

    async def commit_ahead(
        self, unit: Unit[T], waits: Callable[[T], bool], of: str = ""
    ) -> Done[T]:
        """Commit a unit; if it comes alone and its answer `waits`, together with the next one."""
        done = None
        if not (self._closed or self._starting or self._queue or self._under_way):
            done = self._writer.decide(unit, perf_counter(), waits)
        if done is None:
            return await self.commit_one(unit, of)
        if isinstance(done, BaseException):
            raise done
        if self._writer.is_ahead:
            self._finish_later()
        return done

    def _finish_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._finishing = loop.call_later(AHEAD_SECONDS, self.finish)

    def finish(self) -> None:
        """Write what is decided already, so that whoever looks now sees it."""
        if self._finishing is not None:
            self._finishing.cancel()
            self._finishing = None
        if self._writer.is_ahead and not self._writer.finish():
            self._finish_later()

    async def commit(self, units: Sequence[Unit[T]], of: str = "") -> list[Done[T] | FarthingError]:
        """Decide and make durable, in order; each unit succeeds or is refused by itself."""
        if self._closed:
            raise Unavailable("books-closed", "the hub is shutting down; try again shortly")
        if not units:
            return []
        heard: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        wish = Wish(units, heard)
        if self._under_way and wish.since - self._moved > self._stalled_seconds:
            raise Unavailable("books-busy", "nothing can be written just now; try again shortly")
        verdict = self._queue.put(of, [(wish, unit) for unit in units])
        if verdict == "full":
            raise Unavailable("books-busy", "too many payments are waiting; try again shortly")
        if verdict:
            raise TooMuch("too-much-at-once", "too many payments of this owner are waiting")
        self._soon()
        return await heard

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out, between two commits; nothing of the history."""
        await self._writer.tidy(work)

    async def recall(self, leaves: int = STEP_LEAVES) -> Recalled:
        """Read a step of the history that orders are judged by, between two commits.

        Raises: Unavailable, OutcomeUnknown.
        """
        return await self._writer.recall(leaves)

    async def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that were answered: the next are judged by it, too.

        Raises: Unavailable, OutcomeUnknown.
        """
        await self._writer.heed(ranked)

    @property
    def writes_here(self) -> bool:
        """Whether a thread of this process is writing now, and takes turns with the event loop."""
        return self._under_way > 0 and not self._writer.joins

    @property
    def is_ahead(self) -> bool:
        """Whether something is decided, and told to who asked for it, and not written yet."""
        return self._writer.is_ahead

    @property
    def queued(self) -> int:
        """How many units wait for a commit."""
        return len(self._queue)

    @property
    def writable(self) -> bool:
        """Whether the last thing that was written could be."""
        return not self._writer.failing

    @property
    def commits(self) -> int:
        """How many commits were written by who writes now."""
        return self._writer.commits

    async def probe(self) -> bool:
        """Try to write, after a commit could not be written, and tell whether it works again.

        Shape: without it a hub that nobody sends payments to, being not ready, would never know.
        """
        if self._writer.failing and not self._closed:
            return await self._writer.probe()
        return not self._writer.failing

    async def close(self) -> None:
        """Finish what was accepted, and accept no more."""
        self._closed = True
        while self._writer.is_ahead:
            self.finish()
            await asyncio.sleep(0)
        if self._queue or self._under_way:
            self._drained.clear()
            await self._drained.wait()
        await self._writer.close()

    def _soon(self) -> None:
        """Start when this turn of the event loop is over, with all that came in it.

        Shape: a writer that joins what it is given need not wait so long to begin with it.
        """
        if self._writer.joins and len(self._queue) >= PIECE:
            self._next()
        elif not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._starting = False
        while self._queue and (room := self._room()):
            self._start(self._queue.take(room))
        if not self._under_way:
            self._drained.set()

    def _room(self) -> int:
        """Tell how many units the writer may be given now."""
        if self._writer.joins:
            return min(BATCH_MAX, HANDED_OVER_MAX - self._under_way)
        return 0 if self._under_way else BATCH_MAX

    def _start(self, batch: Sequence[tuple[Wish, Unit[Any]]]) -> None:
        since = min(wish.since for wish, _ in batch)
        if not self._under_way:
            self._moved = perf_counter()
        self._under_way += len(batch)
        if self._finishing is not None:
            self._finishing.cancel()  # It is written with these.
            self._finishing = None
        running = self._writer.run([unit for _, unit in batch], since)
        if running.done():
            self._hear(batch, running)
        else:
            running.add_done_callback(lambda done: self._hear(batch, done))

    def _hear(
        self, batch: Sequence[tuple[Wish, Unit[Any]]], done: "asyncio.Future[list[Any]]"
    ) -> None:
        self._moved = perf_counter()
        # The next commit starts first, so that disk and event loop work side by side.
        fault = done.exception()
        answers: Sequence[Any] = [fault] * len(batch) if fault else done.result()
        self._under_way -= len(batch)
        self._next()
        for (wish, _), answer in zip(batch, answers, strict=True):
            wish.answers.append(answer)
            wish.left -= 1
            if wish.left == 0 and not wish.heard.done():
                _tell(wish)
        if self._on_commit is not None:
            self._on_commit()


def _tell(wish: Wish) -> None:
    broken = next((a for a in wish.answers if _is_bug(a)), None)
    if broken is not None:
        wish.heard.set_exception(broken)
    else:
        wish.heard.set_result(wish.answers)


def _is_bug(answer: Any) -> bool:
    if isinstance(answer, InvariantBroken | OutcomeUnknown | Unavailable):
        return True
    return isinstance(answer, BaseException) and not isinstance(answer, FarthingError)
