"""The process that writes the books beside a hub: `python -m farthing.writer_process DESCRIPTOR`.

It is the hub that starts it. It ends when the other end of its socket is closed, and not before:
a signal that reaches a whole terminal or service must leave it time to write what was accepted.
"""

import contextlib
import signal
import sys
from pathlib import Path
from socket import socket

from farthing.books.inbox import Inbox, joined
from farthing.books.own_process import Setup
from farthing.books.scribe import Scribe, Teller
from farthing.books.sql import BATCH_MAX
from farthing.books.writing import Writing
from farthing.collecting import calm_collector
from farthing.errors import FarthingError
from farthing.huge_pages import huge_pages
from farthing.logs import configure_logs
from farthing.risk.settings import judges_of
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads

_NO_READERS = Threads(1)
_LEFT_TO_THE_HUB = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        huge_pages()
        link.sendall(teller.answer(None, None, failing=False))
        _serve(link, inbox, _scribe(database, setup, teller))
    finally:
        database.close()


def _serve(link: socket, inbox: Inbox, scribe: Scribe) -> None:
    while came := inbox.gather():
        for some in joined(came, BATCH_MAX):
            for answer in scribe.answers(some):
                link.sendall(answer)


def _scribe(database: SqliteDatabase, setup: Setup, teller: Teller) -> Scribe:
    told = (teller.clock, teller.headed, setup.chain, teller.committed)
    judges = judges_of(setup.risk) if setup.risk is not None else None
    return Scribe(Writing(database, lambda: setup.signer, *told, judges=judges), teller)


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
