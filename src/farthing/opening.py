"""Opening what a hub stands on: its keys, its database, the cluster that keeps its money."""

import os

from farthing.books.cluster import Cluster
from farthing.books.cluster_rows import name_of_books
from farthing.books.door import Door
from farthing.errors import BadConfig, PlugMissing
from farthing.hub_keys import KeyRing
from farthing.passphrases import KeysPassphrase
from farthing.settings import Config
from farthing.store.database import Database
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads


def key_ring(config: Config) -> KeyRing:
    """Give the hub's keys, which may be under a passphrase."""
    return KeyRing(config.path("keys"), passphrase_of(config))


def passphrase_of(config: Config) -> KeysPassphrase:
    """Give the passphrase of the hub's keys, as it is configured."""
    told = config.keys.passphrase_file
    return KeysPassphrase("the hub's keys", config.path(told) if told else None)


def open_database(
    config: Config, readers: Threads, vfs: str | None = None, door: Door | None = None
) -> Database:
    """Open the configured database and bring it forward.

    Shape:  behind a `door` another process writes for this one and others.
    Raises: PlugMissing, BadConfig, Unavailable.
    """
    path, lock = config.path(config.books.path), os.dup(door.lock) if door else None
    database = (
        SqliteDatabase(path, readers, vfs, lock=lock, shared=door is not None)
        if config.books.in_file
        else _postgres(config, readers)
    )
    try:
        migrate(database)
    except BaseException:
        database.close()  # Or whoever is told why would hold the lock of the books on.
        raise
    return database


def open_cluster(config: Config) -> Cluster | None:
    """Give the cluster that keeps the money, if one does; it is connected when it is asked.

    Raises: PlugMissing.
    """
    if config.books.engine != "tigerbeetle":
        return None
    try:
        from farthing.books.tigerbeetle import TigerBeetle  # noqa: PLC0415
    except ModuleNotFoundError:
        detail = "run: pip install 'farthing[tigerbeetle]'"
        raise PlugMissing("tigerbeetle-missing", detail) from None
    return TigerBeetle(config.books.addresses, int(config.books.cluster))


def open_to_read(config: Config, readers: Threads) -> Database:
    """Open the configured database for reading only, beside a running hub or without one.

    Raises: PlugMissing, BadConfig, Unavailable.
    """
    if config.books.in_file:
        return SqliteDatabase(config.path(config.books.path), readers, read_only=True)
    return _postgres(config, readers)


def _postgres(config: Config, readers: Threads) -> Database:
    try:
        from farthing.store.postgres import PostgresDatabase  # noqa: PLC0415
    except ModuleNotFoundError:
        raise PlugMissing("postgres-missing", "run: pip install 'farthing[postgres]'") from None
    return PostgresDatabase(config.books.dsn, readers)


def cluster_of(config: Config, database: Database) -> Cluster | None:
    """Give the cluster of these books, if one keeps their money.

    Raises: PlugMissing; BadConfig `books-of-cluster` where one does that is not configured.
    """
    if config.books.engine != "tigerbeetle" and database.transact(name_of_books) is not None:
        detail = "a cluster keeps the money of these books: name it in [books] engine and addresses"
        raise BadConfig("books-of-cluster", detail)
    return open_cluster(config)
