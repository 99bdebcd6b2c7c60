"""Who writes for the books: what the queue needs of them, and the thread beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Lock
from time import perf_counter
from typing import Any, Protocol, TypeVar, TypeVarTuple

from farthing.books.base import Done, Tx
from farthing.books.court import Recalled
from farthing.books.solitude import Solitude
from farthing.books.writing import Writing
from farthing.core.decisions import Unit
from farthing.core.judgements import Ranked
from farthing.errors import FarthingError, OutcomeUnknown, Unavailable
from farthing.threads import Threads

T = TypeVar("T")
Given = TypeVarTuple("Given")


class Writer(Protocol):
    """Writes off the event loop, one commit at a time.

    Shape: `failing` tells that the last thing that was written could not be; one that `joins` may
           be given batches while it writes: what waits there goes into its next commit.
    """

    @property
    def joins(self) -> bool: ...

    @property
    def failing(self) -> bool: ...
    @property
    def commits(self) -> int: ...

    def run(self, units: Sequence[Unit[Any]], since: float) -> "asyncio.Future[list[Any]]":
        """Decide and write units, the first of which waits since then; it may be done already."""
        ...

    @property
    def is_ahead(self) -> bool:
        """Whether a unit is decided and waits to be written with the next one."""
        ...

    def decide(
        self, unit: Unit[T], since: float, waits: Callable[[T], bool]
    ) -> Done[T] | FarthingError | None:
        """Decide a lone unit, and write it with the next one if its answer waits for that, or now.

        Shape:  None, and nothing is decided, where it has to be run like others.
        Raises: Unavailable, OutcomeUnknown, and what the unit is at fault with.
        """
        ...

    def finish(self) -> bool:
        """Write what is ahead, on the event loop; False while somebody else writes."""
        ...

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out, between two batches."""
        ...

    async def probe(self) -> bool:
        """Try to write, and tell whether it works again."""
        ...

    async def recall(self, leaves: int) -> Recalled:
        """Read a step of the history that orders are judged by, between two batches."""
        ...

    async def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that were answered."""
        ...

    async def close(self) -> None:
        """Let go of the database, once nothing is under way."""
        ...


class OnThread:
    """Writes on the one thread of these, and on the event loop what comes alone (`solitude.py`)."""

    joins = False

    def __init__(self, writing: Writing, threads: Threads) -> None:
        self._writing, self._threads = writing, threads
        self._solitude = Solitude()
        self._turn = Lock()
        """Held by whoever writes: the thread may be busy with what nobody waits for any more."""

    @property
    def failing(self) -> bool:
        """Whether the last thing that was written could not be."""
        return self._writing.failing

    @property
    def commits(self) -> int:
        """How many commits were written."""
        return self._writing.commits

    def run(self, units: Sequence[Unit[Any]], since: float) -> "asyncio.Future[list[Any]]":
        """Decide and write units; one that was alone may be written by now."""
        if len(units) == 1 and self._has_turn():
            return self._run_here(units, since)
        return self._threads.run(self._in_turn, self._run, units, since)

    @property
    def is_ahead(self) -> bool:
        """Whether a unit is decided and waits to be written with the next one."""
        return self._writing.is_ahead

    def decide(
        self, unit: Unit[T], since: float, waits: Callable[[T], bool]
    ) -> Done[T] | FarthingError | None:
        """Decide a lone unit, if others were alone before it."""
        if self._writing.is_ahead or not self._has_turn():
            return None
        try:
            answer = self._writing.decide(unit, since)
            if isinstance(answer, FarthingError) or not waits(answer):
                return self._finish()
            return Done(answer)
        finally:
            self._turn.release()

    def finish(self) -> bool:
        """Write what is ahead; the log says why, where that fails."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if self._writing.is_ahead:
                self._finish()
        except (Unavailable, OutcomeUnknown):
            pass
        finally:
            self._turn.release()
        return True

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out."""
        await self._threads.run(self._in_turn, self._writing.tidy, work)

    async def probe(self) -> bool:
        """Try to write."""
        return await self._threads.run(self._in_turn, self._writing.probe)

    async def recall(self, leaves: int) -> Recalled:
        """Read a step of the history that orders are judged by."""
        return await self._threads.run(self._in_turn, self._writing.recall, leaves)

    async def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that were answered."""
        await self._threads.run(self._in_turn, self._writing.heed, ranked)

    async def close(self) -> None:
        """Leave the threads and the database to who gave them."""

    def _run_here(self, units: Sequence[Unit[Any]], since: float) -> "asyncio.Future[list[Any]]":
        heard: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        try:
            heard.set_result(self._run(units, since))
        except BaseException as fault:
            heard.set_exception(fault)
        finally:
            self._turn.release()
        return heard

    def _has_turn(self) -> bool:
        """Take the turn, if the event loop may write now."""
        lone = self._solitude.lasts and self._writing.prompt
        return lone and self._turn.acquire(blocking=False)

    def _finish(self) -> Any:
        began = perf_counter()
        try:
            return self._writing.finish()
        finally:
            self._solitude.wrote(1, perf_counter() - began)

    def _in_turn(self, work: Callable[[*Given], T], *given: *Given) -> T:
        with self._turn:
            return work(*given)

    def _run(self, units: Sequence[Unit[Any]], since: float) -> list[Any]:
        began = perf_counter()
        try:
            return self._writing.run(units, since)
        finally:
            self._solitude.wrote(len(units), perf_counter() - began)
