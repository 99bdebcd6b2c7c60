"""Who writes for the books: what the queue needs of them, and the thread beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from farthing.books.base import Tx
from farthing.books.writing import Writing
from farthing.core.decisions import Unit
from farthing.threads import Threads


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
        """Decide and write units, the first of which waits since then."""
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
    """Writes on the one thread of these."""

    joins = False

    def __init__(self, writing: Writing, threads: Threads) -> None:
        self._writing, self._threads = writing, threads

    @property
    def failing(self) -> bool:
        """Whether the last thing that was written could not be."""
        return self._writing.failing

    @property
    def commits(self) -> int:
        """How many commits were written."""
        return self._writing.commits

    def run(self, units: Sequence[Unit[Any]], since: float) -> "asyncio.Future[list[Any]]":
        """Decide and write units."""
        return self._threads.run(self._writing.run, units, since)

    async def tidy(self, work: Callable[[Tx], None]) -> None:
        """Delete what has run out."""
        await self._threads.run(self._writing.tidy, work)

    async def probe(self) -> bool:
        """Try to write."""
        return await self._threads.run(self._writing.probe)

    async def close(self) -> None:
        """Leave the threads and the database to who gave them."""
