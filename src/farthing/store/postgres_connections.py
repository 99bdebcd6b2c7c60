"""Connections to PostgreSQL: how they are opened, what server keeps books, what faults mean."""

import os
from collections.abc import Mapping
from typing import Any

from farthing.errors import BadConfig, FarthingError, PlugMissing, Unavailable
from farthing.store.closing import CLOSED, moved

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.types.numeric import Int8Dumper
    from psycopg_pool import ConnectionPool
except ImportError as missing:
    raise PlugMissing("postgres-missing", "run: pip install 'farthing[postgres]'") from missing

Connection = psycopg.Connection[tuple[Any, ...]]

VERSION_MIN = 15
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
_VERIFIED = {"sslmode": "verify-full"}
_READERS = 4
_CONNECT_SECONDS = 10
_POOL_SECONDS = 2
_REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.DuplicateTable,
    psycopg.errors.UndefinedTable,
)
"""What somebody else did to the database, or did not let us do."""

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
_DURABLE = b"SELECT set_config('synchronous_commit', 'on', false)"


def connect(dsn: str) -> Connection:
    """Open a connection. Raises: Unavailable `store-unreachable`."""
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


def completed(dsn: str) -> str:
    """Add to what is said of a database how it is watched and proved to be the right one.

    Raises: BadConfig `malformed-dsn`.
    """
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


def connect_writer(dsn: str) -> Connection:
    """Open a connection for writing, to a server that can keep books.

    Raises: BadConfig, Unavailable.
    """
    connection = connect(dsn)
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


def pool_of(dsn: str) -> ConnectionPool[Connection]:
    """Give connections for reading, opened as they are needed."""
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


def roll_back(connection: Connection) -> None:
    """End a transaction without a trace; what cannot is not used again."""
    try:
        if not connection.closed:
            connection.execute(b"ROLLBACK")
    except psycopg.Error:
        connection.close()


def is_outside(fault: Exception) -> bool:
    """Tell the server's and the network's troubles from mistakes in what was asked."""
    outside = (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    )
    return isinstance(fault, outside)


def meant(fault: Exception) -> Exception:
    """Say what a fault of the driver means to who asked; itself where it is a fault of ours."""
    if isinstance(fault, psycopg.errors.CheckViolation) and fault.diag.constraint_name == CLOSED:
        return moved()
    if isinstance(fault, _REFUSED):
        return Unavailable("store-refused", f"PostgreSQL refuses: {fault.diag.message_primary}")
    if isinstance(fault, FarthingError) or not is_outside(fault):
        return fault
    return Unavailable("store-unavailable", "the books cannot be written now; try again shortly")
