"""SQLite's log is longer than what is written to it, and all that was written is read from it."""

import shutil
from pathlib import Path

import apsw
import pytest

from farthing.core.accounts import ASSETS, AssetRecord
from farthing.store import sqlite, sqlite_files
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase

FRAME = 4120
MIB = 1 << 20


@pytest.fixture
def file(tmp_path):
    return tmp_path / "books.db"


@pytest.fixture
def opened(file, readers):
    bases = []

    def open_one():
        bases.append(SqliteDatabase(file, readers))
        migrate(bases[-1])
        return bases[-1]

    yield open_one
    for base in bases:
        base.close()


def log_bytes(file):
    return Path(f"{file}-wal").stat().st_size


def put(database, number, count=1):
    many = [AssetRecord(f"A{number + n:07d}", 6, number + n) for n in range(count)]
    database.transact(lambda tx: tx.put(ASSETS, many))


def frames(file):
    """Count the frames that SQLite would read."""
    raw = Path(f"{file}-wal").read_bytes()
    starts = range(32, len(raw) - FRAME + 1, FRAME)
    return sum(raw[at + 8 : at + 16] == raw[16:24] for at in starts)


def test_commits_go_where_the_log_is_long_enough_already(file, opened):
    database = opened()
    put(database, 0)
    lengths = []
    for number in range(1, 200):
        put(database, number)
        lengths.append(log_bytes(file))
        assert frames(file) * FRAME < lengths[-1]
    assert len(set(lengths)) <= 1 + lengths[-1] // MIB  # Each step is good for many commits.


def test_what_lies_before_the_zeros_is_read_after_a_crash(file, opened, tmp_path, readers):
    database = opened()
    for number in range(40):
        put(database, number)
    crashed = tmp_path / "crashed.db"
    for end in ("", "-wal"):
        shutil.copy(f"{file}{end}", f"{crashed}{end}")
    assert log_bytes(crashed) > frames(crashed) * FRAME + MIB // 2
    again = SqliteDatabase(crashed, readers)
    assert again.transact(lambda tx: tx.rows("SELECT COUNT(*) FROM assets")) == [(40,)]
    put(again, 40)
    assert again.transact(lambda tx: tx.rows("SELECT COUNT(*) FROM assets")) == [(41,)]
    again.close()


def test_the_log_comes_home_at_its_length_and_is_never_lengthened_beyond(file, opened, monkeypatch):
    monkeypatch.setattr(sqlite, "pages_of_log", lambda _: 300)
    database = opened()
    for number in range(0, 20_000, 500):
        put(database, number, 500)
    assert log_bytes(file) < 400 * FRAME
    reached = log_bytes(file)
    for number in range(20_000, 40_000, 500):
        put(database, number, 500)
    assert abs(log_bytes(file) - reached) < 9 * FRAME  # A commit or two, and no step of zeros.


def test_a_commit_stands_where_the_log_cannot_be_lengthened_or_brought_home(
    file, opened, monkeypatch
):
    def full(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(sqlite, "pages_of_log", lambda _: 60)
    monkeypatch.setattr(sqlite_files, "_lengthen", full)
    database = opened()
    with apsw.Connection(str(file)) as reader:  # Nothing comes home past what somebody reads.
        reader.execute("SELECT COUNT(*) FROM assets").fetchall()
        for number in range(100):
            put(database, number)
    assert log_bytes(file) > 60 * FRAME
    assert database.transact(lambda tx: tx.rows("SELECT COUNT(*) FROM assets")) == [(100,)]
