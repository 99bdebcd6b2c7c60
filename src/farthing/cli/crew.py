"""Workers: processes that serve one hub behind one port, and who starts, watches and ends them.

Who starts them opens nothing but what they listen on, runs no thread and no event loop, and so can
fork them; one that ends is started again. Should it end itself, they see that and stop. On SQLite
one more process writes for all of them: it is the first to start and the last to end.
"""

import contextlib
import gc
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import structlog

from farthing.cli.notify import beat_seconds, notify
from farthing.cli.seats import ALIVE, READY, Seat
from farthing.errors import ensure

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
_SHORT_SECONDS = 10.0
"""A worker that lived for less is started again after a pause."""

_TO_STOP = (signal.SIGINT, signal.SIGTERM)
_HEARD = (*_TO_STOP, signal.SIGCHLD)


_WRITER = -1
"""The number of who writes for the workers: they have those from 0."""


class Writer(NamedTuple):
    """Who writes for the workers. Shape: `run` writes until `end` was called by all others."""

    run: Callable[[], None]
    end: Callable[[], None]


@dataclass(slots=True)
class _Member:
    """A worker as its starter sees it. Shape: `hears` is what it tells."""

    number: int
    pid: int
    hears: int
    since: float
    ready: bool = False
    alive: bool = False


class Crew:
    """Starts so many workers, the first one first, and ends when all have.

    Shape: `work` serves in a worker's process, and gives its exit code; a `writer` writes for them.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Seat], int],
        on_ready: Callable[[], None],
        writer: Writer | None = None,
    ) -> None:
        self._count, self._work, self._on_ready = count, work, on_ready
        self._writer = writer
        self._members: dict[int, _Member] = {}
        self._due: dict[int, float] = {}
        self._complete = self._stopping = False
        self._starter, self._held = os.pipe()
        self._code = 0
        self._beaten = 0.0

    def run(self) -> int:
        """Start them, keep them running until told to stop, and give the exit code.

        Shape: a worker that ends before all were ready ends them all, with its code.
        """
        ensure(threading.active_count() == 1, "who forks runs nothing beside")
        with _woken() as woken:
            if self._writer is not None:
                self._due[_WRITER] = 0.0
            self._due[0] = 0.0
            while self._workers() or self._due.keys() - {_WRITER}:
                self._go_on(woken)
            self._due.clear()
            if self._writer is not None:
                self._writer.end()
            while self._members:
                self._go_on(woken)
        os.close(self._held)
        os.close(self._starter)
        return self._code

    def _go_on(self, woken: "_Woken") -> None:
        self._start_due(woken)
        self._wait(woken)
        self._reap()
        self._beat()

    def _workers(self) -> list[_Member]:
        return [member for member in self._members.values() if member.number != _WRITER]

    def _start_due(self, woken: "_Woken") -> None:
        now = time.monotonic()
        for number in [number for number, at in self._due.items() if at <= now]:
            del self._due[number]
            self._start(number, woken)

    def _start(self, number: int, woken: "_Woken") -> None:
        hears, tells = os.pipe()
        os.set_blocking(tells, False)
        gc.collect()  # What is garbage now would be collected, and so copied, in each of them.
        sys.stdout.flush()
        sys.stderr.flush()
        with _later():
            pid = os.fork()
            if pid == 0:
                self._become(number, tells, woken)
        os.close(tells)
        self._members[number] = _Member(number, pid, hears, time.monotonic())

    def _become(self, number: int, tells: int, woken: "_Woken") -> NoReturn:
        """Be a worker, or who writes for them, to the end of this process."""
        code = 1
        try:
            woken.forget()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            os.close(self._held)
            for member in self._members.values():
                os.close(member.hears)
            if number == _WRITER and self._writer is not None:
                self._writer.run()
                code = 0
            else:
                code = self._work(Seat(number, self._count, tells, self._starter))
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _wait(self, woken: "_Woken") -> None:
        told = {member.hears: member for member in self._members.values()}
        readable, _, _ = select.select([woken.reads, *told], [], [], _LOOK_SECONDS)
        for descriptor in readable:
            if descriptor == woken.reads:
                self._heed(woken.signals())
            else:
                self._hear(told[descriptor])

    def _heed(self, signals: set[int]) -> None:
        if not signals.intersection(_TO_STOP):
            return
        if not self._stopping:
            notify("STOPPING=1")
        self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for number in [number for number in self._due if number != _WRITER]:
            del self._due[number]
        for member in self._workers():
            os.kill(member.pid, signal.SIGTERM)

    def _hear(self, member: _Member) -> None:
        said = os.read(member.hears, 4096)
        member.alive = member.alive or ALIVE in said
        if READY in said:
            member.ready = True
            self._welcome(member)

    def _welcome(self, member: _Member) -> None:
        """Start the others once the first is ready; tell when all are for the first time."""
        if self._complete or self._stopping:
            return
        if member.number == 0:
            self._due |= dict.fromkeys(range(1, self._count), 0.0)
        ready = sum(each.ready for each in self._workers())
        if ready == self._count:
            self._complete = True
            self._on_ready()
            notify("READY=1")

    def _reap(self) -> None:
        for member in list(self._members.values()):
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid:
                del self._members[member.number]
                os.close(member.hears)
                self._lost(member, os.waitstatus_to_exitcode(status))

    def _lost(self, member: _Member, code: int) -> None:
        if member.number == _WRITER:
            if self._workers():  # They may have something to finish, also when they stop.
                self._start_again(member)
                log.warning("books.writer_lost", code=code)
        elif self._stopping:
            return
        elif self._complete:
            self._start_again(member)
            log.warning("hub.worker_lost", worker=member.number, code=code)
        else:
            self._code = code if code > 0 else 1
            self._stop()

    def _start_again(self, member: _Member) -> None:
        now = time.monotonic()
        pause = 0.0 if now - member.since > _SHORT_SECONDS else _PAUSE_SECONDS
        self._due[member.number] = now + pause

    def _beat(self) -> None:
        """Tell systemd that all live, if all have said so since the last time."""
        seconds = beat_seconds()
        now = time.monotonic()
        if not seconds or now < self._beaten + seconds or not self._complete:
            return
        if all(member.alive for member in self._workers()):
            self._beaten = now
            notify("WATCHDOG=1")
            for member in self._workers():
                member.alive = False


class _Woken:
    """Signals as bytes that can be waited for."""

    def __init__(self) -> None:
        self.reads, self._writes = os.pipe()
        os.set_blocking(self.reads, False)
        os.set_blocking(self._writes, False)
        self._before = {number: signal.signal(number, _only_wake) for number in _HEARD}
        signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)

    def signals(self) -> set[int]:
        """Give those that came since the last time."""
        return set(os.read(self.reads, 4096))

    def forget(self) -> None:
        """Leave signals as they were before."""
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self.reads)
        os.close(self._writes)


@contextlib.contextmanager
def _later() -> Generator[None]:
    """Have signals wait: one that came to a new process while it still has this one's way of
    hearing them would be heard by nobody, and a worker that was told to end would go on.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _only_wake(_number: int, _frame: object) -> None:
    """Be a handler: without one, no signal wakes anybody."""


@contextlib.contextmanager
def _woken() -> Generator[_Woken]:
    woken = _Woken()
    try:
        yield woken
    finally:
        woken.forget()
