"""Books on SQL: everything that queued while the last commit ran goes into the next one.

There is no timer and no waiting: a lone unit is a batch of one on the same path. One batch runs
at a time, on the executor's thread, so the event loop goes on reading requests meanwhile. Where
more waits than fits into one commit, each party has its turn: who floods the books waits for
itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

from farthing.books.base import Done, Tx
from farthing.books.batch import Batch, Result
from farthing.books.memory import Memory
from farthing.books.rows import Tip
from farthing.books.same_books import SameBooks
from farthing.clock import Clock
from farthing.core.chain import Head
from farthing.core.decisions import Unit
from farthing.core.events import Event
from farthing.errors import FarthingError, InvariantBroken, OutcomeUnknown, TooMuch, Unavailable
from farthing.keys import Signer
from farthing.log_lines import Log
from farthing.sharing import Line
from farthing.threads import Threads

T = TypeVar("T")

log = Log("books")

BATCH_MAX = 512
QUEUE_MAX = 20_000
_PROBE, _PROBE_BYTES = "probe", 16_384


class Transacts(Protocol):
    """The part of a database that the books need."""

    @property
    def exclusive(self) -> bool: ...
    @property
    def connected(self) -> int: ...
    def transact(self, work: Callable[[Tx], T]) -> T: ...


OnBatch = Callable[[float, float, int, Sequence[Event] | None], None]
"""Hears of each commit: how long its first unit waited and how long it took, in seconds, how many
units it decided, and what happened; None when it could not be written."""


class Wish:
    """Units that one caller put in together, and the future that hears of them."""

    __slots__ = ("answers", "heard", "left", "since", "units")

    def __init__(self, units: Sequence[Unit[Any]], heard: "asyncio.Future[list[Any]]") -> None:
        self.units, self.heard = units, heard
        self.answers: list[Any] = []
        self.left = len(units)
        self.since = perf_counter()


class SqlBooks:
    """The one writer path on SQLite and PostgreSQL."""

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
    ) -> None:
        self._same = SameBooks(newest, database.connected)
        self._database, self._signer, self._clock = database, signer, clock
        self._writer, self._on_head, self._on_commit = writer, on_head, on_commit
        self._chain, self._on_batch = chain, on_batch
        self._memory = Memory()
        self._tip: Tip | None = None
        self._queue: Line[tuple[Wish, Unit[Any]]] = Line(QUEUE_MAX)
        self._busy = False
        self._closed = False
        self._failing = False
        self._drained = asyncio.Event()
        self.commits = 0

    async def commit_one(self, unit: Unit[T], of: str = "") -> Done[T]:
        """Commit one unit, and raise what it was refused with."""
        [answer] = await self.commit([unit], of)
        if isinstance(answer, FarthingError):
            raise answer
        return answer

    async def commit(self, units: Sequence[Unit[T]], of: str = "") -> list[Done[T] | FarthingError]:
        """Decide and make durable, in order; each unit succeeds or is refused by itself."""
        if self._closed:
            raise Unavailable("books-closed", "the hub is shutting down; try again shortly")
        if not units:
            return []
        heard: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        wish = Wish(units, heard)
        verdict = self._queue.put(of, [(wish, unit) for unit in units])
        if verdict == "full":
            raise Unavailable("books-busy", "too many payments are waiting; try again shortly")
        if verdict:
            raise TooMuch("too-much-at-once", "too many payments of this owner are waiting")
        if not self._busy:
            self._next()
        return await heard

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out, between two commits; nothing of the history."""
        await self._writer.run(self._checked, work)

    @property
    def queued(self) -> int:
        """How many units wait for a commit."""
        return len(self._queue)

    @property
    def writable(self) -> bool:
        """Whether the last thing that was written could be."""
        return not self._failing

    async def probe(self) -> bool:
        """Try to write, after a commit could not be written, and tell whether it works again.

        Shape: without it a hub that nobody sends payments to, being not ready, would never know.
        """
        if self._failing and not self._closed:
            try:
                await self.tidy(_write_something)
            except (Unavailable, OutcomeUnknown):
                return False
            self._say_well()
        return not self._failing

    async def close(self) -> None:
        """Finish what was accepted, and accept no more."""
        self._closed = True
        if self._busy:
            await self._drained.wait()

    def _next(self) -> None:
        batch = self._queue.take(BATCH_MAX)
        self._busy = bool(batch)
        if not batch:
            self._drained.set()
        else:
            self._drained.clear()
            since = min(wish.since for wish, _ in batch)
            running = self._writer.run(self._run, [unit for _, unit in batch], since)
            running.add_done_callback(lambda done: self._hear(batch, done))

    def _hear(
        self, batch: Sequence[tuple[Wish, Unit[Any]]], done: "asyncio.Future[list[Any]]"
    ) -> None:
        # The next commit starts first, so that disk and event loop work side by side.
        fault = done.exception()
        answers: Sequence[Any] = [fault] * len(batch) if fault else done.result()
        self._next()
        for (wish, _), answer in zip(batch, answers, strict=True):
            wish.answers.append(answer)
            wish.left -= 1
            if wish.left == 0 and not wish.heard.done():
                _tell(wish)
        if self._on_commit is not None:
            self._on_commit()

    def _run(self, units: list[Unit[Any]], since: float) -> list[Any]:
        try:
            return self._timed(units, since).answers
        except (Unavailable, OutcomeUnknown) as fault:
            self._forget()
            self._say_why(fault)
            raise
        except Exception:
            self._forget()
            if len(units) == 1:
                raise
        # One unit of the batch is at fault, by a bug of ours: the others must not pay for it.
        return [self._run_alone(unit, since) for unit in units]

    def _say_why(self, fault: Exception) -> None:
        """Tell the operator what the disk or the server said, once until it works again."""
        if not self._failing:
            log.error("books.not_writable", why=fault.__cause__ or fault)
        self._failing = True

    def _say_well(self) -> None:
        if self._failing:
            self._failing = False
            log.warning("books.writable")

    def _run_alone(self, unit: Unit[Any], since: float) -> Any:
        try:
            return self._timed([unit], since).answers[0]
        except Exception as fault:
            self._forget()
            return fault

    def _timed(self, units: Sequence[Unit[Any]], since: float) -> Result:
        began = perf_counter()
        try:
            result = self._transact(units)
        except BaseException:
            self._tell_batch(began - since, perf_counter() - began, len(units), None)
            raise
        self._tell_batch(began - since, perf_counter() - began, len(units), result.events)
        return result

    def _tell_batch(
        self, waited: float, took: float, units: int, events: Sequence[Event] | None
    ) -> None:
        if self._on_batch is None:
            return
        try:
            self._on_batch(waited, took, units, events)
        except Exception as fault:
            # The commit is durable and answered for; who only watches cannot undo that.
            log.error("books.not_counted", fault=fault)

    def _transact(self, units: Sequence[Unit[Any]]) -> Result:
        signer = self._signer()

        def work(tx: Tx) -> Result:
            if not tx.alone:
                self._forget()  # What was read before may not hold any more.
            return Batch(
                tx,
                self._memory,
                self._tip,
                self._clock(),
                signer,
                self._chain,
                far=not self._database.exclusive,
            ).run(units)

        result = self._checked(work)
        self._tip = result.tip if self._database.exclusive else None
        self._memory.trim()
        self._say_well()
        if result.head is not None:
            self.commits += 1
            self._same.wrote(result.head)
            self._note(result.head)
        return result

    def _checked(self, work: Callable[[Tx], T]) -> T:
        def checked(tx: Tx) -> T:
            self._same.check(tx, self._database.connected)
            return work(tx)

        return self._database.transact(checked)

    def _note(self, head: Head) -> None:
        if self._on_head is None:
            return
        try:
            self._on_head(head)
        except OSError as fault:
            # The commit is durable and answered for; only the second place lacks its head.
            log.error("heads.not_noted", number=head.number, why=fault)

    def _forget(self) -> None:
        # What a failed commit left in memory never became true.
        self._memory, self._tip = Memory(), None


def _write_something(tx: Tx) -> None:
    sql = (
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    tx.run(sql, (_PROBE, "x" * _PROBE_BYTES))


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
