"""Auditing beside the hub's process: books are opened to be read, and nothing is written."""

import re

import pytest

from farthing.errors import BadConfig, Unavailable
from farthing.services.audit import audit
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import World
from tests.conftest import SIGNER
from tests.services.lived_in import ROOT, live


@pytest.fixture
def hub(tmp_path, readers, writer_thread, clock):
    from farthing.books.sql import SqlBooks

    database = SqliteDatabase(tmp_path / "books.db", readers)
    migrate(database)
    world = World(SqlBooks(database, lambda: SIGNER, clock, writer_thread), database, clock)
    world.begin()
    return world


async def test_books_are_audited_while_another_holds_the_writers_lock(hub, tmp_path, readers):
    await live(hub, SIGNER)
    reader = SqliteDatabase(tmp_path / "books.db", readers, read_only=True)
    report = await audit(reader, ROOT.public)
    assert report.text == "ok"
    assert report.payments > 20
    reader.close()
    hub.database.close()


async def test_books_of_a_stopped_hub_are_audited_and_left_as_they_are(hub, tmp_path, readers):
    await live(hub, SIGNER)
    hub.database.close()
    before = (tmp_path / "books.db").read_bytes()
    reader = SqliteDatabase(tmp_path / "books.db", readers, read_only=True)
    assert (await audit(reader, ROOT.public)).text == "ok"
    with pytest.raises(Unavailable):
        reader.transact(lambda tx: tx.run("DELETE FROM commits"))
    reader.close()
    assert (tmp_path / "books.db").read_bytes() == before


async def test_a_byte_of_the_file_that_is_turned_is_found(hub, tmp_path, readers):
    """Not only what SQL would write: any byte in the pages, as a disk might spoil it."""
    await live(hub, SIGNER)
    hub.database.close()
    path = tmp_path / "books.db"
    whole = path.read_bytes()
    [written, *_] = re.findall(rb'\{"amount":"[1-8]\d*","asset":"USD","captured"', whole)
    [kept, *_] = re.findall(rb"[1-8]\d*,\d+,\d+,USD,[a-z]+", whole)  # As most payments' end.
    for statement in (written, kept):
        assert statement in whole
        spoilt = re.sub(rb"[1-8]", lambda digit: b"%d" % (int(digit[0]) + 1), statement, count=1)
        path.write_bytes(whole.replace(statement, spoilt))
        await _is_found_in_a_leaf(path, readers)


async def _is_found_in_a_leaf(path, readers):
    reader = SqliteDatabase(path, readers, read_only=True)
    report = await audit(reader, ROOT.public)
    assert report.fault.table == "leaf"
    reader.close()


def test_books_that_are_not_there_are_not_made(tmp_path, readers):
    with pytest.raises(BadConfig) as caught:
        SqliteDatabase(tmp_path / "none.db", readers, read_only=True)
    assert caught.value.code == "books-missing"
    assert not (tmp_path / "none.db").exists()
