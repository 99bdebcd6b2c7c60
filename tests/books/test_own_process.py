"""Books that are written in a process of their own: the same answers, and no harm if it is lost."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from functools import partial

import pytest

from farthing.books.base import Done
from farthing.books.court import NONE_JUDGED
from farthing.books.link import spawn_writer
from farthing.books.own_process import OwnProcess, Setup
from farthing.books.sql import SqlBooks
from farthing.books.wire import Unsendable
from farthing.clock import NS
from farthing.core.accounts import OpenAccount
from farthing.core.chain import proof_fault
from farthing.core.decisions import Outcome
from farthing.core.events import Kind
from farthing.core.idempotency import Keyed
from farthing.core.payments import State
from farthing.core.refusals import Refusal
from farthing.errors import BadConfig, OutcomeUnknown, PaymentRefused, Unavailable
from farthing.store.migrate import migrate
from farthing.store.queries import forget_answers
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, Put, World
from farthing.threads import Threads
from tests.books.auditor import check_history
from tests.books.units import Move, Say
from tests.conftest import SIGNER
from tests.own_writers import nursery


async def all_asked(*worlds):
    """Wait until nothing waits in this process any more, and what was asked is on its way."""
    await asyncio.sleep(0.02)
    async with asyncio.timeout(20):
        while any(world.books.queued for world in worlds):  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)


class Tells(Say):
    """A unit whose answer is no plain value."""

    def plan(self, _view):
        return Outcome(lambda: self.what, subject=1, statement=self.what.encode())


class Told:
    """What the hub heard of commits."""

    def __init__(self):
        self.heads, self.batches = [], []

    def batch(self, waited, seconds, units, events, judged):
        assert waited >= 0 and seconds > 0 and judged == NONE_JUDGED
        self.batches.append((units, events))

    def kinds(self):
        return [event.kind for _, events in self.batches for event in events or ()]


class KillsAt(Told):
    """Kills the process when it has told of so many commits: the next batch is under way then."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers, self.process = numbers, None

    def batch(self, waited, seconds, units, events, judged):
        super().batch(waited, seconds, units, events, judged)
        if len(self.batches) in self.numbers:
            asyncio.get_running_loop().call_soon(os.kill, self.process.pid, signal.SIGKILL)


@asynccontextmanager
async def beside(tmp_path, readers, told=None, spawn=None):
    """A world whose books are written by another process; its history must hold in the end."""
    told = told or Told()
    database = SqliteDatabase(tmp_path / "books.db", readers)
    migrate(database)
    clock = HandClock()
    with Threads(1) as thread:
        books = SqlBooks(database, lambda: SIGNER, clock, thread)
        world = World(books, database, clock)
        world.begin()
        setup = Setup(str(tmp_path / "books.db"), database.lock, SIGNER)
        process = OwnProcess(setup, clock, told.heads.append, told.batch, spawn)
        books.hand_over(process)
        try:
            yield world, process
        finally:
            await books.close()
    database.transact(check_history)
    database.close()


async def test_money_moves_and_is_proved_as_on_a_thread(tmp_path, readers):
    told = Told()
    async with beside(tmp_path, readers, told) as (world, process):
        spender, payee = await world.spender(100), await world.account()
        done = await world.books.commit([world.pay(spender, payee, 40) for _ in range(3)])
        states = [(one.answer.payment.state, one.answer.payment.reason) for one in done]
        assert states[:2] == [(State.CAPTURED, "")] * 2
        assert states[2] == (State.REFUSED, Refusal.INSUFFICIENT_FUNDS)
        assert [proof_fault(one.proof) for one in done] == [None] * 3
        assert world.books.commits == len(told.heads) == told.heads[-1].number
        assert done[0].proof.head == told.heads[-1]
        assert done[0].answer.payment.created_ns >= world.clock.now_ns  # The hub's time, not its.
        assert process.pid != os.getpid()
    assert told.batches[-1][0] == 3
    assert told.kinds().count(Kind.PAYMENT_CAPTURED) == 2
    paid = told.batches[-1][1][0]
    assert paid.body == {"asset": "USD", "captured": "40"}


async def test_what_waits_at_the_process_goes_into_one_commit_and_each_hears_its_own(
    tmp_path, readers
):
    told = Told()
    async with beside(tmp_path, readers, told) as (world, process):
        spender, payee = await world.spender(10**6), await world.account()
        os.kill(process.pid, signal.SIGSTOP)  # So that all of them wait there.
        before = len(told.batches)
        asked = [
            asyncio.ensure_future(world.books.commit([world.pay(spender, payee, 10 + n)] * 2))
            for n in range(30)
        ]
        await all_asked(world)
        os.kill(process.pid, signal.SIGCONT)
        for n, answers in enumerate(await asyncio.gather(*asked)):
            assert [one.answer.payment.captured for one in answers] == [10 + n] * 2
        commits = [units for units, _ in told.batches[before:]]
        assert sum(commits) == 60
        assert len(commits) <= 2  # The first message may be read before the others come.


async def test_faults_come_across_as_they_were_raised(tmp_path, readers):
    async with beside(tmp_path, readers) as (world, process):
        spender, owner = await world.spender(100), await world.owner()
        good = OpenAccount("acc_" + "1" * 26, owner, "USD", "purse")
        refused, bug, made = await asyncio.gather(
            world.books.commit([world.pay(spender, "acc_" + "0" * 26, 40)]),
            world.books.commit([Put(None)]),
            world.books.commit([good]),
            return_exceptions=True,
        )
        assert type(refused[0]) is PaymentRefused
        assert refused[0].problem()["code"] == "unknown-payee"
        assert refused[0].problem()["detail"] == "this hub has no such payee account"
        assert type(bug) is AttributeError
        assert made[0].answer.id == good.id
        assert world.books.writable
        first = process.pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(first, number)  # As a terminal or a service sends it to all of them.
            await world.account(owner)
        assert process.pid == first


