"""Databases for machines: a fresh one for every example."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from farthing.store.postgres import PostgresDatabase
from farthing.store.sqlite import SqliteDatabase
from tests.clusters import KeptByCluster, OnServerKeptByCluster, a_part, any_cluster
from tests.conftest import fresh_dsn
from tests.own_writers import WrittenBeside
from tests.places import empty_books


def on_sqlite(readers, kind=SqliteDatabase):
    """Give a way to open a database in a file, and to be rid of it."""

    def fresh():
        stack = ExitStack()
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = kind(empty_books(Path(folder) / "books.db"), readers)
        stack.callback(database.close)
        return database, stack.close

    return fresh


def beside(readers):
    """Give a way to open a database in a file whose books another process writes."""
    return on_sqlite(readers, WrittenBeside)


def in_cluster(readers):
    """Give a way to open a database in a file whose money a cluster keeps."""
    a_part()  # Or skip before the first example.
    return on_sqlite(readers, KeptByCluster)


def in_cluster_and_postgres(server, readers):
    """Give a way to open a database on a server whose money a cluster keeps."""
    return on_postgres(
        server, readers, lambda dsn, _: OnServerKeptByCluster(dsn, readers, any_cluster())
    )


def on_postgres(server, readers, kind=PostgresDatabase):
    """Give a way to open a database on a server, and to be rid of it."""

    def fresh():
        stack = ExitStack()
        dsn = stack.enter_context(fresh_dsn(server))
        database = kind(dsn, readers)
        stack.callback(database.close)
        return database, stack.close

    return fresh
