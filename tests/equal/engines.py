"""Every engine that the same operations are tried on; a new one is named here, and nowhere else."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from farthing.books.cluster import Cluster
from farthing.settings import BooksSettings
from farthing.testing.postgres import PostgresServer
from tests.clusters import any_cluster
from tests.conftest import fresh_dsn


class Told(NamedTuple):
    """What a hub with empty books is told of them, and the cluster that keeps the money if any."""

    books: BooksSettings
    cluster: Cluster | None = None


Engine = Callable[[PostgresServer], AbstractContextManager[Told]]
"""Gives empty books for as long as they are needed."""


def _here(_server: PostgresServer) -> AbstractContextManager[Told]:
    return nullcontext(Told(BooksSettings(own_process="never")))


def _beside(_server: PostgresServer) -> AbstractContextManager[Told]:
    return nullcontext(Told(BooksSettings(own_process="always")))


def _in_cluster(_server: PostgresServer) -> AbstractContextManager[Told]:
    settings = BooksSettings(engine="tigerbeetle", addresses="127.0.0.1:1")
    return nullcontext(Told(settings, any_cluster()))


class _OnServer:
    """Books in a database of their own on the run's PostgreSQL."""

    def __init__(self, server: PostgresServer) -> None:
        self._opened = fresh_dsn(server)

    def __enter__(self) -> Told:
        return Told(BooksSettings(engine="postgresql", dsn=self._opened.__enter__()))

    def __exit__(self, *fault: object) -> None:
        self._opened.__exit__(None, None, None)


ENGINES: dict[str, Engine] = {
    "SQLite": _here,
    "SQLite, written by another process": _beside,
    "a cluster, with records in SQLite": _in_cluster,
    "PostgreSQL": _OnServer,
}
