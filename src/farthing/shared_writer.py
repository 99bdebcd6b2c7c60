"""The process that writes the books of one hub for several processes that serve it.

They come in through a door (`books/door.py`), and what they ask together goes into one commit. It
ends when nobody can come in any more and all have left, and not before: a signal that reaches a
whole terminal or service must leave them time to finish what was accepted.
"""

import heapq
import os
import signal
from pathlib import Path
from socket import socket

from farthing.books.callers import Caller, Callers
from farthing.books.door import BEGIN, USE_ONCE
from farthing.books.inbox import joined
from farthing.books.own_process import Setup
from farthing.books.scribe import Scribe, Teller
from farthing.books.sql import BATCH_MAX
from farthing.books.wire import Asked
from farthing.books.writing import Writing
from farthing.clock import NS, system_clock
from farthing.collecting import calm_collector
from farthing.core.chain import Head
from farthing.errors import FarthingError, present
from farthing.huge_pages import huge_pages
from farthing.protocols.message_signatures import before_start
from farthing.risk.settings import judges_of
from farthing.services.heads import HeadsFile
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads

_NO_READERS = Threads(1)
_LEFT_TO_OTHERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class UsedUp:
    """Keys that are good once, as long as they are good at all.

    Shape: what was made before this was is refused: it may have been used by then.
    """

    def __init__(self, since_s: int) -> None:
        self._since_s = since_s
        self._used: set[bytes] = set()
        self._ending: list[tuple[int, bytes]] = []

    def take(self, key: bytes, created_s: int, until_s: int, over_s: int) -> bool:
        """Use up a key; False where it was used up before.

        Raises: Unauthenticated `signature-expired`.
        """
        if created_s < self._since_s:
            raise before_start()
        while self._ending and self._ending[0][0] < over_s:
            self._used.discard(heapq.heappop(self._ending)[1])
        if key in self._used:
            return False
        self._used.add(key)
        heapq.heappush(self._ending, (until_s, key))
        return True


class SharedWriter:
    """Answers all who have come in; opens the books when the first tells where they are."""

    def __init__(self, door: socket, lock: int) -> None:
        self._callers, self._lock = Callers(door), lock
        self._used, self._teller = UsedUp(system_clock() // NS), Teller()
        self._scribe: Scribe | None = None
        self._database: SqliteDatabase | None = None

    def serve(self) -> None:
        """Answer until nobody is left, and let go of the books."""
        try:
            while came := self._callers.gather():
                self._do(came)
        finally:
            if self._database is not None:
                self._database.close()

    def _do(self, came: list[tuple[Caller, Asked]]) -> None:
        """Do at once what needs no commit; then what does, as much as fits in each."""
        waiting: list[tuple[Caller, Asked]] = []
        for caller, asked in came:
            if asked.method in (BEGIN, USE_ONCE):
                self._callers.answer(caller, self._at_once(asked))
            else:
                waiting.append((caller, asked))
        callers = iter([caller for caller, _ in waiting])
        for some in joined([asked for _, asked in waiting], BATCH_MAX):
            for answer in present(self._scribe, "who asks has begun").answers(some):
                self._callers.answer(next(callers), answer)

    def _at_once(self, asked: Asked) -> bytes:
        done, fault = None, None
        try:
            if asked.method == BEGIN:
                self._begin(Setup(*asked.arguments))
            else:
                done = self._used.take(*asked.arguments)
        except FarthingError as raised:
            fault = raised
        return Teller().answer(done, fault, failing=False)

    def _begin(self, setup: Setup) -> None:
        if self._scribe is not None:
            return
        # Where it fails the next who comes in tries again, and the lock must still be held.
        lock, path = os.dup(self._lock), Path(setup.path)
        self._database = SqliteDatabase(path, _NO_READERS, lock=lock)
        self._scribe = Scribe(self._writing(self._database, setup), self._teller)

    def _writing(self, database: SqliteDatabase, setup: Setup) -> Writing:
        teller = self._teller
        heads = HeadsFile(
            Path(present(setup.heads, "heads are noted here")), on_fault=teller.missed
        )

        def headed(head: Head) -> None:
            teller.headed(head)
            heads.append(head)

        told = (teller.clock, headed, setup.chain, teller.committed)
        judges = judges_of(setup.risk) if setup.risk is not None else None
        return Writing(database, lambda: setup.signer, *told, judges=judges)


def write_for_several(door: socket, lock: int) -> None:
    """Be the process that writes: the `door` is the end from which it hears of who joins."""
    for number in _LEFT_TO_OTHERS:
        signal.signal(number, signal.SIG_IGN)
    calm_collector()
    huge_pages()
    SharedWriter(door, lock).serve()
