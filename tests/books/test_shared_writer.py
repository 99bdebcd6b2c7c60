"""One process that writes for several hubs: what they ask together, and who is slow or gone."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from farthing.books.door import Joined
from farthing.books.own_process import Setup
from farthing.books.sql import SqlBooks
from farthing.clock import NS, system_clock
from farthing.errors import Unauthenticated
from farthing.services.heads import HeadsFile, check_heads
from farthing.shared_writer import UsedUp
from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.books.auditor import check_history
from tests.books.test_own_process import all_asked
from tests.conftest import SIGNER
from tests.shared_writers import writing_for_several


@asynccontextmanager
async def joined(tmp_path, readers, count=2):
    """So many hubs' books on one file, who writes for them, and what each hub heard of commits."""
    path = tmp_path / "books.db"
    with writing_for_several(path) as writer:
        async with AsyncExitStack() as stack:
            hubs = [await _join(stack, path, readers, writer.door, i) for i in range(count)]
            yield hubs, writer
    database = SqliteDatabase(path, readers)
    database.transact(check_history)
    noted = HeadsFile(tmp_path / "heads").read()
    database.transact(lambda tx: check_heads(tx, noted, set()))
    assert [head.number for head in noted] == list(range(1, len(noted) + 1))
    database.close()


async def _join(stack, path, readers, door, seed):
    database = SqliteDatabase(path, readers, lock=os.dup(door.lock), shared=True)
    stack.callback(database.close)
    migrate(database)
    clock, told = HandClock(), []
    setup = Setup(str(path), None, SIGNER, heads=str(path.with_name("heads")))
    books = SqlBooks(database, lambda: SIGNER, clock, stack.enter_context(Threads(1)))
    process = Joined(setup, clock, door, lambda *batch: told.append(batch))
    books.hand_over(process)
    stack.push_async_callback(books.close)
    world = World(books, database, clock, seed=seed)
    if seed == 0:
        world.begin()
    await process.start()
    return world, process, told


async def test_what_two_hubs_ask_together_goes_into_one_commit_and_each_hears_its_own(
    tmp_path, readers
):
    async with joined(tmp_path, readers) as ([(one, _, told), (other, _, more)], writer):
        spender, payee = await one.spender(10**6), await one.account()
        before = sum(len(each) for each in (told, more))
        writer.process.send_signal(signal.SIGSTOP)  # So that all of them wait there.
        asked = [
            asyncio.ensure_future(world.do(world.pay(spender, payee, 10 + n)))
            for n in range(20)
            for world in (one, other)
        ]
        await all_asked(one, other)
        writer.process.send_signal(signal.SIGCONT)
        answers = await asyncio.gather(*asked)
        assert [answer.payment.captured for answer in answers] == [10 + i // 2 for i in range(40)]
        assert len(told) + len(more) - before <= 2  # Some may be read before the others come.


async def test_a_hub_that_does_not_read_its_answers_holds_nobody_up(tmp_path, readers):
    async with joined(tmp_path, readers) as ([(one, process, _), (other, _, _)], _):
        spender, payee = await one.spender(10**6), await one.account()
        process._link._transport.pause_reading()
        asked = [one.pay(spender, payee, 1) for _ in range(1000)]
        slow = asyncio.ensure_future(one.books.commit(asked))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(10):
                for _ in range(3):
                    assert (await other.do(other.pay(spender, payee, 1))).payment.captured == 1
        finally:
            process._link._transport.resume_reading()
        assert len(await slow) == 1000


async def test_a_hub_that_goes_away_leaves_what_it_asked_for_done_and_the_others_served(
    tmp_path, readers
):
    async with joined(tmp_path, readers) as ([(one, process, _), (other, _, _)], writer):
        spender, payee = await one.spender(10**6), await one.account()
        unit = one.pay(spender, payee, 7)
        writer.process.send_signal(signal.SIGSTOP)
        asked = asyncio.ensure_future(one.do(unit))
        await asyncio.sleep(0.05)
        process._link._transport.abort()
        writer.process.send_signal(signal.SIGCONT)
        with suppress(Exception):
            await asked
        again = await other.do(unit)
        assert (again.payment.captured, again.fresh) == (7, False)


async def test_when_who_writes_is_killed_all_hubs_find_the_next(tmp_path, readers):
    async with joined(tmp_path, readers) as ([(one, _, _), (other, _, _)], writer):
        owner = await one.owner()
        writer.kill()
        waiting = [asyncio.ensure_future(world.account(owner)) for world in (one, other)]
        await asyncio.sleep(0.05)
        writer.begin()
        await asyncio.gather(*waiting, return_exceptions=True)  # Some may have been under way.
        made = [await world.account(owner) for world in (one, other)]
        assert len(set(made)) == 2


async def test_a_key_is_good_once_for_all_and_what_was_signed_before_is_not_taken(
    tmp_path, readers
):
    async with joined(tmp_path, readers) as ([(_, first, _), (_, second, _)], _):
        now_s = system_clock() // NS + 5
        asked = [each.use_once(b"k" * 16, now_s, now_s + 60, 0) for each in (first, second) * 4]
        assert sorted(await asyncio.gather(*asked)) == [False] * 7 + [True]
        with pytest.raises(Unauthenticated) as refused:
            await second.use_once(b"l" * 16, now_s - 3600, now_s + 60, 0)
        assert refused.value.code == "signature-expired"


def test_a_key_that_has_run_out_is_forgotten():
    used = UsedUp(100)
    assert used.take(b"a", 100, 160, 0)
    assert not used.take(b"a", 100, 160, 160)
    assert used.take(b"a", 100, 160, 161)
