"""PostgreSQL through psycopg: many hub processes on one database, their commits one at a time.

Every writing transaction first takes one advisory lock and gives it back as it becomes visible.
So there are no deadlocks and no conflicts to repeat, what is read is what the commit before left,
and numbers given in order become visible in order.
"""

import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from farthing.errors import (
    BadConfig,
    FarthingError,
    OutcomeUnknown,
    PlugMissing,
    Unavailable,
    ensure,
)
from farthing.store.database import RowStream, Tx, nothing
from farthing.store.names import Names
from farthing.store.postgres_sets import translated
from farthing.store.postgres_tx import PostgresTx, Shapes
from farthing.threads import Threads

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.types.numeric import Int8Dumper
    from psycopg_pool import ConnectionPool
except ImportError as missing:
    raise PlugMissing("postgres-missing", "run: pip install 'farthing[postgres]'") from missing

Connection = psycopg.Connection[tuple[Any, ...]]

T = TypeVar("T")

VERSION_MIN = 15
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
_VERIFIED = {"sslmode": "verify-full"}
_READERS = 4
_CONNECT_SECONDS = 10
_POOL_SECONDS = 2
_STREAM_ROWS = 2000
_REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.DuplicateTable,
    psycopg.errors.UndefinedTable,
)
"""What somebody else did to the database, or did not let us do."""
_LOCK = int.from_bytes(b"farthing", "big")

