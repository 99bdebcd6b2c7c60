"""The contract of a database, on SQLite and PostgreSQL alike."""

import os

import pytest

from farthing.core.accounts import ASSETS, AssetRecord
from farthing.core.mandates import MANDATES, Budget, Mandate
from farthing.core.periods import ZoneChange
from farthing.core.records import Table
from farthing.errors import BadConfig, Unavailable
from farthing.store.migrate import migrate, migrations
from farthing.store.queries import page
from farthing.store.sqlite import SqliteDatabase

USD, EUR = AssetRecord("USD", 6, 1), AssetRecord("EUR", 6, 2)
LARGEST = 2**63 - 1


def mandate(ident, **terms):
    zones = [ZoneChange(0, "UTC")]
    return Mandate(id=ident, owner="own", asset="USD", name="ünï “x” \\ {}", zones=zones, **terms)


def count(tx):
    return tx.rows("SELECT COUNT(*) FROM assets")[0][0]


def test_a_record_comes_back_as_it_was_put(database):
    full = mandate(
        "man_1",
        largest=LARGEST,
        budgets=[Budget(name='a "day"', per="day", limit=5, payees=["acc_1"])],
        ask_above=7,
    )
    bare = mandate("man_2")
    database.transact(lambda tx: tx.put(MANDATES, [full, bare]))
    found = database.transact(lambda tx: tx.fetch(MANDATES, ["man_1", "man_2", "man_3"]))
    assert found == {"man_1": full, "man_2": bare}


def test_a_record_put_again_takes_the_place_of_the_first(database):
    database.transact(lambda tx: tx.put(ASSETS, [USD]))
    changed = AssetRecord("USD", 2, 9)
    database.transact(lambda tx: tx.put(ASSETS, [AssetRecord("USD", 4, 8), changed]))
    assert database.transact(lambda tx: tx.fetch(ASSETS, ["USD"])) == {"USD": changed}


def test_fixed_fields_stay_as_they_were_put_first(database):
    kept = Table("assets", AssetRecord, "code", fixed=("scale",))
    database.transact(lambda tx: tx.put(kept, [USD]))
    database.transact(lambda tx: tx.put(kept, [AssetRecord("USD", 2, 9)]))
    found = database.transact(lambda tx: tx.fetch(ASSETS, ["USD"]))
    assert found == {"USD": AssetRecord("USD", USD.scale, 9)}


def test_a_record_is_added_only_where_there_is_none(database):
    database.transact(lambda tx: tx.add(ASSETS, [USD, EUR]))
    assert database.transact(lambda tx: tx.fetch(ASSETS, ["USD", "EUR"])) == {
        "USD": USD,
        "EUR": EUR,
    }
    with pytest.raises(Exception, match=r"(?i)unique"):
        database.transact(lambda tx: tx.add(ASSETS, [AssetRecord("USD", 4, 8)]))
    assert database.transact(lambda tx: tx.fetch(ASSETS, ["USD"])) == {"USD": USD}


async def test_many_records_are_put_and_fetched_at_once(database):
    many = [AssetRecord(f"A{i}", i % 19, i) for i in range(3000)]
    database.transact(lambda tx: tx.put(ASSETS, many))
    wanted = [asset.code for asset in many]
    assert await database.read(lambda tx: len(tx.fetch(ASSETS, wanted))) == 3000


def test_a_transaction_sees_what_it_wrote_itself(database):
    def work(tx):
        tx.put(ASSETS, [USD])
        tx.run("UPDATE assets SET scale = ? WHERE code = ?", (3, "USD"))
        tx.run_many("UPDATE assets SET scale = scale + ? WHERE code = ?", [(1, "USD"), (2, "USD")])
        tx.run_many("UPDATE assets SET ledger = ? WHERE code = ?", [(7, "USD"), (8, "nobody")])
        return tx.rows("SELECT scale, ledger FROM assets WHERE code = ?", ("USD",))

    assert database.transact(work) == [(6, 7)]


def test_an_insert_with_constants_and_conflicts_is_the_same_for_many_rows(database):
    sql = "INSERT INTO assets (code, scale, ledger) VALUES (?, 6, ?) ON CONFLICT (code) DO NOTHING"

    def work(tx):
        tx.run_many(sql, [("USD", 1), ("EUR", 2), ("USD", 3)])
        tx.run_many(sql, [])
        return sorted(tx.rows("SELECT code, scale, ledger FROM assets"))

    assert database.transact(work) == [("EUR", 6, 2), ("USD", 6, 1)]


