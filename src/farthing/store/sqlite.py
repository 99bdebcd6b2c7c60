# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""SQLite through apsw: WAL, `synchronous=FULL`, one writer held by a file lock, many readers."""

import contextlib
import fcntl
import os
import queue
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from farthing.core.records import Row, Table
from farthing.errors import BadConfig, Unavailable
from farthing.folders import private_folder
from farthing.store.database import RowStream, Tx, nothing
from farthing.store.mapping import mapping
from farthing.store.names import Names
from farthing.store.sqlite_files import BooksFiles, meaning, pages_of_log
from farthing.store.sqlite_sets import flat, for_keys, for_rows, in_pieces
from farthing.threads import Threads

T = TypeVar("T")
_READERS = 4
_BUSY_MS = 5000
_SMALL_PAGES = 256
"""More than a commit of one unit takes; what expired meanwhile may be among it."""


class SqliteTx:
    """A transaction on one connection."""

    dialect = "sqlite"

    def __init__(
        self, connection: apsw.Connection, *, alone: bool = False, names: Names | None = None
    ) -> None:
        self._cursor = connection.cursor()
        self.alone = alone
        self._names = names or Names()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and give all its rows."""
        return self._cursor.execute(sql, values).fetchall()

    def rows_each(self, sql: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query that ends in `= ?` for each of the keys, which are all different."""
        found: list[tuple[Any, ...]] = []
        for piece in in_pieces(keys, 1):
            found += self._cursor.execute(for_keys(sql, len(piece)), piece)
        return found

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._cursor.execute(sql, values)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        for piece in in_pieces(rows, len(rows[0]) if rows else 1):
            many = for_rows(sql, len(piece))
            if many is None:
                self._cursor.executemany(sql, piece)
            else:
                self._cursor.execute(many, flat(piece))

    def fetch(self, table: Table[Row], keys: Sequence[Any]) -> dict[Any, Row]:
        """Get the records that exist under these keys."""
        mapped = mapping(table)
        found = [mapped.row(values) for values in self.rows_each(mapped.one, keys)]
        return {table.key_of(row): row for row in found}

    def add(self, table: Table[Row], rows: Sequence[Row]) -> None:
        """Insert records whose keys are new: half the work of looking for one to replace."""
        self.run_many(mapping(table).insert, self._names.values(self, table, rows))

    def put(self, table: Table[Row], rows: Sequence[Row]) -> None:
        """Insert records, or put them in the place of those with the same keys."""
        self.run_many(mapping(table).upsert, self._names.values(self, table, rows))


