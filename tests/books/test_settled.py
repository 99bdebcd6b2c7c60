"""What a hold's end writes down: when, why, for whom, and whether this call was what ended it."""

from types import SimpleNamespace

import pytest

from farthing import ids
from farthing.core.events import Kind
from farthing.core.fees import FeeTerms
from farthing.core.ledger import TransferFlags
from farthing.core.mandates import Budget
from farthing.core.payments import PAYMENTS, Place, State
from farthing.core.settling import Capture, Expire, MarkDelivery, Settle, Void, ending_chain
from farthing.errors import Conflict, Malformed

DAY = Budget(name="day", per="day", limit=100)


async def hold(world, seconds=60):
    spender, payee = await world.spender(100, DAY), await world.account()
    return (await world.do(world.pay(spender, payee, 40, hold=seconds))).payment


async def kinds(world):
    return await world.database.read(
        lambda tx: [kind for (kind,) in tx.rows("SELECT kind FROM events ORDER BY number")]
    )


async def test_one_unit_of_a_hold_can_be_captured_and_not_one_too_many(world):
    held = await hold(world)
    with pytest.raises(Malformed) as refused:
        await world.do(Capture(held.id, None, 41))
    assert refused.value.code == "capture-too-large"
    world.clock.move(5)
    captured = await world.do(Capture(held.id, None, 1))
    assert (captured.captured, captured.reason) == (1, "")
    assert captured.changed_ns >= world.clock.now_ns > held.changed_ns


async def test_a_void_says_when_and_keeps_a_hundred_characters_of_why(world):
    held = await hold(world)
    world.clock.move(5)
    voided = await world.do(Void(held.id, None, "x" * 150))
    assert voided.reason == "x" * 100
    assert voided.changed_ns >= world.clock.now_ns > held.changed_ns


@pytest.mark.parametrize("ending", [Capture, Void])
async def test_a_hold_that_ended_by_itself_has_no_reason(world, ending):
    held = await hold(world)
    world.clock.move(61)
    over = await world.do(ending(held.id, None))
    assert (over.state, over.reason) == (State.EXPIRED, "")


async def test_a_hold_is_over_at_the_very_moment_of_its_end(world):
    held = await hold(world)
    world.clock.now_ns = held.hold_ends_ns
    assert (await world.do(Capture(held.id, None))).state is State.EXPIRED


async def test_an_expiry_is_written_a_moment_after_the_ledgers_own(world):
    held = await hold(world)
    for after_ns, state in ((999_999, State.HELD), (1_000_000, State.EXPIRED)):
        world.clock.now_ns = held.hold_ends_ns + after_ns
        found = await world.do(Expire(held.id))
        assert (found.state, found.reason) == (state, "")


async def test_who_captures_hears_that_it_was_done_now_and_whoever_comes_later_that_it_was(world):
    held = await hold(world)
    first = await world.books.commit_one(Settle(Capture(held.id, None, 15)))
    assert (first.answer.now, first.answer.payment.captured) == (True, 15)
    assert b'"captured":"15"' in first.proof.statement
    again = await world.do(Settle(Capture(held.id, None, 15)))
    assert (again.now, again.payment) == (False, first.answer.payment)
    assert await world.payment(held.id) == first.answer.payment


async def test_who_releases_hears_that_it_was_done_now(world):
    held = await hold(world)
    first, again = [await world.do(Settle(Void(held.id, None))) for _ in range(2)]
    assert (first.now, again.now) == (True, False)
    assert first.payment.state is again.payment.state is State.VOIDED


async def test_who_comes_too_late_to_release_hears_that_it_was_not_he(world):
    held = await hold(world)
    world.clock.move(61)
    found = await world.do(Settle(Void(held.id, None)))
    assert (found.now, found.payment.state) == (False, State.EXPIRED)
    assert await world.payment(held.id) == found.payment


def test_settling_looks_at_what_the_ending_looks_at():
    ending = Capture("pay_1", None)
    assert Settle(ending).reads == ending.reads
    assert [read.table for read in ending.reads] == [PAYMENTS]
    assert Settle(ending).accounts == ending.accounts == ()


def test_what_ends_a_hold_and_its_budgets_says_whose_it_is():
    payment = SimpleNamespace(number=7 << 8, budgets=2)
    chain = ending_chain(payment, TransferFlags.VOID_PENDING, Place.VOID, 0)
    assert [transfer.user_data for transfer in chain] == [payment.number] * 3
    assert [transfer.pending_id - payment.number for transfer in chain] == [3, 2, 1]
    assert [transfer.id - payment.number for transfer in chain] == [131, 130, 129]


async def test_a_broken_off_answer_is_written_down_once_of_what_was_paid(world):
    held = await hold(world)
    with pytest.raises(Conflict) as refused:
        await world.do(MarkDelivery(held.id, None, "incomplete"))
    assert refused.value.code == "not-captured"
    paid = await world.do(Capture(held.id, None))
    world.clock.move(5)
    done = await world.books.commit_one(MarkDelivery(held.id, None, "incomplete"))
    marked = done.answer
    assert (marked.delivery, marked.state) == ("incomplete", State.CAPTURED)
    assert marked.changed_ns >= world.clock.now_ns > paid.changed_ns
    assert marked.leaf > paid.leaf
    assert await world.payment(held.id) == marked
    assert (await kinds(world))[-2:] == [str(Kind.PAYMENT_DELIVERY_INCOMPLETE)] * 2
    assert await world.do(MarkDelivery(held.id, None, "otherwise")) == marked


async def test_whoever_gets_a_fee_of_a_captured_hold_is_told(world):
    till = await world.account()
    world.fees = {"USD": FeeTerms(of="hub", account=till, flat=3)}
    held = await hold(world)
    await world.do(Capture(held.id, None))
    assert (await kinds(world)).count(str(Kind.FEE_TAKEN)) == 1
    assert await world.available(till) == 3
    assert ids.name("pay", held.number) == held.id
