"""Statements for many rows do what the same statement does row by row."""

import apsw
import pytest

from farthing.store.sqlite import SqliteTx
from farthing.store.sqlite_sets import for_keys, for_rows, in_pieces

UPSERT = "INSERT INTO t (k, a, b) VALUES (?, ?, 7) ON CONFLICT (k) DO UPDATE SET a = excluded.a"
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
    assert max(len(piece) * 100 for piece in in_pieces(range(700), 100)) <= 16_000
    assert for_keys("SELECT 1 FROM t WHERE k = ?", 2) == "SELECT 1 FROM t WHERE k IN (?, ?)"
