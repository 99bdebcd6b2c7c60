"""The hub's end of the socket pair that joins it to its writing process, and how one is started."""

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from socket import socketpair
from typing import Any, Protocol

from farthing.books.wire import Answered, whole
from farthing.errors import OutcomeUnknown

_PATIENCE_SECONDS = 60


class Process(Protocol):
    """A process that was started, as the hub knows it."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> object:
        """Wait until it has ended. Raises: subprocess.TimeoutExpired."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


Spawn = Callable[[int, int | None], Process]
"""Starts the process, with its end of a socket pair and the writer's lock."""


class Link(asyncio.Protocol):
    """The hub's end: questions go out, and are answered in their order."""

    def __init__(self, process: Process, tell: Callable[[Answered], None]) -> None:
        self.process, self._tell = process, tell
        self._waiting: deque[asyncio.Future[Answered]] = deque()
        self._heard = bytearray()
        self._transport: asyncio.WriteTransport | None = None
        self.is_lost = False

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport

    def ask(self, message: bytes) -> "asyncio.Future[Answered]":
        """Send a question. Raises: OutcomeUnknown when the process is lost meanwhile."""
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        if self._transport is None or self.is_lost:
            answer.set_exception(_lost())
        else:
            self._waiting.append(answer)
            self._transport.write(message)
        return answer

    def data_received(self, data: bytes) -> None:
        """Hear answers."""
        self._heard += data
        for answered in whole(self._heard):
            self._answered(answered)

    def _answered(self, answered: Answered) -> None:
        self._tell(answered)
        waiting = self._waiting.popleft()
        if not waiting.done():
            waiting.set_result(answered)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Nobody will answer what is under way."""
        self.is_lost = True
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(_lost())

    async def close(self) -> None:
        """Wait until the process has ended: by itself, as it hears nobody any more."""
        if self._transport is not None:
            self._transport.close()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        try:
            self.process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


async def open_link(spawn: Spawn, lock: int | None, tell: Callable[[Answered], None]) -> Link:
    """Start a writing process, and join it.

    Raises: OSError when it cannot be started.
    """
    ours, theirs = socketpair()
    with theirs:
        try:
            process = spawn(theirs.fileno(), lock)
        except OSError:
            ours.close()
            raise
    link = Link(process, tell)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=ours)
    return link


def spawn_writer(end: int, lock: int | None) -> "subprocess.Popen[bytes]":
    """Start the writing process of this hub's own program."""
    # -P: what lies in the folder that the hub was started in is none of its modules.
    command = [sys.executable, "-P", "-m", "farthing.writer_process", str(end)]
    handed = [end] if lock is None else [end, lock]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=handed)  # noqa: S603 - ours


def _lost() -> OutcomeUnknown:
    detail = "the writing process was lost; ask again with the same id"
    return OutcomeUnknown("commit-unheard", detail)
