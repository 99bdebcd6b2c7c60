"""The process that writes the books beside a hub: `python -m farthing.writer_process DESCRIPTOR`.

It is the hub that starts it. It ends when the other end of its socket is closed, and not before:
a signal that reaches a whole terminal or service must leave it time to write what was accepted.
"""

import contextlib
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from socket import socket
from typing import IO, Any

from farthing.books.own_process import Setup
from farthing.books.wire import LENGTH, Answered, Asked, Commit, counted, pack, unpack
from farthing.books.writing import Writing
from farthing.collecting import calm_collector
from farthing.core.chain import Head
from farthing.errors import FarthingError
from farthing.logs import configure_logs
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads

_NO_READERS = Threads(1)
_LEFT_TO_THE_HUB = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Teller:
    """Gathers what is told of commits until the next answer, and keeps the hub's time."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.commits: list[Commit] = []
        self.now_ns = 0

    def clock(self) -> int:
        """Give the time at which the hub asked."""
        return self.now_ns

    def headed(self, head: Head) -> None:
        """Note a head."""
        self.heads.append(head)

    def committed(self, waited: float, seconds: float, units: int, events: Any) -> None:
        """Note a commit."""
        self.commits.append(Commit(waited, seconds, units, counted(events)))

    def answer(self, result: Any, fault: BaseException | None, *, failing: bool) -> bytes:
        """Write an answer, with what was gathered."""
        heads, commits = self.heads, self.commits
        self.heads, self.commits = [], []
        try:
            return pack(Answered(result, fault, heads, commits, failing))
        except (pickle.PicklingError, TypeError, AttributeError) as why:
            broken = RuntimeError(f"an answer that cannot be sent: {why}: {fault!r}")
            return pack(Answered(None, broken, heads, commits, failing))


def serve(link: socket) -> None:
    """Write what is asked for, until nobody asks any more."""
    with link, link.makefile("rb") as heard:
        asked = _hear(heard)
        if asked is None:
            return
        teller = Teller()
        setup = Setup(*asked.arguments)
        if setup.log is not None:
            configure_logs(*setup.log)
        try:
            database = SqliteDatabase(Path(setup.path), _NO_READERS, lock=setup.lock)
        except FarthingError as fault:
            link.sendall(teller.answer(None, fault, failing=True))
            return
        try:
            _serve(link, heard, _writing(database, setup, teller), teller)
        finally:
            database.close()


def _serve(link: socket, heard: IO[bytes], writing: Writing, teller: Teller) -> None:
    calm_collector()
    link.sendall(teller.answer(None, None, failing=False))
    while (asked := _hear(heard)) is not None:
        teller.now_ns = asked.now_ns
        link.sendall(_answer(getattr(writing, asked.method), asked, writing, teller))


def _writing(database: SqliteDatabase, setup: Setup, teller: Teller) -> Writing:
    return Writing(
        database,
        lambda: setup.signer,
        teller.clock,
        teller.headed,
        setup.chain,
        teller.committed,
    )


def _answer(work: Callable[..., Any], asked: Asked, writing: Writing, teller: Teller) -> bytes:
    try:
        result, fault = work(*asked.arguments), None
    except Exception as raised:
        result, fault = None, raised
    return teller.answer(result, fault, failing=writing.failing)


def _hear(heard: IO[bytes]) -> Asked | None:
    head = heard.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    size = LENGTH.unpack(head)[0]
    body = heard.read(size)
    return unpack(body) if len(body) == size else None


def main() -> None:
    """Serve the socket that was handed down."""
    for number in _LEFT_TO_THE_HUB:
        signal.signal(number, signal.SIG_IGN)
    # A hub that is gone hears no answer: what it asked for last is written or not, as after any
    # crash, and whoever waited for it asks again.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        serve(socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