class SqliteDatabase:
    """One SQLite file, with this process as its only writer, or only read by it.

    Shape:  `lock` is the writer's lock where this process was born with it, as a descriptor; one
            that is `shared` is written by another process for several, and `ask_once` asks that.
    Raises: Unavailable `store-locked` when another process holds the writer's lock;
            BadConfig `books-missing` when there is no file to read, `books-no-file` when what is
            there is a device, a folder or a pipe: it is left as it is.
    """

    dialect = "sqlite"
    connected = 1

    def __init__(
        self,
        path: Path,
        readers: Threads,
        vfs: str | None = None,
        *,
        read_only: bool = False,
        lock: int | None = None,
        shared: bool = False,
    ) -> None:
        self.exclusive = not shared
        self.ask_once: Callable[[bytes, int, int, int], Awaitable[bool]] | None = None
        self._path, self._vfs, self._readers = path, vfs, readers
        if read_only and not path.exists():
            raise BadConfig("books-missing", f"there are no books at {path}; run farthing init")
        if path.exists() and not path.is_file():
            raise BadConfig("books-no-file", f"{path} is no file; check [books] path")
        self.lock = lock if read_only or lock is not None else take_lock(path)
        self._version, self._pages = None, 0
        self._names = Names()
        self._before_read: Callable[[], None] = nothing
        self._files = BooksFiles(path if vfs is None and not read_only else None)
        self._idle: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        try:
            self._open(writes=not read_only)
        except apsw.Error as fault:
            self._release()
            raise meaning(fault, str(path)) from fault

    def _open(self, *, writes: bool) -> None:
        self._writer = self._connect(writes=writes)
        if writes:
            self._writer.pragma("journal_mode", "wal")
            self._secure_log()
        for _ in range(_READERS):
            self._idle.put(self._connect(writes=False))

    def _secure_log(self) -> None:
        """Wait until the disk has all that is seen: who was killed may have left a commit unsynced.

        Shape: the log is synced first, and only then brought home, for which there may be no room.
        """
        with contextlib.suppress(apsw.FullError, apsw.BusyError):  # Who writes beside us is at it.
            self._writer.wal_checkpoint()

    def _connect(self, writes: bool = True) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        connection = apsw.Connection(
            str(self._path), flags=flags, vfs=self._vfs, statementcachesize=300
        )
        connection.set_busy_timeout(_BUSY_MS)
        connection.pragma("synchronous", "full")
        connection.pragma("cache_size", -65536 if writes else -8192)
        connection.pragma("temp_store", "memory")
        if writes:
            self._log_pages = pages_of_log(self._path.parent)
            connection.set_wal_hook(self._after_commit)
            self._path.chmod(0o600)
        else:
            connection.pragma("query_only", True)
        return connection

    @property
    def prompt(self) -> bool:
        """Whether a small commit waits for the disk once, and does not bring the log home."""
        return self._pages + _SMALL_PAGES < self._log_pages and not self._files.is_cramped

    def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a writing transaction; it is on disk when this returns."""
        self._files.check()
        try:
            self._files.make_room(self._writer)
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                alone = self._still_alone()
                if not alone:
                    self._names.forget()
                result = work(SqliteTx(self._writer, alone=alone, names=self._names))
                self._writer.execute("COMMIT")
            except BaseException:
                self._names.forget()
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
        except apsw.Error as fault:
            if isinstance(fault, apsw.FullError):
                self._files.cramped()
            raise meaning(fault) from fault
        return result

    def turn(self) -> contextlib.AbstractContextManager[None]:
        """Let nobody else write: nobody does, for as long as the writer's lock is held."""
        return contextlib.nullcontext()

    def peek(self, work: Callable[[Tx], T]) -> T:
        """Run `work`, which only reads, on what the writer last left; locks cost as much again."""
        try:
            return work(SqliteTx(self._writer, alone=True))
        except apsw.Error as fault:
            raise meaning(fault) from fault

    def _after_commit(self, writer: apsw.Connection, _name: str, pages: int) -> int:
        """Bring the log home when it is long, as SQLite would; else keep its file ahead of it.

        Shape: the commit is on disk, so nothing that fails here may look as if it were not.
        """
        self._pages = pages
        if pages < self._log_pages:
            self._files.keep_ahead(pages, self._log_pages)
            return apsw.SQLITE_OK
        with contextlib.suppress(apsw.Error):
            writer.wal_checkpoint()
        return apsw.SQLITE_OK

    def _still_alone(self) -> bool:
        """Tell whether nobody else has written since the last transaction."""
        version = self._writer.pragma("data_version")
        alone, self._version = version == self._version, version
        return alone

    def before_reads(self, call: Callable[[], None]) -> None:
        """Call this on the event loop before anybody reads."""
        self._before_read = call

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one consistent snapshot, off the event loop."""
        self._before_read()
        return await self._readers.run(self._read, work)

    def _read(self, work: Callable[[Tx], T]) -> T:
        connection = self._idle.get()
        try:
            connection.execute("BEGIN")
            try:
                return work(SqliteTx(connection))
            finally:
                connection.execute("ROLLBACK")
        except apsw.Error as fault:
            raise meaning(fault) from fault
        finally:
            self._idle.put(connection)

    async def use_once(self, key: bytes, created_s: int, until_s: int, over_s: int) -> bool:
        """Ask who writes for all; leave it to the process where it is alone with these books."""
        if self.ask_once is None:
            return True
        return await self.ask_once(key, created_s, until_s, over_s)

    def stream(self, sql: str, values: Sequence[Any] = ()) -> RowStream:
        """Give a query's rows one after the other, on a connection of their own."""
        return self._connect(writes=False).execute(sql, values)

    def close(self) -> None:
        """Close every connection and release the writer's lock."""
        while not self._idle.empty():
            self._idle.get().close()
        with contextlib.suppress(apsw.Error):
            self._writer.close()  # What it cannot bring home now, the next start reads in the log.
        self._release()

    def _release(self) -> None:
        if self.lock is not None:
            os.close(self.lock)


def take_lock(path: Path) -> int:
    """Take the lock of who writes to a file, and give it as a descriptor: it is free once all are
    closed that were inherited from it.

    Raises: Unavailable `store-locked`.
    """
    private_folder(path.parent)
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Unavailable(
            "store-locked", f"another process is writing to {path}; stop it or talk to its socket"
        ) from None
    return descriptor
