"""Holds: captured all or in part, voided, expired; and what freezing and closing do to them."""

import pytest

from farthing import ids
from farthing.core.accounts import ACCOUNTS, SetAccountState
from farthing.core.mandates import Budget
from farthing.core.payments import State
from farthing.core.settling import Capture, Expire, MarkDelivery, Void
from farthing.errors import Conflict, Malformed, Missing

DAY = Budget(name="day", per="day", limit=100)


async def hold(world, amount=40, seconds=60):
    spender, payee = await world.spender(100, DAY), await world.account()
    payment = (await world.do(world.pay(spender, payee, amount, hold=seconds))).payment
    assert payment.state is State.HELD
    return spender, payee, payment.id


def set_state(world, account, to):
    return SetAccountState(account, None, to, world.fresh())


async def test_a_hold_takes_money_and_budget_and_gives_nothing_yet(world):
    spender, payee, _ = await hold(world)
    account = await world.ledger_account(spender.account)
    assert (account.debits_pending, account.debits_posted) == (40, 0)
    assert await world.available(payee) == 0
    assert await world.budget(spender.device.mandate, "day") == (60, 40)


async def test_capturing_a_part_gives_the_rest_back_to_account_and_budget(world):
    spender, payee, ident = await hold(world)
    done = await world.books.commit_one(Capture(ident, None, 15))
    assert (done.answer.state, done.answer.captured) == (State.CAPTURED, 15)
    assert b'"captured":"15"' in done.proof.statement
    assert (await world.available(spender.account), await world.available(payee)) == (85, 15)
    assert await world.budget(spender.device.mandate, "day") == (85, 15)


async def test_a_capture_again_is_no_harm_and_with_another_amount_a_conflict(world):
    _, payee, ident = await hold(world)
    first = await world.do(Capture(ident, None, 15))
    assert await world.do(Capture(ident, None, 15)) == first
    for other in (None, 14, 16):
        with pytest.raises(Conflict) as raised:
            await world.do(Capture(ident, None, other))
        assert raised.value.code == "already-captured"
    assert await world.available(payee) == 15


@pytest.mark.parametrize("units", [0, -1, 41, 2**63])
async def test_no_more_than_is_held_and_no_less_than_one_unit_is_captured(world, units):
    _, payee, ident = await hold(world)
    with pytest.raises(Malformed):
        await world.do(Capture(ident, None, units))
    assert (await world.do(Capture(ident, None))).captured == 40
    assert await world.available(payee) == 40


async def test_a_void_gives_all_back_and_ends_the_hold(world):
    spender, payee, ident = await hold(world)
    assert (await world.do(Void(ident, None, "sold out"))).reason == "sold out"
    assert (await world.do(Void(ident, None))).state is State.VOIDED
    assert (await world.available(spender.account), await world.available(payee)) == (100, 0)
    assert await world.budget(spender.device.mandate, "day") == (100, 0)
    with pytest.raises(Conflict) as raised:
        await world.do(Capture(ident, None))
    assert raised.value.code == "not-held"


async def test_a_captured_payment_is_not_voided(world):
    _, _, ident = await hold(world)
    await world.do(Capture(ident, None))
    with pytest.raises(Conflict):
        await world.do(Void(ident, None))


async def test_an_expired_hold_gives_money_and_budget_back_with_the_next_commit(world):
    spender, payee, ident = await hold(world, amount=90, seconds=60)
    world.clock.move(59)
    assert (await world.do(world.pay(spender, payee, 90))).payment.state is State.REFUSED
    world.clock.move(2)
    assert (await world.do(world.pay(spender, payee, 90))).payment.state is State.CAPTURED
    assert (await world.do(Expire(ident))).state is State.EXPIRED
    assert (await world.available(spender.account), await world.available(payee)) == (10, 90)
    assert await world.budget(spender.device.mandate, "day") == (10, 90)


async def test_a_hold_is_not_expired_before_its_time(world):
    _, _, ident = await hold(world)
    assert (await world.do(Expire(ident))).state is State.HELD
    assert (await world.do(Capture(ident, None))).state is State.CAPTURED
    world.clock.move(100)
    assert (await world.do(Expire(ident))).state is State.CAPTURED


@pytest.mark.parametrize("late", [Capture, Void])
async def test_who_comes_after_the_hold_has_expired_finds_it_expired(world, late):
    spender, payee, ident = await hold(world)
    world.clock.move(61)
    assert (await world.do(late(ident, None))).state is State.EXPIRED
    assert (await world.available(spender.account), await world.available(payee)) == (100, 0)


async def test_many_holds_expire_in_one_commit(world):
    spender, payee = await world.spender(3000, DAY), await world.account()
    held = [world.pay(spender, payee, 1, hold=1 + i % 3) for i in range(90)]
    assert all(d.answer.payment.state is State.HELD for d in await world.do_all(held))
    world.clock.move(4)
    await world.account()
    assert await world.available(spender.account) == 3000
    assert await world.budget(spender.device.mandate, "day") == (100, 0)


