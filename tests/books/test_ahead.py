"""A lone hold is decided at once and written with the capture that follows, in one commit.

Nobody but its caller may know of it before: whoever reads has it written first, and if it cannot
be written, it never was.
"""

import asyncio
import contextlib
import shutil
import threading

import apsw
import pytest

from farthing.books import solitude, sql
from farthing.books.solitude import ALONE_MIN
from farthing.books.sql import SqlBooks
from farthing.core.payments import PAYMENTS, State
from farthing.core.settling import Capture, Void
from farthing.errors import Conflict, Missing, Unavailable, ensure
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.books.units import Buggy, Refused, Say
from tests.conftest import SIGNER, check_history


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Wait for what follows as long as a test likes, on a machine as busy as it likes."""
    monkeypatch.setattr(solitude, "MEAN_SECONDS_MAX", 60)
    monkeypatch.setattr(sql, "AHEAD_SECONDS", 60)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "books.db"


@pytest.fixture
def world(file, readers):
    with Threads(1) as writer:
        database = SqliteDatabase(file, readers)
        migrate(database)
        clock = HandClock()
        world = World(SqlBooks(database, lambda: SIGNER, clock, writer), database, clock)
        world.begin()
        yield world
        database.transact(check_history)
        database.close()


def is_held(answer):
    return answer.payment.state is State.HELD


async def order(world, amount=40):
    """A hold that nobody has asked for yet, after enough commits of one unit each."""
    spender, payee = await world.spender(1000), await world.account()
    unit = world.pay(spender, payee, amount, hold=60)
    for i in range(ALONE_MIN):
        await world.do(Say(str(i)))
    return spender, payee, unit


async def ahead(world, unit):
    answer = (await world.books.commit_ahead(unit, is_held)).answer
    assert is_held(answer)
    return answer.payment.id


def on_disk(file, ident):
    with contextlib.closing(apsw.Connection(str(file), apsw.SQLITE_OPEN_READONLY)) as other:
        return other.execute("SELECT state FROM payments WHERE id = ?", (ident,)).fetchall()


async def held_on_disk(file, ident):
    """Wait until a hold is written: it is not waited for by whoever asked."""
    async with asyncio.timeout(20):
        while on_disk(file, ident) != [("held",)]:  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.005)


async def test_a_hold_and_its_capture_are_one_commit(world, file):
    _, payee, unit = await order(world)
    before = world.books.commits
    ident = await ahead(world, unit)
    assert world.books.commits == before
    assert on_disk(file, ident) == []
    captured = await world.books.commit_one(Capture(ident, None))
    assert captured.answer.state is State.CAPTURED
    assert captured.proof is not None
    assert world.books.commits == before + 1
    assert on_disk(file, ident) == [("captured",)]
    assert await world.available(payee) == 40


async def test_a_hold_and_its_release_are_one_commit(world):
    spender, _, unit = await order(world)
    before = world.books.commits
    ident = await ahead(world, unit)
    assert (await world.do(Void(ident, None))).state is State.VOIDED
    assert world.books.commits == before + 1
    assert await world.available(spender.account) == 1000


async def test_it_does_not_wait_for_long(world, file, monkeypatch):
    monkeypatch.setattr(sql, "AHEAD_SECONDS", 0.002)
    _, _, unit = await order(world)
    ident = await ahead(world, unit)
    await held_on_disk(file, ident)
    assert (await world.do(Capture(ident, None))).state is State.CAPTURED


async def test_whoever_reads_has_it_written_first(world):
    _, _, unit = await order(world)
    ident = await ahead(world, unit)
    found = await world.database.read(lambda tx: tx.fetch(PAYMENTS, [ident]))
    assert found[ident].state is State.HELD


async def test_what_others_ask_for_is_written_with_it(world, file):
    _, _, unit = await order(world)
    ident = await ahead(world, unit)
    before = world.books.commits
    told = await asyncio.gather(*[world.books.commit_one(Say(str(i))) for i in range(3)])
    assert [done.answer for done in told] == ["0", "1", "2"]
    assert on_disk(file, ident) == [("held",)]
    assert world.books.commits == before + 1


async def test_a_second_hold_is_decided_after_the_first_was(world):
    spender, payee, first = await order(world, 700)
    second = world.pay(spender, payee, 700, hold=60)
    await ahead(world, first)
    refused = await world.books.commit_ahead(second, is_held)
    assert refused.answer.payment.state is State.REFUSED
    assert await world.available(spender.account) == 300


async def test_an_answer_that_others_hear_is_durable_when_it_is_told(world, file):
    _, payee, _ = await order(world)
    poor = await world.spender(10)
    unit = world.pay(poor, payee, 40, hold=60)
    for i in range(ALONE_MIN):
        await world.do(Say(str(i)))
    done = await world.books.commit_ahead(unit, is_held)
    assert done.answer.payment.state is State.REFUSED
    assert done.proof is not None
    assert on_disk(file, done.answer.payment.id) == [("refused",)]


async def test_a_unit_that_says_no_leaves_nothing_behind(world):
    await order(world)
    before = world.books.commits
    with pytest.raises(Conflict):
        await world.books.commit_ahead(Refused("no"), is_held)
    with pytest.raises(ZeroDivisionError):
        await world.books.commit_ahead(Buggy("x"), is_held)
    await world.do(Say("after"))
    assert world.books.commits == before + 1


async def test_a_bug_in_what_follows_does_not_take_it_along(world, file):
    _, _, unit = await order(world)
    ident = await ahead(world, unit)
    with pytest.raises(ZeroDivisionError):
        await world.books.commit_one(Buggy("x"))
    assert on_disk(file, ident) == [("held",)]


async def test_what_cannot_be_written_never_was(world, monkeypatch):
    spender, payee, unit = await order(world)
    ident = await ahead(world, unit)
    with monkeypatch.context() as broken:
        broken.setattr(world.database, "transact", _fails)
        with pytest.raises(Unavailable):
            await world.books.commit_one(Capture(ident, None))
    with pytest.raises(Missing):
        await world.do(Capture(ident, None))
    assert await world.available(spender.account) == 1000
    assert (await world.do(unit)).payment.state is State.HELD
    assert await world.available(payee) == 0


async def test_a_failure_that_nobody_waits_for_is_no_ones_but_the_logs(world, monkeypatch):
    spender, _, unit = await order(world)
    await ahead(world, unit)
    with monkeypatch.context() as broken:
        broken.setattr(world.database, "transact", _fails)
        world.books.finish()
    assert not world.books.writable
    assert await world.books.probe()
    assert await world.available(spender.account) == 1000


async def test_it_is_decided_anew_where_somebody_else_has_written(world, file):
    spender, _, unit = await order(world)
    ident = await ahead(world, unit)
    with contextlib.closing(apsw.Connection(str(file))) as other:
        other.execute("UPDATE devices SET revoked_ns = 1 WHERE id = ?", (spender.device.id,))
    with pytest.raises(Missing):
        await world.do(Capture(ident, None))
    assert await world.available(spender.account) == 1000


async def test_closing_writes_it(world, file):
    _, _, unit = await order(world)
    ident = await ahead(world, unit)
    await world.books.close()
    assert on_disk(file, ident) == [("held",)]
    with pytest.raises(Unavailable):
        await world.books.commit_ahead(unit, is_held)


async def test_it_waits_while_a_thread_writes_something_else(world, file, monkeypatch):
    _, _, unit = await order(world)
    ident = await ahead(world, unit)
    began, go_on = threading.Event(), threading.Event()

    def work(_tx):
        began.set()
        ensure(go_on.wait(60), "told to go on")

    tidying = asyncio.ensure_future(world.books.tidy(work))
    await asyncio.to_thread(began.wait, 60)
    monkeypatch.setattr(sql, "AHEAD_SECONDS", 0.001)
    world.books.finish()
    await asyncio.sleep(0.05)
    go_on.set()
    await tidying
    await held_on_disk(file, ident)


async def test_where_others_write_a_hold_is_durable_when_it_is_told(books, database):
    world = World(books, database, HandClock())
    world.begin()
    await order(world)
    before = books.commits
    done = await books.commit_ahead(Say("now"), lambda _: True)
    assert done.answer == "now"
    waits = not books._writer.joins and books._writer._writing.prompt
    assert books.commits == before + (not waits)


async def test_a_hub_that_is_killed_meanwhile_has_taken_nothing(world, file, tmp_path, readers):
    """Its successor finds what the disk has: the same order is new to it, and is served."""
    spender, _, unit = await order(world)
    await ahead(world, unit)
    left = tmp_path / "left"
    left.mkdir()
    for each in file.parent.glob("books.db*"):
        shutil.copy(each, left)
    database = SqliteDatabase(left / "books.db", readers)
    with Threads(1) as writer:
        next_world = World(
            SqlBooks(database, lambda: SIGNER, world.clock, writer), database, world.clock
        )
        assert await next_world.available(spender.account) == 1000
        answer = await next_world.do(unit)
        assert answer.fresh
        assert answer.payment.state is State.HELD
    database.transact(check_history)
    database.close()


def _fails(_work):
    raise Unavailable("store-unavailable", "the disk is gone")
