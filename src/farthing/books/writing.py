"""Writing batches: one after the other, each in one transaction, and what is remembered between.

It knows no queue and no event loop. Whoever has one of these is the books' only writer of this
hub: a thread beside the event loop, or a process beside it.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

from farthing.books.base import Tx
from farthing.books.batch import Batch, Decided, Result
from farthing.books.court import NONE_JUDGED, STEP_LEAVES, Court, Judged, Recalled
from farthing.books.memory import Memory
from farthing.books.rows import Tip, read_tip
from farthing.books.same_books import SameBooks
from farthing.clock import Clock
from farthing.core.chain import GENESIS, Head
from farthing.core.decisions import Unit
from farthing.core.events import Event
from farthing.core.judgements import Judges, Ranked
from farthing.errors import FarthingError, OutcomeUnknown, Unavailable, present
from farthing.keys import Signer
from farthing.log_lines import Log

T = TypeVar("T")
Kind = TypeVar("Kind", bound=Batch)

log = Log("books")

_PROBE, _PROBE_BYTES = "probe", 16_384


class Transacts(Protocol):
    """The part of a database that the books need."""

    @property
    def exclusive(self) -> bool: ...
    @property
    def connected(self) -> int: ...
    @property
    def prompt(self) -> bool: ...
    def before_reads(self, call: Callable[[], None]) -> None: ...
    def turn(self) -> AbstractContextManager[None]: ...
    def peek(self, work: Callable[[Tx], T]) -> T: ...
    def transact(self, work: Callable[[Tx], T]) -> T: ...


OnBatch = Callable[[float, float, int, Sequence[Event] | None, Judged], None]
"""Hears of each commit: how long its first unit waited and how long it took, in seconds, how many
units it decided, and what happened (None when it could not be written), and what was judged."""


class Ahead(NamedTuple):
    """A unit that is decided and not written, and since when it waits."""

    unit: Unit[Any]
    since: float
    batch: Batch


class Writing:
    """Decides and writes batches on one database, and is called by one thread at a time."""

    def __init__(
        self,
        database: Transacts,
        signer: Callable[[], Signer],
        clock: Clock,
        on_head: Callable[[Head], None] | None = None,
        chain: str = "main",
        on_batch: OnBatch | None = None,
        *,
        newest: Head | None = None,
        judges: Judges | None = None,
    ) -> None:
        self._court = Court(judges) if judges is not None else None
        self._same = SameBooks(newest, database.connected)
        self._database, self._signer, self._clock = database, signer, clock
        self._on_head, self._chain, self._on_batch = on_head, chain, on_batch
        self._memory = Memory()
        self._tip: Tip | None = None
        self._ahead: Ahead | None = None
        self.failing = False
        self.commits = 0

    @property
    def prompt(self) -> bool:
        """Whether a small commit waits for nothing but this machine's disk, once."""
        return self._database.prompt and not self.failing

    @property
    def is_ahead(self) -> bool:
        """Whether a unit is decided and waits to be written with the next one."""
        return self._ahead is not None

    def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out; nothing of the history."""
        self._checked(work)

    def recall(self, leaves: int = STEP_LEAVES) -> Recalled:
        """Read a step of the history that orders are judged by; nothing where nobody judges."""
        court = self._court
        if court is None:
            return Recalled(0, 0)
        return self._database.peek(lambda tx: court.recall(tx, read_tip(tx, GENESIS), leaves))

    def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that were answered."""
        if self._court is not None:
            self._court.heed(ranked)

    def decide(self, unit: Unit[T], since: float) -> T | FarthingError:
        """Decide a unit, which is written with what comes next, and tell what it will be answered.

        Shape:  nobody else may be told before it is written; if that fails, it never was.
        Raises: Unavailable, and what the unit is at fault with; then nothing is decided.
        """
        signer = self._signer()

        def work(tx: Tx) -> tuple[Batch, Decided]:
            batch = self._batch(Batch, tx, signer)
            return batch, batch.decide([unit])[0]

        try:
            batch, decided = self._database.peek(work)
        except BaseException:
            self.forget()
            raise
        self._ahead = Ahead(unit, since, batch)
        return decided if isinstance(decided, FarthingError) else decided[0]

    def finish(self) -> Any:
        """Write what is ahead, and give its answer. Raises: as `run` does."""
        return self._run_ahead([])[0]

    def probe(self) -> bool:
        """Try to write, after a commit could not be written, and tell whether it works again."""
        if self.failing:
            try:
                self._try_to_write()
            except (Unavailable, OutcomeUnknown):
                return False
            self._say_well()
        return True

    def _try_to_write(self) -> None:
        self._checked(_write_something)

    def run(self, units: Sequence[Unit[Any]], since: float) -> list[Any]:
        """Decide and write units; each is answered, with a fault where a bug of ours is in it.

        Raises: Unavailable, OutcomeUnknown; and what a single unit is at fault with.
        """
        if self._ahead is not None:
            return self._run_ahead(units)[1:]
        return self._run(units, since)

    def _run_ahead(self, units: Sequence[Unit[Any]]) -> list[Any]:
        ahead, self._ahead = present(self._ahead, "something is ahead"), None
        return self._run([ahead.unit, *units], ahead.since, ahead.batch)

    def _run(
        self, units: Sequence[Unit[Any]], since: float, begun: Batch | None = None
    ) -> list[Any]:
        try:
            return self._timed(units, since, begun).answers
        except (Unavailable, OutcomeUnknown) as fault:
            self.forget()
            self._say_why(fault)
            raise
        except Exception:
            self.forget()
            if len(units) == 1:
                raise
        # One unit of the batch is at fault, by a bug of ours: the others must not pay for it.
        return [self._run_alone(unit, since) for unit in units]

    def _say_why(self, fault: Exception) -> None:
        """Tell the operator what the disk or the server said, once until it works again."""
        if not self.failing:
            log.error("books.not_writable", why=fault.__cause__ or fault)
        self.failing = True

    def _say_well(self) -> None:
        if self.failing:
            self.failing = False
            log.warning("books.writable")

    def _run_alone(self, unit: Unit[Any], since: float) -> Any:
        try:
            return self._timed([unit], since).answers[0]
        except Exception as fault:
            self.forget()
            return fault

    def _timed(
        self, units: Sequence[Unit[Any]], since: float, begun: Batch | None = None
    ) -> Result:
        began = perf_counter()
        try:
            result = self._transact(units, begun)
        except BaseException:
            self._tell_batch(began - since, perf_counter() - began, len(units), None)
            raise
        judged = result.sitting.judged if result.sitting is not None else NONE_JUDGED
        self._tell_batch(began - since, perf_counter() - began, len(units), result.events, judged)
        return result

    def _tell_batch(
        self,
        waited: float,
        took: float,
        units: int,
        events: Sequence[Event] | None,
        judged: Judged = NONE_JUDGED,
    ) -> None:
        if self._on_batch is None:
            return
        try:
            self._on_batch(waited, took, units, events, judged)
        except Exception as fault:
            # The commit is durable and answered for; who only watches cannot undo that.
            log.error("books.not_counted", fault=fault)

    def _transact(self, units: Sequence[Unit[Any]], begun: Batch | None) -> Result:
        result = self._decide_and_write(units) if begun is None else self._go_on(begun, units)
        self._took(result)
        return result

    def _decide_and_write(self, units: Sequence[Unit[Any]]) -> Result:
        signer = self._signer()
        return self._checked(lambda tx: self._batch(Batch, tx, signer).run(units))

    def _go_on(self, begun: Batch, units: Sequence[Unit[Any]]) -> Result:
        """Write a batch that has decided the first unit, with the others."""
        signer = self._signer()

        def work(tx: Tx) -> Result:
            if not tx.alone:
                return self._batch(Batch, tx, signer).run(units)
            begun.go_on(tx)
            return begun.run(units[1:])

        return self._checked(work)

    def _batch(self, kind: type[Kind], tx: Tx, signer: Signer) -> Kind:
        if not tx.alone:
            self.forget()  # What was read before may not hold any more.
        far = not self._database.exclusive
        return kind(
            tx, self._memory, self._tip, self._clock(), signer, self._chain,
            far=far, court=self._court,
        )  # fmt: skip

    def _took(self, result: Result) -> None:
        """Remember where history ends now, and note the head: its commit is durable."""
        self._tip = result.tip if self._database.exclusive else None
        self._memory.trim()
        self._say_well()
        if result.sitting is not None:
            result.sitting.ended(result.tip)
        if result.head is not None:
            self.commits += 1
            self._same.wrote(result.head)
            self._note(result.head)

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

    def forget(self) -> None:
        """Remember nothing."""
        # What a failed commit left in memory never became true.
        self._memory, self._tip = Memory(), None


def _write_something(tx: Tx) -> None:
    sql = (
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    tx.run(sql, (_PROBE, "x" * _PROBE_BYTES))
