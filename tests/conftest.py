"""Both engines for every test that asks for a database; PostgreSQL is started once a run."""

import asyncio
import fcntl
import inspect
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from farthing.keys import Ed25519Signer
from farthing.settings import BooksSettings
from farthing.store.migrate import migrate
from farthing.store.postgres import PostgresDatabase
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.postgres import PostgresServer, temporary_directory
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.books.auditor import check_history
from tests.clusters import KeptByCluster, OnServerKeptByCluster, any_cluster
from tests.effort import choose_draw
from tests.own_writers import WrittenBeside, books_on
from tests.places import MEMORY, choose_place, empty_books
from tests.trusted import trust_as_before, trust_one

_PLACE = "FARTHING_TEST_POSTGRES"
_TEMPLATE = "farthing_template"
SIGNER = Ed25519Signer(bytes(range(32)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Run one more at a time than there are processors: many tests wait for what they started."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) + 1
    return (os.cpu_count() or 1) + 1


def pytest_configure(config):
    """Agree on one place before workers start: the first that needs a server starts it there."""
    if not hasattr(config, "workerinput"):
        choose_place(config.option.markexpr)
        choose_draw()
        place = temporary_directory()
        os.environ[_PLACE] = str(place)
        trust_one(place)
        if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
            # Hundreds of processes start here: each would read all of the source anew.
            os.environ["PYTHONPYCACHEPREFIX"] = str(place / "byte code")


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        place = Path(os.environ.pop(_PLACE))
        PostgresServer(place / "pg").stop()
        trust_as_before()
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _alone(place: Path):
    with (place / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The run's PostgreSQL, with a migrated database to copy."""
    place = Path(os.environ[_PLACE])
    server = PostgresServer(place / "pg")
    with _alone(place):
        if not (place / "ready").exists():
            server.start()
            _create(server, f"{_TEMPLATE} TEMPLATE template0")
            database = PostgresDatabase(server.dsn(_TEMPLATE), None)
            migrate(database)
            database.close()
            (place / "ready").touch()
    return server


def _create(server: PostgresServer, what: str) -> None:
    import psycopg

    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {what}")


@contextmanager
def fresh_dsn(server: PostgresServer, template: str = _TEMPLATE):
    """A database of one test's own."""
    import psycopg

    name = f"t_{secrets.token_hex(6)}"
    # To copy files takes half of what it takes to log each page, but has to wait for a disk.
    how = "FILE_COPY" if server.directory.is_relative_to(MEMORY) else "WAL_LOG"
    with _alone(Path(os.environ[_PLACE])):  # A template is copied by one at a time.
        _create(server, f"{name} TEMPLATE {template} STRATEGY {how}")
    yield server.dsn(name)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_dsn(postgres_server):
    """A migrated PostgreSQL database of this test's own."""
    with fresh_dsn(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def own_server():
    """A server that a test may do anything to."""
    server = PostgresServer(temporary_directory())
    server.start()
    yield server
    server.remove()


@pytest.fixture
def readers():
    """Threads for reading."""
    with Threads(2) as executor:
        yield executor


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request) -> str:
    """Which engine a test runs on: both, one after the other."""
    return request.param


@pytest.fixture
def books_settings(engine, request) -> BooksSettings:
    """What a hub of this test's own is told of its books, on each engine."""
    if engine == "sqlite":
        return BooksSettings()
    return BooksSettings(engine="postgresql", dsn=request.getfixturevalue("postgres_dsn"))


@pytest.fixture
def database(engine, request, tmp_path, readers):
    """A migrated, empty database on each engine."""
    if engine == "postgresql":
        opened = PostgresDatabase(request.getfixturevalue("postgres_dsn"), readers)
    elif engine == "cluster and postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
        opened = OnServerKeptByCluster(dsn, readers, any_cluster())
    else:
        kinds = {"own process": WrittenBeside, "tigerbeetle": KeptByCluster}
        kind = kinds.get(engine, SqliteDatabase)
        opened = kind(empty_books(tmp_path / "books.db"), readers)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def risk():
    """How orders are judged, as `[risk]` says it; None for not at all."""


@pytest.fixture
def books(database, clock, risk):
    """Books on each engine; whatever a test did, its history must hold in the end."""
    with Threads(1) as writer:
        yield books_on(database, SIGNER, clock, writer, risk)
    database.transact(check_history)


@pytest.fixture
def world(books, database, clock) -> World:
    """A world that counts dollars, on each engine."""
    made = World(books, database, clock)
    made.begin()
    return made


@pytest.fixture
def second_hub(world, postgres_dsn, readers, clock, risk):
    """Another hub process's books on the same PostgreSQL database."""
    database = PostgresDatabase(postgres_dsn, readers)
    with Threads(1) as writer:
        books = books_on(database, SIGNER, clock, writer, risk)
        yield World(books, database, clock, seed=1)
    database.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test that is `async def` on an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    asyncio.run(_told(pyfuncitem))
    return True


_HANGS_SECONDS = 300
"""Longer than any test takes on a busy machine; what hangs fails then, and says where."""


async def _told(pyfuncitem) -> None:
    given = pyfuncitem.funcargs
    patience = None if pyfuncitem.get_closest_marker("prove") else _HANGS_SECONDS
    try:
        async with asyncio.timeout(patience):
            await pyfuncitem.obj(**{name: given[name] for name in pyfuncitem._fixtureinfo.argnames})
    finally:
        if "books" in given:
            await given["books"].close()  # What a process was asked is answered on this loop.
