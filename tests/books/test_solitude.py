"""A unit that comes alone, as others did before it, is written on the event loop itself."""

import asyncio
import threading

import pytest

from farthing.books import solitude
from farthing.books.solitude import ALONE_MIN, MEAN_SECONDS_MAX, Solitude
from farthing.books.sql import SqlBooks
from farthing.errors import Conflict
from farthing.store import sqlite
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock
from farthing.threads import Threads
from tests.books.units import Buggy, Refused, Say
from tests.conftest import SIGNER, check_history, empty_books

HERE = threading.get_ident
BRIEF = MEAN_SECONDS_MAX / 100


class Where(HandClock):
    """A clock that remembers which threads have asked it for the time of a commit."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def __call__(self):
        self.asked.append(HERE())
        return super().__call__()


@pytest.fixture
def where(monkeypatch):
    """Where commits are written, on a machine that may be as busy as it likes."""
    monkeypatch.setattr(solitude, "MEAN_SECONDS_MAX", 60)
    return Where()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request):
    """The engines that a thread beside the event loop writes for."""
    return request.param


@pytest.fixture
def books(database, where):
    with Threads(1) as writer:
        yield SqlBooks(database, lambda: SIGNER, where, writer)
    database.transact(check_history)


@pytest.fixture
def brief_log(tmp_path, readers, where, monkeypatch):
    """Books whose log is brought home often."""
    monkeypatch.setattr(sqlite, "pages_of_log", lambda _: 300)
    database = SqliteDatabase(empty_books(tmp_path / "brief.db"), readers)
    with Threads(1) as writer:
        yield SqlBooks(database, lambda: SIGNER, where, writer)
    database.close()


async def alone(books, count=1):
    for i in range(count):
        assert (await books.commit_one(Say(str(i)))).answer == str(i)


async def test_what_comes_alone_time_after_time_is_written_here_and_only_on_sqlite(
    books, where, engine
):
    await alone(books, ALONE_MIN)
    assert HERE() not in where.asked
    where.asked.clear()
    await alone(books, 5)
    assert [HERE() == asked for asked in where.asked] == [engine == "sqlite"] * 5


async def test_what_comes_together_is_written_by_the_thread_until_units_come_alone_again(
    books, where
):
    await alone(books, ALONE_MIN)
    where.asked.clear()
    await asyncio.gather(*[books.commit_one(Say(str(i))) for i in range(3)])
    await alone(books, ALONE_MIN)
    assert HERE() not in where.asked


async def test_a_refusal_and_a_bug_are_heard_by_who_asked_and_harm_nobody_after(books):
    await alone(books, ALONE_MIN)
    with pytest.raises(Conflict):
        await books.commit_one(Refused("no"))
    with pytest.raises(ZeroDivisionError):
        await books.commit_one(Buggy("x"))
    await alone(books, 2)
    assert books.commits == ALONE_MIN + 2


async def test_nobody_writes_here_while_the_thread_is_at_work_for_one_who_has_gone(books, where):
    await alone(books, ALONE_MIN)
    began, go_on, steps = threading.Event(), threading.Event(), []

    def work(_tx):
        began.set()
        go_on.wait(10)
        steps.append("tidied")

    tidying = asyncio.ensure_future(books.tidy(work))
    await asyncio.to_thread(began.wait, 10)
    tidying.cancel()
    await asyncio.wait([tidying])
    where.asked.clear()
    writing = asyncio.ensure_future(books.commit_one(Say("after")))
    await asyncio.sleep(0.05)
    assert not writing.done()
    go_on.set()
    assert (await writing).answer == "after"
    assert steps == ["tidied"]
    assert HERE() not in where.asked


async def test_the_log_is_never_brought_home_here(brief_log, where):
    """Of 300 pages the last 256 are the thread's, and so is what follows the log's way home."""
    here = 0
    for _ in range(200):
        where.asked.clear()
        await alone(brief_log)
        here += where.asked[0] == HERE()
    assert 0 < here < 60
    await brief_log.close()


def test_books_are_not_alone_before_they_have_been_for_a_while():
    solitude = Solitude()
    for _ in range(ALONE_MIN):
        assert not solitude.lasts
        solitude.wrote(1, BRIEF)
    assert solitude.lasts
    solitude.wrote(2, BRIEF)
    assert not solitude.lasts


def test_a_slow_disk_is_left_to_the_thread():
    solitude = after([2 * MEAN_SECONDS_MAX] * 50)
    assert not solitude.lasts
    assert commits_until_it_lasts(solitude) > 1


def test_a_stall_is_remembered_for_its_length():
    short, long = after([0.1]), after([10.0])
    assert not (short.lasts or long.lasts)
    assert 1 < commits_until_it_lasts(short) < commits_until_it_lasts(long) < 100


def after(commits):
    """Solitude that had lasted, and then these commits, of so many seconds, one by one."""
    solitude = Solitude()
    for seconds in [BRIEF] * (2 * ALONE_MIN) + commits:
        solitude.wrote(1, seconds)
    return solitude


def commits_until_it_lasts(solitude):
    count = 0
    while not solitude.lasts:
        solitude.wrote(1, BRIEF)
        count += 1
    return count
