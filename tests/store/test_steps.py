"""Bringing books forward: a long copy goes in pieces, is heard of, and may be killed anywhere."""

import logging
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from farthing.store.migrate import migrate, migrations, schema_of
from farthing.store.sqlite import SqliteDatabase
from farthing.store.steps import Forward, sorting_on_disk, take_steps, telling
from tests.upgrades.kept import unpack

COPY = """
CREATE TABLE pages_before (id TEXT PRIMARY KEY, words BIGINT NOT NULL);
CREATE TABLE pages (id TEXT PRIMARY KEY, twice BIGINT NOT NULL);
INSERT INTO pages_before (id, words) VALUES ('e', 5), ('a', 1), ('d', 4), ('b', 2), ('c', 3);
INSERT INTO pages SELECT id, words * 2 FROM pages_before ORDER BY id;
DROP TABLE pages_before;
"""
TWELVE = next(sql for number, _, sql in migrations() if number == 12)
BY_ONE = """
import os, signal, sys
from pathlib import Path
from farthing.store.sqlite import SqliteDatabase
from farthing.store.migrate import migrations
from farthing.store.steps import take_steps

def told(at):
    if (at.step, at.rows) == (int(sys.argv[2]), int(sys.argv[3])):
        os.kill(os.getpid(), signal.SIGKILL)

sql = next(sql for number, _, sql in migrations() if number == 12)
database = SqliteDatabase(Path(sys.argv[1]), None)
database.transact(lambda tx: take_steps(tx, 12, sql, told, piece=1))
"""


def test_a_copy_in_pieces_has_every_row_once(database):
    heard: list[Forward] = []
    database.transact(lambda tx: take_steps(tx, 7, COPY, heard.append, piece=2))
    found = database.transact(lambda tx: tx.rows("SELECT id, twice FROM pages ORDER BY id"))
    assert found == [("a", 2), ("b", 4), ("c", 6), ("d", 8), ("e", 10)]
    assert [at for at in heard if at.rows] == [Forward(7, 4, 5, done, 5) for done in (2, 4, 5)]
    assert [at.step for at in heard if not at.rows] == [1, 2, 3, 4, 5]


def old_books(folder: Path) -> Path:
    """Books as they were before payments had numbers for names."""
    return unpack("schema-11", folder) / "hub" / "farthing.db"


def rows_of(books: Path) -> list[list[tuple[object, ...]]]:
    with closing(apsw.Connection(str(books))) as connection:
        asked = ("payments ORDER BY id", "events ORDER BY number", "names ORDER BY number")
        return [list(connection.execute(f"SELECT * FROM {what}")) for what in asked]


def test_payments_and_events_come_forward_in_pieces_as_they_do_at_once(tmp_path: Path):
    made, told = [], {}
    for piece in (1, 20_000):
        books, heard = old_books(tmp_path / str(piece)), list[Forward]()
        with closing(SqliteDatabase(books, None)) as database:
            database.transact(lambda tx, p=piece, h=heard: take_steps(tx, 12, TWELVE, h.append, p))
        made.append(rows_of(books))
        told[piece] = [at.rows_in_all for at in heard if at.rows]
    assert made[0] == made[1]
    payments, events = len(made[0][0]), len(made[0][1])
    assert told == {1: [payments] * payments + [events] * events, 20_000: [payments, events]}


@pytest.mark.parametrize(("step", "rows"), [(2, 0), (10, 3), (21, 5), (24, 0)])
def test_a_hub_that_is_killed_meanwhile_begins_anew(tmp_path: Path, step: int, rows: int):
    books = old_books(tmp_path)
    command = [sys.executable, "-c", BY_ONE, books, str(step), str(rows)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    with closing(SqliteDatabase(books, None)) as database:
        assert schema_of(database) == 11
        assert database.transact(lambda tx: tx.rows("SELECT owner FROM payments"))[0][0].isascii()
        assert migrate(database)[0] == "names"
    undisturbed = old_books(tmp_path / "undisturbed")
    with closing(SqliteDatabase(undisturbed, None)) as database:
        migrate(database)
    assert rows_of(books) == rows_of(undisturbed)


def test_it_is_told_of_again_and_again_while_a_statement_takes_its_time(caplog):
    with caplog.at_level(logging.WARNING, logger="farthing.store"), telling(0.01) as told:
        for rows in (1, 2):
            told(Forward(12, 10, 24, rows, 9))
            line = f"books.coming_forward schema=12 step=10 steps=24 rows={rows} rows_in_all=9"
            until = time.monotonic() + 30
            while [record.getMessage() for record in caplog.records].count(line) < 2:
                assert time.monotonic() < until
                time.sleep(0.005)


def test_it_is_not_told_of_where_it_takes_no_time(tmp_path: Path, caplog):
    with closing(SqliteDatabase(old_books(tmp_path), None)) as database:
        migrate(database)
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "books.bringing_forward schema=12 leaves=56"
    assert not [line for line in told if line.startswith("books.coming_forward")]


def test_it_sorts_in_files_beside_the_books_and_leaves_all_as_it_was(tmp_path: Path):
    books = old_books(tmp_path / "it's here")

    def how(database):
        asked = ("PRAGMA temp_store", "PRAGMA temp_store_directory")
        return database.peek(lambda tx: [value for what in asked for (value,) in tx.rows(what)])

    with closing(SqliteDatabase(books, None)) as database:
        before = how(database)
        with sorting_on_disk(database):
            assert how(database) == [1, str(books.parent)]
        migrate(database)
        assert how(database) == before
        assert before[0] == 2
