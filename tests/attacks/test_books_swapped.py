"""Books that are removed, replaced or older when they come back, under a hub that runs."""

import shutil
from pathlib import Path

import apsw
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from farthing.books.sql import SqlBooks
from farthing.core.accounts import ASSETS, AssetRecord
from farthing.core.payments import State
from farthing.errors import Unavailable
from farthing.store.migrate import migrate
from farthing.store.postgres import PostgresDatabase
from farthing.store.sqlite import SqliteDatabase
from farthing.store.sqlite_files import BooksFiles, pages_of_log
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER


@pytest.mark.parametrize("ending", ["", "-wal"])
async def test_a_file_that_is_gone_or_another_takes_no_payment(tmp_path: Path, readers, ending):
    file = tmp_path / "books.db"
    database, clock = SqliteDatabase(file, readers), HandClock()
    migrate(database)
    with Threads(1) as writer:
        books = SqlBooks(database, lambda: SIGNER, clock, writer)
        world = World(books, database, clock)
        world.begin()
        spender, payee = await world.spender(100), await world.account()
        taken, aside = Path(f"{file}{ending}"), tmp_path / "aside"
        _move(taken, aside)
        with pytest.raises(Unavailable) as raised:
            await world.do(world.pay(spender, payee, 10))
        assert raised.value.code == "books-replaced" and not books.writable
        _copy(aside, taken)  # A copy is another file: what it gets is lost.
        assert not await books.probe()
        _move(aside, taken)
        assert await books.probe() and books.writable
        paid = await world.do(world.pay(spender, payee, 10))
        assert paid.payment.state is State.CAPTURED
    database.close()


async def test_an_older_copy_that_answers_after_a_lost_connection_takes_no_payment(
    postgres_server, postgres_dsn, readers
):
    dsn, clock = postgres_dsn, HandClock()
    name = conninfo_to_dict(dsn)["dbname"]

    def alone(sql: str) -> None:
        """Run what needs a database that nobody is connected to."""
        with psycopg.connect(postgres_server.dsn(), autocommit=True) as admin:
            for _ in range(5):  # Each try waits five seconds for those whose end is asked for.
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE %s",
                    (f"{name}%",),
                )
                try:
                    admin.execute(sql)
                except psycopg.errors.ObjectInUse:
                    continue
                return
            raise AssertionError(sql)

    def rename(old: str, new: str) -> None:
        alone(f'ALTER DATABASE "{old}" RENAME TO "{new}"')

    database = PostgresDatabase(dsn, readers)
    with Threads(1) as writer:
        books = SqlBooks(database, lambda: SIGNER, clock, writer)
        world = World(books, database, clock)
        world.begin()
        spender, payee = await world.spender(100), await world.account()
        alone(f'CREATE DATABASE "{name}_old" TEMPLATE "{name}"')
        await world.do(world.pay(spender, payee, 10))
        rename(name, f"{name}_newer")
        rename(f"{name}_old", name)
        for _ in range(2):
            with pytest.raises(Unavailable) as raised:
                await world.do(world.pay(spender, payee, 10))
            assert raised.value.code == "books-replaced"
        assert not await books.probe()
        rename(name, f"{name}_old")
        rename(f"{name}_newer", name)
        assert await books.probe()
        paid = await world.do(world.pay(spender, payee, 10))
        assert paid.payment.state is State.CAPTURED
    database.close()
    alone(f'DROP DATABASE "{name}_old"')


def _move(one: Path, there: Path) -> None:
    one.replace(there)


def _copy(one: Path, there: Path) -> None:
    there.write_bytes(one.read_bytes())


def put_many(count: int, of: str):
    first = ord(of) * 1_000_000
    many = [AssetRecord(f"{of}{n:06d}", 6, first + n) for n in range(count)]
    return lambda tx: tx.put(ASSETS, many)


def test_the_log_comes_home_once_a_full_disk_has_room_again(tmp_path: Path, readers):
    file = tmp_path / "books.db"
    database = SqliteDatabase(file, readers)
    now = [0.0]
    database._files = BooksFiles(file, lambda: now[0])
    migrate(database)
    database.transact(put_many(5000, "A"))
    log = Path(f"{file}-wal")
    grown = log.stat().st_size
    pages = database._writer.pragma("page_count")
    database._writer.pragma("max_page_count", pages)
    with pytest.raises(Unavailable) as raised:
        database.transact(put_many(50_000, "B"))
    assert raised.value.code == "store-unavailable"
    database._writer.pragma("max_page_count", 1_000_000)
    now[0] += 2
    database.transact(put_many(1, "C"))
    assert grown > 100_000 > log.stat().st_size
    database.close()


def test_on_a_small_disk_the_log_leaves_room_to_bring_it_home(tmp_path: Path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    for free, pages in ((24_000_000, 732), (0, 100), (10**12, 16_000)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        assert pages_of_log(tmp_path) == pages


@pytest.mark.parametrize("how", ["zeroed", "no database"])
def test_books_that_are_damaged_are_called_so(tmp_path: Path, readers, how: str):
    file = tmp_path / "books.db"
    database = SqliteDatabase(file, readers)
    migrate(database)
    database.transact(put_many(2000, "A"))
    database.close()
    raw = bytearray(file.read_bytes())
    if how == "zeroed":
        raw[4096:] = bytes(len(raw) - 4096)
    else:
        raw[:100] = b"x" * 100
    file.write_bytes(raw)
    with pytest.raises(Unavailable) as raised:
        SqliteDatabase(file, readers).transact(put_many(9000, "B"))
    assert raised.value.code == "books-damaged"
    assert isinstance(raised.value.__cause__, apsw.Error)


def test_a_database_of_something_else_and_a_role_without_rights_are_named(
    postgres_server, postgres_dsn, readers
):
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute("DROP TABLE settings")
        admin.execute("DROP TABLE migrations")  # What is left might be anybody's.
    for sql in ("SELECT 1 FROM settings", ""):
        database = PostgresDatabase(postgres_dsn, readers)
        with pytest.raises(Unavailable) as raised:
            database.transact(lambda tx, sql=sql: tx.rows(sql)) if sql else migrate(database)
        database.close()
        assert raised.value.code == "store-refused", sql
