"""Whatever queues while a commit runs goes into the next one, each unit for itself."""

import asyncio

import psycopg
import pytest

from farthing import ids
from farthing.books import sql
from farthing.books.sql import SqlBooks
from farthing.core.chain import proof_fault
from farthing.core.decisions import Outcome
from farthing.core.ledger import Transfer, TransferResult, linked
from farthing.errors import Conflict, FarthingError, InvariantBroken, Malformed, Unavailable
from farthing.store.postgres import PostgresDatabase
from farthing.threads import Threads
from tests.books.units import Buggy, Move, Refused, Say
from tests.conftest import SIGNER


async def test_units_that_come_together_share_a_few_commits(books):
    said = await asyncio.gather(*[books.commit_one(Say(str(i))) for i in range(300)])
    assert [done.answer for done in said] == [str(i) for i in range(300)]
    assert books.commits <= 3


async def test_a_lone_unit_is_committed_at_once(books):
    done = await books.commit_one(Say("alone"))
    assert (done.answer, done.proof.path, books.commits) == ("alone", [], 1)


async def test_units_are_decided_in_the_order_they_came(books):
    doings = [[Say(f"{i}.{j}") for j in range(3)] for i in range(40)]
    answers = await asyncio.gather(*[books.commit(units) for units in doings])
    places = [(d.proof.head.number, d.proof.index) for done in answers for d in done]
    assert places == sorted(places)
    assert len(set(places)) == 120


async def test_a_batch_larger_than_a_commit_is_spread_over_several(books):
    count = sql.BATCH_MAX * 2 + 10
    done = await books.commit([Say(str(i)) for i in range(count)])
    assert [d.answer for d in done] == [str(i) for i in range(count)]
    assert books.commits == 3


async def test_every_proof_of_a_batch_verifies_and_none_fits_another_statement(books):
    for size in (1, 2, 3, 5, 8, 13):
        done = await books.commit([Say(f"{size}.{i}") for i in range(size)])
        proofs = [d.proof for d in done]
        assert all(proof_fault(proof) is None for proof in proofs)
        assert len({proof.statement for proof in proofs}) == size
        for proof in proofs:
            forged = type(proof)(b"forged", proof.rows_digest, proof.index, proof.path, proof.head)
            assert proof_fault(forged) is not None


async def test_a_unit_that_is_refused_harms_no_other(books):
    units = [Say("a"), Refused("no"), Say("b")]
    first, refused, last = await books.commit(units)
    assert (first.answer, last.answer) == ("a", "b")
    assert isinstance(refused, Conflict)
    with pytest.raises(Conflict):
        await books.commit_one(Refused("no"))
    assert books.commits == 1


async def test_a_unit_with_a_bug_harms_no_other(books):
    answers = await asyncio.gather(
        *[books.commit_one(Buggy("x") if i == 7 else Say(str(i))) for i in range(20)],
        return_exceptions=True,
    )
    assert isinstance(answers[7], ZeroDivisionError)
    assert [a.answer for i, a in enumerate(answers) if i != 7] == [
        str(i) for i in range(20) if i != 7
    ]
    assert (await books.commit_one(Say("after"))).answer == "after"


def fail(_results):
    raise InvariantBroken("invariant-broken", "a bug")


async def test_money_moved_by_a_unit_that_then_fails_by_a_bug_is_where_it_was(world):
    payer, payee = await world.account(units=10), await world.account()
    unit = Move("broken", chain=(transfer(world, payer, payee, 4),), then=fail)
    answers = await asyncio.gather(
        world.books.commit_one(unit), world.do(Say("fine")), return_exceptions=True
    )
    assert isinstance(answers[0], InvariantBroken)
    assert answers[1] == "fine"
    assert (await world.available(payer), await world.available(payee)) == (10, 0)


async def test_a_chain_succeeds_or_fails_as_a_whole(world):
    payer, payee = await world.account(units=10), await world.account()
    chain = linked([transfer(world, payer, payee, 6), transfer(world, payer, payee, 6)])
    results = await world.do(Move("chain", chain=tuple(chain)))
    assert results == [[TransferResult.LINKED_EVENT_FAILED, TransferResult.EXCEEDS_CREDITS]]
    assert (await world.available(payer), await world.available(payee)) == (10, 0)
    again = await world.do(Move("again", chain=tuple(chain)))
    assert again == [[TransferResult.LINKED_EVENT_FAILED, TransferResult.ID_ALREADY_FAILED]]