async def test_held_captured_and_voided_in_one_batch(world):
    spender, payee = await world.spender(100, DAY), await world.account()
    units = [world.pay(spender, payee, 10, hold=60) for _ in range(3)]
    names = [ids.name("pay", number) for number in map(_number, units)]
    done = await world.do_all(
        [*units, Capture(names[0], None, 4), Void(names[1], None), Capture(names[0], None, 4)]
    )
    assert [d.answer.state for d in done[3:]] == [State.CAPTURED, State.VOIDED, State.CAPTURED]
    assert await world.budget(spender.device.mandate, "day") == (86, 14)
    assert await world.available(payee) == 4


def _number(unit):
    from farthing.core.orders import payment_id

    return payment_id(unit.signed.order)


async def test_only_the_seller_settles_and_others_learn_nothing(world):
    spender, payee, ident = await hold(world)
    stranger, seller = await world.owner(), (await world.record(ACCOUNTS, payee)).owner
    for who in (stranger, spender.device.owner):
        for unit in (Capture(ident, who), Void(ident, who), MarkDelivery(ident, who, "x")):
            with pytest.raises(Missing):
                await world.do(unit)
    assert (await world.do(Capture(ident, seller))).state is State.CAPTURED


async def test_a_frozen_account_pays_nothing_until_it_is_unfrozen(world):
    spender, payee = await world.spender(100), await world.account()
    await world.do(set_state(world, spender.account, "frozen"))
    refused = (await world.do(world.pay(spender, payee, 1))).payment
    assert (refused.state, refused.reason) == (State.REFUSED, "account-frozen")
    await world.do(set_state(world, spender.account, "open"))
    assert (await world.do(world.pay(spender, payee, 1))).payment.state is State.CAPTURED


async def test_a_frozen_payee_is_paid_nothing(world):
    spender, payee = await world.spender(100), await world.account()
    await world.do(set_state(world, payee, "frozen"))
    refused = (await world.do(world.pay(spender, payee, 1))).payment
    assert refused.reason == "payee-frozen"


async def test_freezing_comes_between_two_payments_of_one_batch(world):
    spender, payee = await world.spender(100), await world.account()
    first, _, last = await world.do_all(
        [
            world.pay(spender, payee, 1),
            set_state(world, spender.account, "frozen"),
            world.pay(spender, payee, 1),
        ]
    )
    assert first.answer.payment.state is State.CAPTURED
    assert last.answer.payment.reason == "account-frozen"


@pytest.mark.parametrize("which", ["payer", "payee"])
async def test_a_hold_on_a_frozen_account_waits_and_can_still_be_released(world, which):
    spender, payee, ident = await hold(world)
    await world.do(set_state(world, spender.account if which == "payer" else payee, "frozen"))
    with pytest.raises(Conflict) as raised:
        await world.do(Capture(ident, None))
    assert raised.value.code == "account-frozen"
    assert (await world.do(Void(ident, None))).state is State.VOIDED
    assert await world.available(spender.account) == 100
    assert await world.budget(spender.device.mandate, "day") == (100, 0)


async def test_a_capture_refused_by_a_freeze_can_be_made_after_it(world):
    spender, payee, ident = await hold(world)
    await world.do(set_state(world, spender.account, "frozen"))
    with pytest.raises(Conflict):
        await world.do(Capture(ident, None))
    await world.do(set_state(world, spender.account, "open"))
    assert (await world.do(Capture(ident, None))).state is State.CAPTURED
    assert await world.available(payee) == 40


async def test_a_hold_on_a_frozen_account_expires_all_the_same(world):
    spender, _, ident = await hold(world)
    await world.do(set_state(world, spender.account, "frozen"))
    world.clock.move(61)
    assert (await world.do(Expire(ident))).state is State.EXPIRED
    assert await world.available(spender.account) == 100


async def test_an_account_is_closed_only_when_empty_and_stays_closed(world):
    spender, payee = await world.spender(5), await world.account()
    with pytest.raises(Conflict) as raised:
        await world.do(set_state(world, spender.account, "closed"))
    assert raised.value.code == "account-not-empty"
    await world.do(world.pay(spender, payee, 5))
    closed = await world.do(set_state(world, spender.account, "closed"))
    assert closed.state == "closed"
    with pytest.raises(Conflict):
        await world.do(set_state(world, spender.account, "open"))
    with pytest.raises(Conflict):
        await world.credit(spender.account, 1)


async def test_an_account_that_somebody_holds_money_for_is_not_closed(world):
    _, payee, ident = await hold(world)
    with pytest.raises(Conflict):
        await world.do(set_state(world, payee, "closed"))
    await world.do(Void(ident, None))
    assert (await world.do(set_state(world, payee, "closed"))).state == "closed"
