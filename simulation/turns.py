"""Threads that are none: each piece of work is one callback, at a drawn later turn of its hub."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, cast

from farthing.errors import Unavailable
from farthing.threads import Threads
from simulation.loop import SeededLoop, settle

T = TypeVar("T")
Given = TypeVarTuple("Given")


class Turns(Threads):
    """Work that is done one piece after the other, by as many as there are.

    Shape: `seconds` draws how long a piece takes to be begun.
    """

    def __init__(self, count: int, name: str, seconds: Callable[[str], float]) -> None:
        super().__init__(count, name)
        self._what, self._seconds, self._ends = name, seconds, [0.0] * count

    def run(self, work: Callable[[*Given], T], *given: *Given) -> asyncio.Future[T]:
        """Have it done at a later turn."""
        if self._closed:
            raise Unavailable("books-closed", "the hub is shutting down; try again shortly")
        loop = cast(SeededLoop, asyncio.get_running_loop())
        heard: asyncio.Future[T] = loop.create_future()
        free = min(range(len(self._ends)), key=self._ends.__getitem__)
        begins = max(loop.time(), self._ends[free]) + self._seconds(self._what)
        self._ends[free] = begins
        loop.call_at(begins, settle, heard, cast(Any, work), given)
        return heard
