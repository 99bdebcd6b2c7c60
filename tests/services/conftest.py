"""Books in which everything has happened, made once per engine for tests that spoil them."""

import asyncio

import pytest

from farthing.books.sql import SqlBooks
from farthing.services.audit import examine
from farthing.store.migrate import migrate
from farthing.store.postgres import PostgresDatabase
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER, fresh_dsn
from tests.services.lived_in import ROOT, live


class Undone(Exception):
    """Carries a report out of a transaction that is to leave no trace."""

    def __init__(self, report):
        super().__init__()
        self.report = report


class Spoilt:
    """Books to spoil: each spoiling is audited where it stands and then taken back."""

    def __init__(self, database, heads):
        self.database, self.heads = database, heads

    def audit(self, *changes, root=ROOT.public, heads=None):
        """Apply changes (SQL with values, or functions of a transaction) and audit the result."""

        def work(tx):
            for change in changes:
                change(tx) if callable(change) else tx.run(*change)
            raise Undone(examine(tx, root, self.heads if heads is None else heads))

        try:
            self.database.transact(work)
        except Undone as undone:
            return undone.report
        raise AssertionError

    def rows(self, sql, *values):
        """Look at the books as they are."""
        return self.database.transact(lambda tx: tx.rows(sql, values))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def spoilt(request, tmp_path_factory):
    with Threads(1) as readers, Threads(1) as writer:
        if request.param == "sqlite":
            database = SqliteDatabase(tmp_path_factory.mktemp("spoilt") / "books.db", readers)
            migrate(database)
            yield _lived(database, writer)
            database.close()
        else:
            with fresh_dsn(request.getfixturevalue("postgres_server")) as dsn:
                database = PostgresDatabase(dsn, readers)
                yield _lived(database, writer)
                database.close()


def _lived(database, writer):
    heads, clock = [], HandClock()
    books = SqlBooks(database, lambda: SIGNER, clock, writer, heads.append)
    world = World(books, database, clock)
    world.begin()
    asyncio.run(live(world, SIGNER))
    return Spoilt(database, heads)


@pytest.fixture
def writer_thread():
    """A thread for writing."""
    with Threads(1) as executor:
        yield executor