async def test_what_cannot_cross_over_harms_nothing_that_came_along(tmp_path, readers):
    spawn = nursery().spawn  # It knows the units of tests.
    async with beside(tmp_path, readers, spawn=spawn) as (world, process):
        await world.books.commit_one(Say("first"))
        asked = [Say("a"), Move("b", then=lambda _: None), Say("c"), Tells("d"), Say("e")]
        first = process.pid
        answers = await asyncio.gather(
            *map(world.books.commit_one, asked), world.books.commit_one(Say("f")),
            return_exceptions=True,
        )  # fmt: skip
        said = [one.answer for one in answers if isinstance(one, Done)]
        assert said == ["a", "c", "e", "f"]
        for broken in (answers[1], answers[3]):
            assert isinstance(broken, RuntimeError)
            assert "cannot be sent to another process" in str(broken)
        with pytest.raises(Unsendable):
            await world.books.commit_one(asked[1])
        with pytest.raises(RuntimeError, match="cannot be sent"):
            await world.books.commit_one(Tells("g"))
        assert process.pid == first


async def test_a_process_that_is_killed_leaves_an_unknown_outcome_and_the_next_goes_on(
    tmp_path, readers, caplog
):
    async with beside(tmp_path, readers) as (world, process):
        spender, payee = await world.spender(10**6), await world.account()
        units = [world.pay(spender, payee, 1) for _ in range(400)]
        asked = asyncio.ensure_future(world.books.commit(units))
        first = process.pid
        await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(OutcomeUnknown) as unknown:
            await asked
        assert unknown.value.code == "commit-unheard"
        again = await world.books.commit(units)
        assert "books.writer_lost code=-9" in caplog.messages
        assert {one.answer.payment.state for one in again} == {State.CAPTURED}
        assert process.pid != first
        assert await received(world, payee) == 400


async def test_killed_again_and_again_under_load_nothing_is_lost_and_nothing_done_twice(
    tmp_path, readers
):
    told = KillsAt(15, 30, 45)
    async with beside(tmp_path, readers, told) as (world, process):
        told.process = process
        spender, payee = await world.spender(10**6), await world.account()
        unknown = 0

        async def pay():
            nonlocal unknown
            unit = world.pay(spender, payee, 1)
            while True:
                try:
                    return await world.do(unit)
                except OutcomeUnknown:
                    unknown += 1

        async def client():
            return [await pay() for _ in range(60)]

        paid = [one for each in await asyncio.gather(*(client() for _ in range(8))) for one in each]
        assert {one.payment.state for one in paid} == {State.CAPTURED}
        assert len({one.payment.id for one in paid}) == 480
        assert await received(world, payee) == 480
        assert unknown >= 3


async def test_books_that_cannot_be_written_are_told_of_and_tried_again(tmp_path, readers):
    async with beside(tmp_path, readers) as (world, _):
        owner = await world.owner()
        file = tmp_path / "books.db"
        file.rename(tmp_path / "away.db")
        with pytest.raises(Unavailable):
            await world.account(owner)
        assert not world.books.writable
        assert not await world.books.probe()
        (tmp_path / "away.db").rename(file)
        assert await world.books.probe()
        assert world.books.writable
        await world.account(owner)


async def test_a_process_that_cannot_be_started_again_is_told_of_until_it_can(tmp_path, readers):
    able = True

    def spawn(end, lock):
        if not able:
            raise OSError("no more processes")
        return spawn_writer(end, lock)

    async with beside(tmp_path, readers, spawn=spawn) as (world, process):
        owner = await world.owner()
        able = False
        os.kill(process.pid, signal.SIGKILL)
        for _ in range(2):  # The first may have been on its way.
            with pytest.raises((OutcomeUnknown, Unavailable)):
                await world.account(owner)
        assert not world.books.writable
        assert not await world.books.probe()
        able = True
        assert await world.books.probe()
        assert world.books.writable
        await world.account(owner)


async def test_what_has_run_out_is_deleted_and_what_was_accepted_is_finished(tmp_path, readers):
    async with beside(tmp_path, readers) as (world, process):
        spender, payee = await world.spender(10**6), await world.account()
        unit = Keyed(world.pay(spender, payee, 1), b"key", b"content")
        await world.do(unit)
        await world.books.tidy(partial(forget_answers, before_ns=world.clock.now_ns + NS))
        assert await world.database.read(lambda tx: tx.rows("SELECT * FROM idempotency")) == []
        asked = [asyncio.ensure_future(world.do(world.pay(spender, payee, 1))) for _ in range(50)]
        await asyncio.sleep(0)
        pid = process.pid
        await world.books.close()
        assert all(one.done() and not one.exception() for one in asked)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_where_the_books_cannot_be_opened_no_process_stays(tmp_path):
    (tmp_path / "books.db").mkdir()
    process = OwnProcess(Setup(str(tmp_path / "books.db"), None, SIGNER), HandClock())
    with pytest.raises(BadConfig) as fault:
        await process.start()
    assert fault.value.code == "books-no-file"
    assert process.pid is None


async def received(world, account):
    """Count what an account was paid, in the file itself."""
    record = await world.database.read(
        lambda tx: tx.rows(
            "SELECT SUM(captured) FROM payments"
            " WHERE payee = (SELECT number FROM names WHERE name = ?)",
            (account,),
        )
    )
    return record[0][0]