_ABOUT = b"""
    SELECT current_setting('server_encoding'), current_setting('fsync'), pg_is_in_recovery(),
           current_setting('synchronous_commit')
"""
# A lock that is not given back stops every hub, so nobody may hold it for long: who is silent with
# it, as a machine that lost its power, loses it before others lose their patience. Look-ups are
# all by key: a plan made while a table was small must not read it whole when it has grown.
_SESSION = b"""
    SELECT set_config('lock_timeout', '15s', false),
           set_config('idle_in_transaction_session_timeout', '8s', false),
           set_config('tcp_keepalives_idle', '4', false),
           set_config('tcp_keepalives_interval', '2', false),
           set_config('tcp_keepalives_count', '2', false),
           set_config('tcp_user_timeout', '8000', false),
           set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)
"""
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
_DURABLE = b"SELECT set_config('synchronous_commit', 'on', false)"


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
        self._dsn, self._readers = _completed(dsn), readers
        self._before_read: Callable[[], None] = nothing
        self._shapes, self._names = Shapes(), Names()
        self._turn = threading.Lock()
        self._writer, self.connected = _connect_writer(self._dsn), 1
        self._caught_up = 0
        """The newest connection on which all that was read is where it has to be."""
        self._pool = _pool(self._dsn)

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
                if not (_is_outside(fault) and self._writer.closed):
                    raise _meant(fault) from fault
                # The server was restarted since the last commit; nothing was committed yet.
                self._reconnect()
                try:
                    result = self._attempt(work)
                except psycopg.Error as again:
                    raise _meant(again) from again
            self._commit()
        return result

    def _reconnect(self) -> None:
        self._writer = _connect_writer(self._dsn)
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
            _roll_back(connection)
            raise
        return result

    def _commit(self) -> None:
        try:
            said = self._writer.execute(b"COMMIT").statusmessage
        except psycopg.Error as fault:
            self._names.forget()
            unheard = self._writer.closed or (fault.sqlstate or "57P").startswith("57P")
            _roll_back(self._writer)
            if unheard:
                raise OutcomeUnknown(
                    "commit-unheard", "the connection was lost during a commit; look it up"
                ) from fault
            raise _meant(fault) from fault
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
                raise _meant(fault) from fault
        self._reconnect()  # The server was restarted since the last commit.
        try:
            self._writer.execute(_TAKE_TURN, (_LOCK,))
        except psycopg.Error as fault:
            raise _meant(fault) from fault

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
                raise _meant(fault) from fault

    def _read_once(self, work: Callable[[Tx], T]) -> T:
        with self._pool.connection() as connection:
            connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                return work(PostgresTx(connection, self._shapes))
            finally:
                _roll_back(connection)

    async def use_once(self, key: bytes, created_s: int, until_s: int, over_s: int) -> bool:  # noqa: ARG002
        """Use up a key for all hubs on this database; it waits for no disk and no payment."""
        values = (over_s, key, until_s)
        return await self._readers.run(self._use_once, values)

    def _use_once(self, values: tuple[int, bytes, int]) -> bool:
        try:
            with self._pool.connection() as connection:
                return bool(connection.execute(_USE_ONCE, values).fetchall())
        except psycopg.Error as fault:
            raise _meant(fault) from fault

    def stream(self, sql: str, values: Sequence[Any] = ()) -> RowStream:
        """Give a query's rows one after the other, on a connection of their own."""
        return self._stream(sql, values)

    def _stream(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        connection = _connect(self._dsn)
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


def _connect(dsn: str) -> Connection:
    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as fault:
        raise Unavailable("store-unreachable", f"PostgreSQL cannot be reached: {fault}") from fault
    _prepare(connection)
    return connection


def _prepare(connection: Connection) -> None:
    # One type for all integers: else each size of number would make another prepared statement.
    connection.adapters.register_dumper(int, Int8Dumper)


def _prepare_reader(connection: Connection) -> None:
    _prepare(connection)
    # All that they ever write are keys that were used, which need not outlive the server.
    connection.execute(b"SET synchronous_commit = off")


def _completed(dsn: str) -> str:
    defaults: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "fallback_application_name": "farthing",
        "tcp_user_timeout": _CONNECT_SECONDS * 1000,
        "keepalives_idle": 4,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    try:
        told = conninfo_to_dict(dsn)
        chosen = defaults | _guarded(told, os.environ) | told | {"client_encoding": "UTF8"}
        return make_conninfo("", **chosen)
    except psycopg.ProgrammingError as fault:
        raise BadConfig("malformed-dsn", f"this names no PostgreSQL database: {fault}") from None


def _guarded(told: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Ask another machine for a certificate that holds; libpq by itself takes none as well.

    Shape: nothing where `sslmode` is said, or a service file may say it.
    """
    hosts = str(told.get("host") or told.get("hostaddr") or environ.get("PGHOST", "")).split(",")
    here = all(host in _HERE or host.startswith(("/", "@")) for host in hosts)
    said = "sslmode" in told or "PGSSLMODE" in environ
    return {} if here or said or "service" in told or "PGSERVICE" in environ else _VERIFIED


def _connect_writer(dsn: str) -> Connection:
    connection = _connect(dsn)
    try:
        _check(connection)
        connection.execute(_SESSION)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: Connection) -> None:
    version = connection.info.server_version // 10_000
    if version < VERSION_MIN:
        raise BadConfig(
            "postgresql-too-old", f"this is PostgreSQL {version}; use {VERSION_MIN} or newer"
        )
    [(encoding, fsync, in_recovery, waits)] = connection.execute(_ABOUT).fetchall()
    if encoding != "UTF8":
        raise BadConfig(
            "postgresql-encoding", f"the database is in {encoding}; create one with ENCODING 'UTF8'"
        )
    if fsync != "on":
        raise BadConfig(
            "postgresql-not-durable",
            "this server has fsync off: a crash would lose payments; set fsync = on",
        )
    if in_recovery:
        raise Unavailable("store-read-only", "this server is a standby; name the primary")
    if waits != "remote_apply":  # Which waits for more than we need; all else but on for less.
        connection.execute(_DURABLE)


def _pool(dsn: str) -> ConnectionPool[Connection]:
    return ConnectionPool(
        dsn,
        connection_class=Connection,
        kwargs={"autocommit": True},
        min_size=0,
        max_size=_READERS,
        configure=_prepare_reader,
        timeout=_POOL_SECONDS,
        name="farthing-readers",
        open=True,
    )


def _roll_back(connection: Connection) -> None:
    try:
        if not connection.closed:
            connection.execute(b"ROLLBACK")
    except psycopg.Error:
        connection.close()


def _is_outside(fault: Exception) -> bool:
    """Tell the server's and the network's troubles from mistakes in what was asked."""
    outside = (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    )
    return isinstance(fault, outside)


def _meant(fault: Exception) -> Exception:
    if isinstance(fault, _REFUSED):
        return Unavailable("store-refused", f"PostgreSQL refuses: {fault.diag.message_primary}")
    if isinstance(fault, FarthingError) or not _is_outside(fault):
        return fault
    return Unavailable("store-unavailable", "the books cannot be written now; try again shortly")
