"""Those who only watch hear of every commit once, in order, though who waits may hear first."""

import asyncio

import pytest

from farthing.books import solitude
from farthing.books.solitude import ALONE_MIN
from farthing.books.sql import SqlBooks
from farthing.clock import system_clock
from farthing.store.sqlite import SqliteDatabase
from farthing.threads import Threads
from tests.books.units import Buggy, Say
from tests.conftest import SIGNER, empty_books
from tests.web.behind_guard import until


@pytest.fixture
def heads():
    return []


@pytest.fixture
def batches():
    return []


@pytest.fixture
def books(tmp_path, readers, heads, batches, monkeypatch):
    """Books on a machine that may be as busy as it likes."""
    monkeypatch.setattr(solitude, "MEAN_SECONDS_MAX", 60)
    database = SqliteDatabase(empty_books(tmp_path / "books.db"), readers)
    with Threads(1) as writer:
        yield SqlBooks(
            database,
            lambda: SIGNER,
            system_clock,
            writer,
            heads.append,
            on_batch=lambda *told: batches.append(told[2:]),
        )
    database.close()


async def say(books, count=1):
    for _ in range(count):
        await books.commit_one(Say("x"))


async def test_who_waits_hears_of_a_lone_commit_first(books, heads, batches):
    await say(books, ALONE_MIN)
    assert len(heads) == len(batches) == ALONE_MIN
    await say(books)
    assert len(heads) == len(batches) == ALONE_MIN
    await until(lambda: len(heads) == ALONE_MIN + 1)
    assert len(batches) == ALONE_MIN + 1
    await books.close()


async def test_commits_are_told_of_once_and_in_order_wherever_they_are_written(books, heads):
    await say(books, ALONE_MIN + 3)
    await asyncio.gather(*[books.commit_one(Say(str(i))) for i in range(3)])
    await say(books, ALONE_MIN + 3)
    await books.close()
    assert [head.number for head in heads] == list(range(1, books.commits + 1))


async def test_a_commit_that_failed_is_told_of_too(books, batches):
    await say(books, ALONE_MIN)
    with pytest.raises(ZeroDivisionError):
        await books.commit_one(Buggy("x"))
    await until(lambda: len(batches) == ALONE_MIN + 1)
    assert batches[-1] == (1, None)
    await books.close()


async def test_closing_tells_what_was_not_told_yet(books, heads):
    await say(books, ALONE_MIN + 1)
    await books.close()
    assert len(heads) == ALONE_MIN + 1
