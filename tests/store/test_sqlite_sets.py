"""Statements for many rows do what the same statement does row by row."""

import apsw
import pytest

from farthing.core.asks import ASKS
from farthing.core.devices import DEVICES
from farthing.core.events import EVENTS
from farthing.core.mandates import MANDATES
from farthing.core.offers import OFFERS
from farthing.core.payments import PAYMENTS
from farthing.core.sessions import SESSIONS
from farthing.store.mapping import mapping
from farthing.store.sqlite import SqliteTx
from farthing.store.sqlite_sets import for_keys, for_rows, in_pieces

UPSERT = "INSERT INTO t (k, a, b) VALUES (?, ?, 7) ON CONFLICT (k) DO UPDATE SET a = excluded.a"
KEPT_BY_THE_DRIVER = 16_384
UPDATE = "UPDATE t SET a = ?, b = ? WHERE k = ?"


@pytest.fixture
def tx():
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (k BLOB PRIMARY KEY, a BIGINT NOT NULL, b BIGINT NOT NULL)")
    yield SqliteTx(connection)
    connection.close()


def key(number: int) -> bytes:
    return number.to_bytes(2, "big")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 700])
def test_any_number_of_rows_is_written_whole_and_in_place(tx, count):
    tx.run_many(UPSERT, [(key(i), i) for i in range(count)])
    tx.run_many(UPDATE, [(i + 1, i + 2, key(i)) for i in range(count)])
    expected = [(key(i), i + 1, i + 2) for i in range(count)]
    assert tx.rows("SELECT * FROM t ORDER BY k") == expected


def test_of_two_rows_with_one_key_the_later_one_stays(tx):
    tx.run_many(UPSERT, [(key(1), 1), (key(2), 2), (key(1), 3)])
    assert tx.rows("SELECT k, a FROM t ORDER BY k") == [(key(1), 3), (key(2), 2)]


def test_rows_are_found_by_any_number_of_keys(tx):
    tx.run_many(UPSERT, [(key(i), i) for i in range(300)])
    wanted = [key(i) for i in range(0, 600, 2)]
    found = tx.rows_each("SELECT a FROM t WHERE k = ?", wanted)
    assert sorted(found) == [(i,) for i in range(0, 300, 2)]
    assert tx.rows_each("SELECT a FROM t WHERE k = ?", []) == []


def test_a_statement_of_another_shape_is_run_row_by_row(tx):
    tx.run_many(UPSERT, [(key(i), i) for i in range(5)])
    assert for_rows("UPDATE t SET a = a + ? WHERE k = ?", 2) is None
    tx.run_many("UPDATE t SET a = a + ? WHERE k = ?", [(10, key(i)) for i in range(5)])
    tx.run_many("DELETE FROM t WHERE k = ?", [(key(0),)])
    assert tx.rows("SELECT a FROM t ORDER BY k") == [(i + 10,) for i in range(1, 5)]


def test_pieces_have_few_sizes_and_stay_within_what_a_statement_takes():
    assert [len(piece) for piece in in_pieces(range(700), 7)] == [256, 256, 128, 32, 16, 8, 4]
    assert [len(piece) for piece in in_pieces(range(21), 7)] == [16, 5]
    assert [len(piece) for piece in in_pieces(range(3), 9_000)] == [1, 1, 1]
    assert [len(piece) for piece in in_pieces(range(200), 100)] == [64, 64, 64, 8]
    assert for_keys("SELECT 1 FROM t WHERE k = ?", 2) == "SELECT 1 FROM t WHERE k IN (?, ?)"


@pytest.mark.parametrize("table", [PAYMENTS, SESSIONS, EVENTS, ASKS, DEVICES, MANDATES, OFFERS])
def test_the_driver_keeps_every_statement_for_many_records(table):
    mapped = mapping(table)
    largest = max(map(len, in_pieces(range(1000), len(mapped.columns))))
    assert largest >= 128
    for sql in (mapped.insert, mapped.upsert):
        assert len(for_rows(sql, largest)) <= KEPT_BY_THE_DRIVER


def test_rows_in_large_pieces_are_read_once_by_the_driver():
    connection = apsw.Connection(":memory:")
    names = [f"c{i}" for i in range(33)]
    connection.execute(f"CREATE TABLE t ({', '.join(names)})")
    sql = f"INSERT INTO t ({', '.join(names)}) VALUES ({', '.join('?' * 33)})"
    for _ in range(3):
        SqliteTx(connection).run_many(sql, [range(33)] * 512)
    told = connection.cache_stats()
    assert told["max_cacheable_bytes"] == KEPT_BY_THE_DRIVER
    assert (told["too_big"], told["misses"]) == (0, 2)  # The table's own, and the first of these.
    assert connection.execute("SELECT COUNT(*) FROM t").fetchall() == [(1536,)]
    connection.close()
