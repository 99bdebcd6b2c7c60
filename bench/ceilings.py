"""The machine's own limits, measured in the same run as what stands beneath them."""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from bench.figures import Ceiling
from farthing.core.ticks import stepped
from farthing.keys import Ed25519Signer, verify

_PAGE = 4096
_BOOKKEEPING = (
    "CREATE TABLE a (id INTEGER PRIMARY KEY, units BIGINT);"
    "CREATE TABLE t (id INTEGER PRIMARY KEY, debit BIGINT, credit BIGINT, amount BIGINT)"
)


def appends_per_s(folder: Path, seconds: float) -> float:
    """Append a page to a file and wait until the disk has it, again and again."""
    path = folder / "appends"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    page = os.urandom(_PAGE)

    def append() -> None:
        os.write(file, page)
        os.fdatasync(file)

    try:
        return _rate(append, seconds)
    finally:
        os.close(file)
        path.unlink()


def verifies_per_s(seconds: float, threads: int = 2) -> float:
    """Verify Ed25519 signatures, and do nothing else, on two threads."""
    signer = Ed25519Signer(bytes(range(32)))
    message = bytes(400)
    signature = signer.sign(message)

    def work(_thread: int) -> float:
        return _rate(lambda: verify(signer.public, signature, message), seconds)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads)))


def steps_per_s(seconds: float) -> float:
    """Hash down a ladder, and do nothing else."""
    return _rate(lambda: stepped(bytes(8), bytes(16), 1000), seconds) * 1000


def bare_rows_per_s(folder: Path, accounts: int, batch: int, seconds: float) -> float:
    """Insert transfers and update both balances in bare SQLite: no checks, ids or history."""
    path = folder / "bare.db"
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("cache_size", -65536)
    connection.execute(_BOOKKEEPING)
    with connection:
        connection.executemany("INSERT INTO a VALUES (?, 0)", [(i,) for i in range(accounts)])
    dice = random.Random(1)

    def commit() -> None:
        pairs = [(dice.randrange(accounts), dice.randrange(accounts)) for _ in range(batch)]
        with connection:
            connection.executemany("INSERT INTO t (debit, credit, amount) VALUES (?, ?, 1)", pairs)
            for column in (0, 1):
                sides = [(pair[column],) for pair in pairs]
                connection.executemany("UPDATE a SET units = units + 1 WHERE id = ?", sides)

    rate = _rate(commit, seconds) * batch
    connection.close()
    for file in folder.glob("bare.db*"):
        file.unlink()
    return rate


def _rate(once: Callable[[], object], seconds: float) -> float:
    started = time.perf_counter()
    done = 0
    while (taken := time.perf_counter() - started) < seconds:
        once()
        done += 1
    return done / taken


class Ceilings:
    """Measured once, when first asked for."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._known: dict[str, float] = {}

    def commits(self, each: float) -> Ceiling:
        """Give the limit of the disk, if every commit carries this many."""
        rate = self._once("appends", lambda: appends_per_s(self._folder, self._seconds))
        return Ceiling(rate * each, f"disk: {rate:.0f} fsynced appends/s x {each:.0f}")

    def signatures(self) -> Ceiling:
        """Give the limit of verifying one signature each."""
        rate = self._once("verifies", lambda: verifies_per_s(self._seconds))
        return Ceiling(rate, "Ed25519 verifies on 2 threads")

    def hash_steps(self) -> Ceiling:
        """Give the limit of hashing one step each; Python hashes so little on one thread only."""
        rate = self._once("steps", lambda: steps_per_s(self._seconds))
        return Ceiling(rate, "hash steps on one thread")

    def bare_rows(self, accounts: int, batch: int) -> Ceiling:
        """Give the limit of SQLite, if nothing but rows had to be written."""
        rate = self._once(
            f"rows {accounts} {batch}",
            lambda: bare_rows_per_s(self._folder, accounts, batch, self._seconds),
        )
        return Ceiling(rate, f"bare SQLite rows, {batch} a commit")

    def _once(self, name: str, measure: Callable[[], float]) -> float:
        if name not in self._known:
            self._known[name] = measure()
        return self._known[name]
