"""The process that writes the books beside a hub: `python -m farthing.writer_process DESCRIPTOR`.

It is the hub that starts it. It ends when the other end of its socket is closed, and not before:
a signal that reaches a whole terminal or service must leave it time to write what was accepted.
"""

import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from socket import socket
from typing import Any, cast

from farthing.books.inbox import Inbox, joined
from farthing.books.own_process import Setup
from farthing.books.parcels import Answers
from farthing.books.sql import BATCH_MAX
from farthing.books.wire import (
    RUN,
    Answered,
    Asked,
    Commit,
    Unsendable,
    pack,
    why_unsendable,
)
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
        self.commits.append(Commit(waited, seconds, units, events))

    def answer(self, result: Any, fault: BaseException | None, *, failing: bool) -> bytes:
        """Write an answer, with what was gathered."""
        heads, commits = self.heads, self.commits
        self.heads, self.commits = [], []
        try:
            return pack(Answered(result, fault, heads, commits, failing))
        except Unsendable:
            # By a bug of ours one answer is no plain value: who asked beside it hears its own.
            many = cast(list[Any], result) if isinstance(result, list) else []
            result, fault = [_told(each) for each in many], None if many else _told(fault)
            return pack(Answered(result, fault, heads, commits, failing))


def _told(answer: Any) -> Any:
    """Give an answer, or what can be said of one that cannot be sent."""
    why = why_unsendable(answer)
    return answer if why is None else RuntimeError(f"{answer!r}: {why}")


def serve(link: socket) -> None:
    """Write what is asked for, until nobody asks any more."""
    with link:
        inbox = Inbox(link)
        for asked in inbox.gather():
            _begin(link, inbox, Setup(*asked.arguments))


def _begin(link: socket, inbox: Inbox, setup: Setup) -> None:
    teller = Teller()
    if setup.log is not None:
        configure_logs(*setup.log)
    try:
        database = SqliteDatabase(Path(setup.path), _NO_READERS, lock=setup.lock)
    except FarthingError as fault:
        link.sendall(teller.answer(None, fault, failing=True))
        return
    try:
        calm_collector()
        link.sendall(teller.answer(None, None, failing=False))
        _serve(link, inbox, _writing(database, setup, teller), teller)
    finally:
        database.close()


def _serve(link: socket, inbox: Inbox, writing: Writing, teller: Teller) -> None:
    while came := inbox.gather():
        for some in joined(came, BATCH_MAX):
            teller.now_ns = some[-1].now_ns
            if some[0].method == RUN:
                _run(link, some, writing, teller)
            else:
                link.sendall(_answer(some[0], writing, teller))


def _writing(database: SqliteDatabase, setup: Setup, teller: Teller) -> Writing:
    return Writing(
        database,
        lambda: setup.signer,
        teller.clock,
        teller.headed,
        setup.chain,
        teller.committed,
    )


def _run(link: socket, some: Sequence[Asked], writing: Writing, teller: Teller) -> None:
    """Write batches that wait together in one commit, and answer each of them."""
    units = [unit for asked in some for unit in asked.arguments[0]]
    try:
        answers, fault = writing.run(units, min(asked.arguments[1] for asked in some)), None
    except Exception as raised:
        answers, fault = [], raised
    start = 0
    for asked in some:
        end = start + len(asked.arguments[0])
        result = None if fault else Answers(answers[start:end])
        link.sendall(teller.answer(result, fault, failing=writing.failing))
        start = end


def _answer(asked: Asked, writing: Writing, teller: Teller) -> bytes:
    try:
        result, fault = getattr(writing, asked.method)(*asked.arguments), None
    except Exception as raised:
        result, fault = None, raised
    return teller.answer(result, fault, failing=writing.failing)


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
