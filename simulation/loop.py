"""An event loop whose time is its own, and in which a seed says which machine takes a step.

Each place (a hub's one life, a client, the network) keeps asyncio's promise: what it was told to
do soon is done in that order. Which of the places goes on is drawn for every single step. Time
passes a little with each step, and jumps to the next timer where nobody has anything to do.
"""

import asyncio
import contextvars
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

PLACE: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="world")
_STEP_SECONDS_MAX = 0.00005

_Timer = tuple[float, float, int, asyncio.TimerHandle]


def at_place(name: str) -> contextvars.Context:
    """Give a context in which everything happens at this place."""
    context = contextvars.copy_context()
    context.run(PLACE.set, name)
    return context


class Ended(BaseException):
    """A hub ended while it wrote: nothing of it goes on from here."""


class SeededLoop(asyncio.AbstractEventLoop):
    """The loop. Shape: `faults` are what callbacks raised and nobody caught."""

    def __init__(self, luck: Random) -> None:
        self._luck, self._now, self.steps = luck, 0.0, 0
        self._ready: dict[str, deque[asyncio.Handle]] = {}
        self._timers: list[_Timer] = []
        self._numbers = 0
        self._tasks: dict[str, WeakSet[asyncio.Task[Any]]] = {}
        self._dead: set[str] = set()
        self._buried: list[Any] = []
        self._closed = False
        self.faults: list[str] = []

    def time(self) -> float:
        """Tell the time of the story, in seconds since its beginning."""
        return self._now

    def is_dead(self, place: str) -> bool:
        """Tell whether a place is gone."""
        return place in self._dead

    def drop(self, place: str) -> None:
        """Let a place end between two steps: nothing that it meant to do happens any more."""
        self._dead.add(place)
        # Kept, so that no `finally` of theirs runs: a crash runs none.
        self._buried += [self._ready.pop(place, None), *self._tasks.pop(place, ())]

    def run(self, first: Coroutine[Any, Any, T]) -> T:
        """Go on until this is done, and give what it gives."""
        events._set_running_loop(self)  # noqa: SLF001 - as every loop does
        try:
            task = self.create_task(first)
            while not task.done():
                self._step()
            return task.result()
        finally:
            events._set_running_loop(None)  # noqa: SLF001

    def _step(self) -> None:
        self._now += self._luck.random() * _STEP_SECONDS_MAX
        if not self._ready:
            if not self._timers:
                raise RuntimeError("nobody has anything to do, and the story is not over")
            self._now = max(self._now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now:
            handle = heapq.heappop(self._timers)[3]
            self._put(handle)
        if not self._ready:
            return  # The timers were those of a place that is gone, or were cancelled.
        names = tuple(self._ready)
        place = names[int(self._luck.random() * len(names))]
        line = self._ready[place]
        handle = line.popleft()
        if not line:
            del self._ready[place]
        self.steps += 1
        if not handle.cancelled():
            handle._run()  # noqa: SLF001

    def _put(self, handle: asyncio.Handle) -> None:
        place = _context_of(handle).get(PLACE, "world")
        if place not in self._dead and not handle.cancelled():
            line = self._ready.get(place)
            if line is None:
                line = self._ready[place] = deque()
            line.append(handle)

    def call_soon(
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Do this in the next turn of its place."""
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Do this after so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Do this at a time; what is due at the same time comes in a drawn order."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._luck.random(), self._numbers, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        """Begin a task, which belongs to the place that begins it."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        place = (context or contextvars.copy_context()).get(PLACE, "world")
        self._tasks.setdefault(place, WeakSet()).add(task)
        setattr(task, "_log_destroy_pending", False)  # noqa: B010 - a crash leaves many
        return task

    def run_in_executor(
        self,
        executor: Any,  # noqa: ARG002 - there is none
        func: Callable[..., T],
        *args: Any,
    ) -> asyncio.Future[T]:
        """Do this at a later turn of its place: there are no threads."""
        heard: asyncio.Future[T] = self.create_future()
        self.call_later(self.turn_seconds(), settle, heard, func, args)
        return heard

    def turn_seconds(self, mean: float = 0.0002) -> float:
        """Draw how long a piece of work waits for its turn."""
        return self._luck.expovariate(1 / mean)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught."""
        fault = context.get("exception")
        if isinstance(fault, Ended):
            return  # Nobody is there any more who could have caught it.
        self.faults.append(f"{context.get('message')}: {fault!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def get_debug(self) -> bool:
        """No."""
        return False

    def is_running(self) -> bool:
        """Yes, whenever anybody asks."""
        return not self._closed

    def is_closed(self) -> bool:
        """Tell whether the story is over."""
        return self._closed

    def close(self) -> None:
        """Do nothing any more."""
        self._closed = True

    def forget(self) -> None:
        """Let go of everything, also of what was kept of those who are gone."""
        for each in (self._ready, self._timers, self._buried, self._tasks):
            each.clear()


def _context_of(handle: asyncio.Handle) -> contextvars.Context:
    return getattr(handle, "_context")  # noqa: B009 - undeclared, and there since Python 3.7


def settle(heard: asyncio.Future[T], work: Callable[..., T], given: tuple[Any, ...]) -> None:
    """Do a piece of work, and tell who waits for it."""
    if heard.cancelled():
        return
    try:
        result = work(*given)
    except BaseException as fault:
        if not heard.done():
            heard.set_exception(fault)
        return
    if not heard.done():
        heard.set_result(result)
