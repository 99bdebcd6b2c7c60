"""Threads that work for an event loop, with as little between the two as can be.

A lone payment goes to a thread and back three times. Python's own pool makes a future with a lock
and a condition for each piece of work, and chains a second one to it; where the processor was
asleep that takes longer than verifying a signature does.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

from farthing.errors import Unavailable

T = TypeVar("T")
Given = TypeVarTuple("Given")

_Work = tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]


class Threads:
    """Some threads that do pieces of work in the order in which they are handed over.

    Shape: `name` is what they are called, with a number. They begin with the first work.
    """

    def __init__(self, count: int, name: str = "farthing") -> None:
        self._count, self._name = count, name
        self._waiting: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def run(self, work: Callable[[*Given], T], *given: *Given) -> asyncio.Future[T]:
        """Have a thread do this; call it on the event loop, which then hears of the end.

        Raises: Unavailable `books-closed` once they were closed: their hub is shutting down.
        """
        if self._closed:
            raise Unavailable("books-closed", "the hub is shutting down; try again shortly")
        if len(self._threads) < self._count:
            self._begin()
        heard: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put((heard, work, given))
        return heard

    def close(self, *, wait: bool = True) -> None:
        """Finish what was handed over, and end."""
        self._closed = True
        ending, self._threads = self._threads, []
        for _ in ending:
            self._waiting.put(None)
        if wait:
            for thread in ending:
                thread.join()

    def __enter__(self) -> "Threads":
        """Begin."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Close."""
        self.close()

    def _begin(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = threading.Thread(target=_work_on, args=(self._waiting,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()


def _work_on(waiting: "queue.SimpleQueue[_Work | None]") -> None:
    while (taken := waiting.get()) is not None:
        heard, work, given = taken
        if not heard.cancelled():
            _tell(heard, *_done(work, given))
        del taken, heard, work, given  # Nothing is held while there is nothing to do.


def _done(work: Callable[..., Any], given: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    try:
        return work(*given), None
    except BaseException as fault:
        return None, fault


def _tell(heard: asyncio.Future[Any], result: Any, fault: BaseException | None) -> None:
    with contextlib.suppress(RuntimeError):  # A loop that is closed has nobody who waits.
        heard.get_loop().call_soon_threadsafe(_settle, heard, result, fault)


def _settle(heard: asyncio.Future[Any], result: Any, fault: BaseException | None) -> None:
    if heard.done():
        return
    if fault is None:
        heard.set_result(result)
    else:
        heard.set_exception(fault)
