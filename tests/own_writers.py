"""Writing processes for tests that need hundreds: each is forked from one that imported it all.

To start one takes a third of a second otherwise, most of it imports. Nothing else differs from
what a hub has: a process of its own, its end of a socket pair, and the lock of the books.
"""

import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from socket import recv_fds, send_fds, socket, socketpair
from struct import Struct
from typing import Any

from farthing import writer_process
from farthing.books.own_process import OwnProcess, Setup
from farthing.books.sql import SqlBooks
from farthing.clock import Clock
from farthing.core.judgements import Judges
from farthing.keys import Signer
from farthing.risk.settings import judges_of
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads
from tests.clusters import Kept

_ROOT = Path(__file__).parents[1]
_NUMBER = Struct("<q")
_NO_LOCK = -1
_OUT_OF_THE_WAY = 500


class WrittenBeside(SqliteDatabase):
    """A database in a file whose books are written by another process."""

    def __init__(self, path: Path, readers: Threads) -> None:
        super().__init__(path, readers)
        self.path = path


def books_on(
    database: Any,
    signer: Signer,
    clock: Clock,
    writer: Threads,
    risk: Mapping[str, Any] | None = None,
    judges: Judges | None = None,
) -> SqlBooks:
    """Give books on a database, written where that database wants it, and judged as told."""
    kept_by = database.kept_by if isinstance(database, Kept) else None
    if risk is not None:
        judges = judges_of(risk)
    books = SqlBooks(database, lambda: signer, clock, writer, kept_by=kept_by, judges=judges)
    if isinstance(database, WrittenBeside):
        setup = Setup(str(database.path), database.lock, signer, risk=risk)
        books.hand_over(OwnProcess(setup, clock, spawn=nursery().spawn))
    return books


class Forked:
    """What a hub knows of a process: here it is the child of another one."""

    returncode = 0

    def __init__(self, pid: int, gone: int) -> None:
        self.pid, self._gone = pid, gone

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it has ended: nobody holds the other end of the pipe then."""
        if self._gone < 0:
            return
        if not select.select([self._gone], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("a forked writer", timeout or 0)
        os.close(self._gone)
        self._gone = -1

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """The process that others are forked from; it ends with this one."""

    def __init__(self) -> None:
        self._link, theirs = socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.own_writers", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=_ROOT, pass_fds=[theirs.fileno()])

    def spawn(self, end: int, lock: int | None) -> Forked:
        """Fork a writing process with these descriptors, as `OwnProcess` starts one."""
        gone, held = os.pipe()
        handed = [end, held] if lock is None else [end, held, lock]
        send_fds(self._link, [_NUMBER.pack(_NO_LOCK if lock is None else lock)], handed)
        os.close(held)
        return Forked(*_NUMBER.unpack(self._link.recv(_NUMBER.size)), gone)


@cache
def nursery() -> Nursery:
    """Give the one of this test process."""
    return Nursery()


def _fork_as_told(link: socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how they ended.
    while True:
        told, handed, _, _ = recv_fds(link, _NUMBER.size, 3)
        if not told:
            return
        pid = os.fork()
        if not pid:
            link.close()
            _be_a_writer(handed, *_NUMBER.unpack(told))
        for descriptor in handed:
            os.close(descriptor)
        link.sendall(_NUMBER.pack(pid))


def _be_a_writer(handed: list[int], lock: int) -> None:
    """Do what its program does: the lock has the number here that the hub will name."""
    end = os.dup2(handed[0], _OUT_OF_THE_WAY)
    os.dup2(handed[1], _OUT_OF_THE_WAY + 1)
    if lock != _NO_LOCK:
        os.dup2(os.dup2(handed[2], _OUT_OF_THE_WAY + 2), lock)
    sys.argv[1] = str(end)
    try:
        writer_process.main()
    except BaseException:
        traceback.print_exc()
    os._exit(0)


if __name__ == "__main__":
    _fork_as_told(socket(fileno=int(sys.argv[1])))
