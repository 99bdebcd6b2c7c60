"""Who writes for the books: what the queue needs of them, and the thread beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Lock
from time import perf_counter
from typing import Any, Protocol, TypeVar, TypeVarTuple

from farthing.books.base import Tx
from farthing.books.solitude import Solitude
from farthing.books.writing import Writing
from farthing.core.decisions import Unit
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

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out, between two batches."""
        ...

    async def probe(self) -> bool:
        """Try to write, and tell whether it works again."""
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
        if (
            len(units) == 1
            and self._solitude.lasts
            and self._writing.prompt
            and self._turn.acquire(blocking=False)
        ):
            return self._run_here(units, since)
        return self._threads.run(self._in_turn, self._run, units, since)

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out."""
        await self._threads.run(self._in_turn, self._writing.tidy, work)

    async def probe(self) -> bool:
        """Try to write."""
        return await self._threads.run(self._in_turn, self._writing.probe)

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

    def _in_turn(self, work: Callable[[*Given], T], *given: *Given) -> T:
        with self._turn:
            return work(*given)

    def _run(self, units: Sequence[Unit[Any]], since: float) -> list[Any]:
        began = perf_counter()
        try:
            return self._writing.run(units, since)
        finally:
            self._solitude.wrote(len(units), perf_counter() - began)
