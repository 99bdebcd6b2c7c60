"""Holds made lately are kept in memory: a capture asks the database for none of them, and time
frees them all the same.
"""

import contextlib

import apsw
import pytest

from farthing.books import memory
from farthing.books.sql import SqlBooks
from farthing.core.ledger import TransferFlags, TransferResult
from farthing.core.payments import Place, State
from farthing.core.settling import Capture, Void, ending_chain
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.books.units import Move
from tests.conftest import SIGNER

NS = 1_000_000_000


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
        database.close()


@contextlib.contextmanager
def heard(database):
    said = []
    connection = database._writer
    connection.trace_v2(apsw.SQLITE_TRACE_STMT, lambda event: said.append(event["sql"]))
    yield said
    connection.trace_v2(0, None)


async def held(world, seconds=60):
    spender, payee = await world.spender(1000), await world.account()
    unit = world.pay(spender, payee, 40, hold=seconds)
    return spender, payee, (await world.do(unit)).payment.id


@pytest.mark.parametrize("ending", [Capture, Void])
async def test_a_hold_is_ended_without_a_question_to_the_database(world, ending):
    _, _, ident = await held(world)
    with heard(world.database) as said:
        await world.do(ending(ident, None))
    assert any(text.startswith("INSERT INTO transfers") for text in said)
    assert [text for text in said if text.startswith("SELECT")] == []


async def test_a_hold_that_has_ended_is_no_hold_any_more_for_the_ledger_either(world):
    _, _, ident = await held(world)
    payment = await world.do(Capture(ident, None))
    void = ending_chain(payment, TransferFlags.VOID_PENDING, Place.VOID, 0)
    [results] = await world.do(Move("void it again", chain=tuple(void)))
    assert results[-1] is TransferResult.PENDING_TRANSFER_ALREADY_POSTED


async def test_a_hold_that_was_forgotten_is_asked_for_and_captured(world, monkeypatch):
    monkeypatch.setattr(memory, "_HOLDS_KEPT", 1)
    _, payee, ident = await held(world)
    await held(world)
    with heard(world.database) as said:
        assert (await world.do(Capture(ident, None))).state is State.CAPTURED
    assert any("FROM pendings" in text for text in said)
    assert await world.available(payee) == 40


async def test_a_hold_runs_out_in_the_first_commit_after_its_time(world):
    spender, _, _ = await held(world, seconds=5)
    _, _, later = await held(world, seconds=50)
    world.clock.now_ns += 6 * NS
    await world.account()
    assert await world.available(spender.account) == 1000
    world.clock.now_ns += 60 * NS
    assert (await world.do(Capture(later, None))).state is State.EXPIRED


async def test_holds_that_were_made_before_a_restart_run_out_too(world):
    spender, _, _ = await held(world, seconds=5)
    _, _, later = await held(world, seconds=50)
    with Threads(1) as writer:
        world.books = SqlBooks(world.database, lambda: SIGNER, world.clock, writer)
        await world.account()
        world.clock.now_ns += 6 * NS
        await world.account()
        assert await world.available(spender.account) == 1000
        world.clock.now_ns += 60 * NS
        assert (await world.do(Capture(later, None))).state is State.EXPIRED


async def test_more_holds_than_one_commit_frees_are_freed_by_the_next(world, monkeypatch):
    monkeypatch.setattr("farthing.books.batch._EXPIRIES_MAX", 2)
    spenders = [(await held(world, seconds=5))[0] for _ in range(3)]
    world.clock.now_ns += 6 * NS
    await world.account()
    await world.account()
    assert [await world.available(each.account) for each in spenders] == [1000] * 3


async def test_a_hold_that_somebody_else_has_ended_is_not_captured(world, file):
    _, payee, ident = await held(world)
    with contextlib.closing(apsw.Connection(str(file))) as other:
        other.execute("UPDATE pendings SET state = 4")
    assert (await world.do(Capture(ident, None))).state is State.EXPIRED
    assert await world.available(payee) == 0