def test_a_query_for_each_key_finds_those_that_exist(database):
    def work(tx):
        tx.put(ASSETS, [USD, EUR])
        sql = "SELECT code FROM assets WHERE ledger = ?"
        return sorted(tx.rows_each(sql, [1, 2, 3])), tx.rows_each(sql, [])

    assert database.transact(work) == ([("EUR",), ("USD",)], [])


def test_bytes_keep_every_value(database):
    every = bytes(range(256))
    sql = "INSERT INTO failed_transfers (id) VALUES (?)"

    def work(tx):
        tx.run_many(sql, [(every,), (b"",), (b"\\x00",)])
        return {row[0] for row in tx.rows("SELECT id FROM failed_transfers")}

    assert database.transact(work) == {every, b"", b"\\x00"}


@pytest.mark.rule("asvs.2.3.3", on="hub")
async def test_nothing_of_a_transaction_that_raises_stays(database):
    def work(tx):
        tx.put(ASSETS, [USD])
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        database.transact(work)
    assert await database.read(count) == 0
    assert database.transact(count) == 0


async def test_a_statement_the_database_refuses_undoes_the_transaction(database):
    def work(tx):
        tx.put(ASSETS, [USD])
        tx.run("INSERT INTO assets (code, scale, ledger) VALUES (?, ?, ?)", ("USD", 1, 2))

    with pytest.raises(Exception) as raised:
        database.transact(work)
    assert not isinstance(raised.value, Unavailable)
    assert await database.read(count) == 0


def test_nothing_is_seen_before_it_is_committed(database):
    def work(tx):
        tx.put(ASSETS, [USD])
        assert database._read(count) == 0
        return count(tx)

    assert database.transact(work) == 1
    assert database._read(count) == 1


async def test_a_reader_sees_one_moment_whatever_is_committed_meanwhile(database):
    def look(tx):
        before = count(tx)
        database.transact(lambda writing: writing.put(ASSETS, [USD]))
        return before, count(tx)

    assert await database.read(look) == (0, 0)
    assert await database.read(count) == 1


async def test_readers_cannot_write(database):
    with pytest.raises(Exception):  # noqa: B017 - each driver has its own
        await database.read(lambda tx: (tx.put(ASSETS, [USD]), tx.rows("SELECT 1")))
    assert await database.read(count) == 0


def test_a_stream_gives_all_rows_in_order(database):
    many = [AssetRecord(f"A{i:05}", 0, i) for i in range(5000)]
    database.transact(lambda tx: tx.put(ASSETS, many))
    sql = "SELECT code, ledger FROM assets WHERE ledger >= ? ORDER BY code"
    stream = database.stream(sql, (10,))
    assert next(stream) == ("A00010", 10)
    assert [row[1] for row in stream] == list(range(11, 5000))


async def test_pages_are_newest_first_and_go_on_after_a_cursor(database):
    names = [f"man_{i}" for i in range(5)]
    database.transact(lambda tx: tx.put(MANDATES, [mandate(name) for name in names]))

    def look(tx):
        first = page(tx, MANDATES, {"owner": "own"}, limit=2)
        return first, page(tx, MANDATES, {"owner": "own"}, after=first[-1].id, limit=9)

    first, rest = await database.read(look)
    assert [row.id for row in first + rest] == names[::-1]


def test_migrations_are_applied_once(database):
    assert migrate(database) == []
    done = database.transact(lambda tx: tx.rows("SELECT number FROM migrations ORDER BY number"))
    assert [row[0] for row in done] == [number for number, _, _ in migrations()]


def test_a_database_newer_than_this_software_is_refused(database):
    sql = "INSERT INTO migrations (number) VALUES (?)"
    database.transact(lambda tx: tx.run(sql, (9999,)))
    with pytest.raises(BadConfig) as raised:
        migrate(database)
    assert raised.value.code == "database-too-new"


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_books_are_kept_in_a_file_and_nothing_else_is_touched(kind, tmp_path, readers):
    path = tmp_path / "books.db"
    path.mkdir(mode=0o755) if kind == "folder" else os.mkfifo(path, 0o644)
    before = path.stat().st_mode
    for read_only in (False, True):
        with pytest.raises(BadConfig) as raised:
            SqliteDatabase(path, readers, read_only=read_only)
        assert raised.value.code == "books-no-file"
    assert path.stat().st_mode == before
    assert list(tmp_path.iterdir()) == [path]
