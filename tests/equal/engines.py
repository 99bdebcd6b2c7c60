"""Every engine that the same operations are tried on; a new one is named here, and nowhere else."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from farthing.settings import BooksSettings
from farthing.testing.postgres import PostgresServer
from tests.conftest import fresh_dsn

Engine = Callable[[PostgresServer], AbstractContextManager[BooksSettings]]
"""Gives what a hub with empty books is told of them, for as long as they are needed."""


def _here(_server: PostgresServer) -> AbstractContextManager[BooksSettings]:
    return nullcontext(BooksSettings(own_process="never"))


def _beside(_server: PostgresServer) -> AbstractContextManager[BooksSettings]:
    return nullcontext(BooksSettings(own_process="always"))


class _OnServer:
    """Books in a database of their own on the run's PostgreSQL."""

    def __init__(self, server: PostgresServer) -> None:
        self._opened = fresh_dsn(server)

    def __enter__(self) -> BooksSettings:
        return BooksSettings(engine="postgresql", dsn=self._opened.__enter__())

    def __exit__(self, *fault: object) -> None:
        self._opened.__exit__(None, None, None)


ENGINES: dict[str, Engine] = {
    "SQLite": _here,
    "SQLite, written by another process": _beside,
    "PostgreSQL": _OnServer,
}
