"""How often the disk is waited for: counted from below, in a short run of its own."""

import asyncio
from collections.abc import Callable

import apsw

from bench.ledger import OpenMany, Traffic
from farthing.books.sql import SqlBooks
from farthing.clock import system_clock
from farthing.keys import Ed25519Signer
from farthing.settings import Config
from farthing.store.database import Database
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads

_COMMITS = 200
_VFS = "farthing-bench-counting"
_REPORTED_AFTER_SECONDS = 1.5
_ASKED = "SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'"


class _File(apsw.VFSFile):
    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Count, and sync."""
        Counting.syncs += 1
        super().xSync(flags)


class Counting(apsw.VFS):
    """The usual files of SQLite, with their syncs counted."""

    syncs = 0

    def __init__(self) -> None:
        super().__init__(_VFS, "")

    def xOpen(self, name: object, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Open a file that counts."""
        return _File("", name, flags)  # type: ignore[arg-type]


def fsyncs_per_commit(config: Config) -> float | None:
    """Make single commits on an engine, and tell how many syncs each took; None if unknown."""
    with Threads(2) as readers:
        if config.books.engine == "sqlite":
            counting = Counting()
            database: Database = SqliteDatabase(config.path("fsyncs.db"), readers, vfs=_VFS)
            syncs = asyncio.run(_counted(database, lambda: Counting.syncs))
            counting.unregister()
            return syncs
        from farthing.store.postgres import PostgresDatabase  # noqa: PLC0415

        database = PostgresDatabase(config.books.dsn, readers)
        return asyncio.run(
            _counted(database, lambda: _postgres_syncs(config), _REPORTED_AFTER_SECONDS)
        )


def _postgres_syncs(config: Config) -> int:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(config.books.dsn) as connection:
        if connection.info.server_version < 180_000:
            return 0
        row = connection.execute(_ASKED).fetchone()
    return int(row[0]) if row else 0


async def _read(books: SqlBooks, traffic: Traffic, pause: float, syncs: Callable[[], int]) -> int:
    await asyncio.sleep(pause)
    await books.commit_one(traffic.batch(1))  # PostgreSQL reports what was before with the next.
    return syncs()


async def _counted(database: Database, syncs: Callable[[], int], pause: float = 0) -> float | None:
    migrate(database)
    with Threads(1) as writer:
        books = SqlBooks(database, lambda: Ed25519Signer(bytes(32)), system_clock, writer)
        traffic = Traffic(100, seed=2)
        await books.commit_one(OpenMany(traffic.accounts))
        before = await _read(books, traffic, pause, syncs)
        for _ in range(_COMMITS - 1):
            await books.commit_one(traffic.batch(1))
        counted = await _read(books, traffic, pause, syncs) - before
        await books.close()
    database.close()
    return round(counted / _COMMITS, 2) if counted else None