async def test_a_transfer_out_of_range_is_malformed_and_moves_nothing(world):
    payer, payee = await world.account(units=10), await world.account()
    broken = Move("too much", chain=(transfer(world, payer, payee, 2**63),))
    fine = Move("fine", chain=(transfer(world, payer, payee, 1),))
    first, second = await world.do_all([broken, fine])
    assert isinstance(first, Malformed)
    assert second.answer == [[TransferResult.CREATED]]
    assert await world.available(payee) == 1


async def test_the_same_transfer_again_exists_and_moves_nothing(world):
    payer, payee = await world.account(units=10), await world.account()
    wanted = Move("twice", chain=(transfer(world, payer, payee, 3),))
    done = await world.do_all([wanted, wanted])
    assert [d.answer for d in done] == [[[TransferResult.CREATED]], [[TransferResult.EXISTS]]]
    assert await world.do(wanted) == [[TransferResult.EXISTS]]
    assert await world.available(payee) == 3


async def test_nothing_is_accepted_by_closed_books_and_what_was_accepted_is_done(books):
    waiting = [asyncio.ensure_future(books.commit_one(Say(str(i)))) for i in range(50)]
    await asyncio.sleep(0)
    await books.close()
    assert [done.answer for done in await asyncio.gather(*waiting)] == [str(i) for i in range(50)]
    with pytest.raises(Unavailable):
        await books.commit_one(Say("late"))


async def test_full_books_say_so_and_lose_nothing(books):
    queued = asyncio.ensure_future(books.commit([Say("x")] * (sql.HANDED_OVER_MAX + 100)))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await books.commit([Say("y")] * (sql.QUEUE_MAX - 99))
    assert len(await queued) == sql.HANDED_OVER_MAX + 100


async def test_a_caller_who_stops_waiting_harms_nobody(books):
    impatient = asyncio.ensure_future(books.commit_one(Say("a")))
    patient = asyncio.ensure_future(books.commit_one(Say("b")))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).answer == "b"
    assert (await books.commit_one(Say("c"))).answer == "c"


async def test_no_units_are_no_commit(books):
    assert await books.commit([]) == []
    assert books.commits == 0


async def test_a_unit_that_says_and_moves_nothing_leaves_no_trace(books):
    done = await books.commit_one(Silent("x"))
    assert (done.answer, done.proof, books.commits) == ("nothing", None, 0)


async def test_answers_are_errors_of_ours_or_done(world):
    answers = await world.do_all([Say("a"), Refused("b")])
    assert [isinstance(answer, FarthingError) for answer in answers] == [False, True]


def transfer(world, payer, payee, units):
    sides = ids.number("acc", payer), ids.number("acc", payee)
    return Transfer(ids.place(world.fresh(), 1), *sides, units, 1, 10)


class Silent(Say):
    def plan(self, _view):
        return Outcome("nothing")


@pytest.mark.postgres
async def test_while_nothing_can_be_written_who_comes_is_told_so_at_once(
    postgres_dsn, readers, clock
):
    database = PostgresDatabase(postgres_dsn, readers)
    with Threads(1) as writer, psycopg.connect(postgres_dsn, autocommit=True) as other:
        books = SqlBooks(database, lambda: SIGNER, clock, writer, stalled_seconds=0.2)
        await books.commit_one(Say("before"))
        other.execute("SELECT pg_advisory_lock(%s)", (int.from_bytes(b"farthing", "big"),))
        waiting = [asyncio.create_task(books.commit_one(Say(str(i)))) for i in range(2)]
        await asyncio.sleep(0.5)
        with pytest.raises(Unavailable) as told:
            await books.commit_one(Say("too late"))
        assert told.value.code == "books-busy"
        other.execute("SELECT pg_advisory_unlock_all()")
        assert [done.answer for done in await asyncio.gather(*waiting)] == ["0", "1"]
        assert (await books.commit_one(Say("after"))).answer == "after"
        await books.close()
    database.close()
