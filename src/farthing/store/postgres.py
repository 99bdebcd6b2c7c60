"""PostgreSQL through psycopg: many hub processes on one database, their commits one at a time.

Every writing transaction first takes one advisory lock and gives it back as it becomes visible.
So there are no deadlocks and no conflicts to repeat, what is read is what the commit before left,
and numbers given in order become visible in order.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg

from farthing.errors import OutcomeUnknown, ensure
from farthing.store.database import RowStream, Tx, nothing
from farthing.store.names import Names
from farthing.store.postgres_connections import (
    completed,
    connect,
    connect_writer,
    is_outside,
    meant,
    pool_of,
    roll_back,
)
from farthing.store.postgres_sets import translated
from farthing.store.postgres_tx import PostgresTx, Shapes
from farthing.threads import Threads

T = TypeVar("T")

_STREAM_ROWS = 2000
_LOCK = int.from_bytes(b"farthing", "big")

# Each use lets go of some keys whose time is over; so there are never many more than are in use.
_USE_ONCE = b"""
    WITH over AS (DELETE FROM used_keys WHERE key IN (
        SELECT key FROM used_keys WHERE until < %s ORDER BY until LIMIT 4 FOR UPDATE SKIP LOCKED))
    INSERT INTO used_keys (key, until) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING 1
"""
# A server that was stopped while a commit waited for its standby shows that commit when it is back,
# before the standby has it. Whoever reads it there must not tell of it; having written something
# behind it, he waits for the standby as a commit does.
_BEHIND_ALL = b"SELECT pg_logical_emit_message(true, 'farthing', '')"

# The same lock as a transaction's, held beyond it. Nobody may be silent with it for long.
_TAKE_TURN = b"SELECT set_config('idle_session_timeout', '10s', false), pg_advisory_lock(%s)"
_GIVE_TURN = b"SELECT pg_advisory_unlock(%s), set_config('idle_session_timeout', '0', false)"


class PostgresDatabase:
    """One PostgreSQL database (15 or newer), shared with other hub processes.

    Raises: PlugMissing without psycopg; BadConfig for a server that cannot keep books;
            Unavailable when it cannot be reached.
    """

    dialect = "postgresql"
    exclusive = False
    prompt = False

    def __init__(self, dsn: str, readers: Threads) -> None:
        self._dsn, self._readers = completed(dsn), readers
        self._before_read: Callable[[], None] = nothing
        self._shapes, self._names = Shapes(), Names()
        self._turn = threading.Lock()
        self._writer, self.connected = connect_writer(self._dsn), 1
        self._caught_up = 0
        """The newest connection on which all that was read is where it has to be."""
        self._pool = pool_of(self._dsn)

    def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a writing transaction; it is on disk when this returns.

        Raises: Unavailable when nothing was done; OutcomeUnknown when the connection was lost
                while the server committed.
        """
        with self._turn:
            if self._writer.closed:
                self._reconnect()
            try:
                result = self._attempt(work)
            except psycopg.Error as fault:
                if not (is_outside(fault) and self._writer.closed):
                    raise meant(fault) from fault
                # The server was restarted since the last commit; nothing was committed yet.
                self._reconnect()
                try:
                    result = self._attempt(work)
                except psycopg.Error as again:
                    raise meant(again) from again
            self._commit()
        return result

    def _reconnect(self) -> None:
        self._writer = connect_writer(self._dsn)
        self._names.forget()  # It may be another server, which lacks the last of them.
        self.connected += 1

    def _attempt(self, work: Callable[[Tx], T]) -> T:
        connection = self._writer
        try:
            with connection.pipeline() as pipeline:
                connection.execute(b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
                connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                if self._caught_up != self.connected:
                    connection.execute(_BEHIND_ALL)
                result = work(PostgresTx(connection, self._shapes, pipeline, self._names))
        except BaseException:
            self._names.forget()
            roll_back(connection)
            raise
        return result

    def _commit(self) -> None:
        try:
            said = self._writer.execute(b"COMMIT").statusmessage
        except psycopg.Error as fault:
            self._names.forget()
            unheard = self._writer.closed or (fault.sqlstate or "57P").startswith("57P")
            roll_back(self._writer)
            if unheard:
                raise OutcomeUnknown(
                    "commit-unheard", "the connection was lost during a commit; look it up"
                ) from fault
            raise meant(fault) from fault
        ensure(said == "COMMIT", "a transaction whose statements succeeded is committed")
        self._caught_up = self.connected

    @contextmanager
    def turn(self) -> Generator[None]:
        """Let no other hub write until it is over; it ends with the connection."""
        with self._turn:
            self._take_turn()
        try:
            yield
        finally:
            with self._turn, suppress(psycopg.Error):  # A lost connection has let go by itself.
                if not self._writer.closed:
                    self._writer.execute(_GIVE_TURN, (_LOCK,))

    def _take_turn(self) -> None:
        try:
            if not self._writer.closed:
                self._writer.execute(_TAKE_TURN, (_LOCK,))
                return
        except psycopg.Error as fault:
            if not self._writer.closed:
                raise meant(fault) from fault
        self._reconnect()  # The server was restarted since the last commit.
        try:
            self._writer.execute(_TAKE_TURN, (_LOCK,))
        except psycopg.Error as fault:
            raise meant(fault) from fault

    def peek(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a transaction: others write here at any time."""
        return self.transact(work)

    def before_reads(self, call: Callable[[], None]) -> None:
        """Call this on the event loop before anybody reads."""
        self._before_read = call

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one consistent snapshot, off the event loop."""
        self._before_read()
        return await self._readers.run(self._read, work)

    def _read(self, work: Callable[[Tx], T]) -> T:
        try:
            return self._read_once(work)
        except psycopg.OperationalError:
            try:
                self._pool.check()  # After a restart the idle connections are all dead.
                return self._read_once(work)
            except psycopg.Error as fault:
                raise meant(fault) from fault

    def _read_once(self, work: Callable[[Tx], T]) -> T:
        with self._pool.connection() as connection:
            connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                return work(PostgresTx(connection, self._shapes))
            finally:
                roll_back(connection)

    async def use_once(self, key: bytes, created_s: int, until_s: int, over_s: int) -> bool:  # noqa: ARG002
        """Use up a key for all hubs on this database; it waits for no disk and no payment."""
        values = (over_s, key, until_s)
        return await self._readers.run(self._use_once, values)

    def _use_once(self, values: tuple[int, bytes, int]) -> bool:
        try:
            with self._pool.connection() as connection:
                return bool(connection.execute(_USE_ONCE, values).fetchall())
        except psycopg.Error as fault:
            raise meant(fault) from fault

    def stream(self, sql: str, values: Sequence[Any] = ()) -> RowStream:
        """Give a query's rows one after the other, on a connection of their own."""
        return self._stream(sql, values)

    def _stream(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        connection = connect(self._dsn)
        try:
            connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            with connection.cursor(name="farthing") as cursor:
                cursor.itersize = _STREAM_ROWS
                cursor.execute(translated(sql), values, binary=True)
                yield from cursor
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()
        self._writer.close()
