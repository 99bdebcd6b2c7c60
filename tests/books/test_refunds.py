"""Refunds: in parts or whole, once per id, never more than was captured."""

import asyncio

import pytest

from farthing import ids
from farthing.core.accounts import ACCOUNTS, SetAccountState
from farthing.core.mandates import Budget
from farthing.core.payments import State
from farthing.core.refunds import REFUNDS, GiveBack, Refund
from farthing.core.settling import Capture, Void
from farthing.errors import Conflict, Malformed, Missing

DAY = Budget(name="day", per="day", limit=100)


async def paid(world, amount=40):
    spender, payee = await world.spender(100, DAY), await world.account()
    payment = (await world.do(world.pay(spender, payee, amount))).payment
    return spender, payee, payment.id


def refund(world, payment, units=None, ident="", owner=None):
    return GiveBack(ident or ids.name("ref", world.fresh()), payment, owner, units, "")


async def test_a_refund_gives_money_back_but_no_budget(world):
    spender, payee, ident = await paid(world)
    done = await world.books.commit_one(refund(world, ident))
    assert done.answer.payment.refunded == 40
    assert b'"refunded":"40"' in done.proof.statement
    assert (await world.available(spender.account), await world.available(payee)) == (100, 0)
    assert await world.budget(spender.device.mandate, "day") == (60, 40)


async def test_parts_add_up_to_what_was_captured_and_no_further(world):
    spender, _, ident = await paid(world)
    for units in (10, 29):
        await world.do(refund(world, ident, units))
    with pytest.raises(Malformed) as raised:
        await world.do(refund(world, ident, 2))
    assert raised.value.code == "refund-too-large"
    assert (await world.do(refund(world, ident))).refund.units == 1
    with pytest.raises(Conflict) as raised:
        await world.do(refund(world, ident))
    assert raised.value.code == "already-refunded"
    assert await world.available(spender.account) == 100


async def test_refunds_that_race_never_give_back_more_than_was_captured(world):
    spender, payee, ident = await paid(world)
    await world.credit(payee, 1000)
    done = await asyncio.gather(
        *[world.do(refund(world, ident, 7)) for _ in range(50)], return_exceptions=True
    )
    assert len([d for d in done if not isinstance(d, Exception)]) == 5
    assert (await world.payment(ident)).refunded == 35
    assert await world.available(spender.account) == 95


async def test_a_refund_sent_again_is_one_refund(world):
    spender, _, ident = await paid(world)
    unit = refund(world, ident, 10)
    done = await asyncio.gather(*[world.do(unit) for _ in range(20)])
    assert {d.refund for d in done} == {done[0].refund}
    assert await world.available(spender.account) == 70
    changed = GiveBack(unit.id, ident, None, 11, "")
    with pytest.raises(Conflict) as raised:
        await world.do(changed)
    assert raised.value.code == "id-taken"


async def test_a_refund_id_serves_one_payment(world):
    _, _, first = await paid(world)
    _, _, second = await paid(world)
    unit = refund(world, first, 1)
    await world.do(unit)
    with pytest.raises(Conflict):
        await world.do(refund(world, second, 1, ident=unit.id))


async def test_a_seller_without_money_is_told_so_and_can_try_again_with_the_same_id(world):
    spender, payee, ident = await paid(world)
    seller = await world.device(payee, (await world.mandate(await _owner(world, payee))).id)
    await world.do(world.pay(seller, await world.account(), 30))
    unit = refund(world, ident)
    for tries in (1, 2):
        refused = (await world.do(unit)).refund
        assert (refused.state, refused.attempts) == ("insufficient-seller-balance", tries)
    assert (await world.payment(ident)).refunded == 0
    await world.credit(payee, 30)
    assert (await world.do(unit)).refund.state == "done"
    assert (await world.do(unit)).refund.state == "done"
    assert (await world.record(REFUNDS, unit.id)).attempts == 2
    assert (await world.available(spender.account), await world.available(payee)) == (100, 0)


async def _owner(world, account):
    return (await world.record(ACCOUNTS, account)).owner


async def test_only_what_was_captured_is_refunded(world):
    spender, payee = await world.spender(100, DAY), await world.account()
    held = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    with pytest.raises(Conflict) as raised:
        await world.do(refund(world, held.id))
    assert raised.value.code == "not-captured"
    await world.do(Capture(held.id, None, 15))
    with pytest.raises(Malformed):
        await world.do(refund(world, held.id, 16))
    assert (await world.do(refund(world, held.id))).refund.units == 15
    other = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    await world.do(Void(other.id, None))
    with pytest.raises(Conflict):
        await world.do(refund(world, other.id))


@pytest.mark.parametrize("units", [0, -5, 2**63])
async def test_a_refund_is_at_least_one_unit_and_at_most_what_is_left(world, units):
    _, _, ident = await paid(world)
    with pytest.raises(Malformed):
        await world.do(refund(world, ident, units))


async def test_only_the_seller_refunds(world):
    spender, payee, ident = await paid(world)
    with pytest.raises(Missing):
        await world.do(refund(world, ident, owner=spender.device.owner))
    assert (await world.do(refund(world, ident, owner=await _owner(world, payee)))).refund.units


@pytest.mark.parametrize("which", ["payer", "payee"])
async def test_a_refund_that_a_freeze_stops_can_be_made_after_it_with_the_same_id(world, which):
    spender, payee, ident = await paid(world)
    account = spender.account if which == "payer" else payee
    unit = refund(world, ident)
    await world.do(SetAccountState(account, None, "frozen", world.fresh()))
    with pytest.raises(Conflict) as raised:
        await world.do(unit)
    assert raised.value.code == "account-frozen"
    await world.do(SetAccountState(account, None, "open", world.fresh()))
    assert (await world.do(unit)).refund.state == "done"
    assert (await world.payment(ident)).state is State.CAPTURED
    assert await world.available(spender.account) == 100


async def test_a_refund_is_tried_so_many_times_under_one_id_and_no_more(world):
    spender, payee, ident = await paid(world)
    for attempts, code in ((254, ""), (255, "too-many-attempts"), (256, "too-many-attempts")):
        name = ids.name("ref", world.fresh())
        tried = Refund(name, ident, 10, "", "insufficient-seller-balance", attempts, 1)
        world.database.transact(lambda tx, tried=tried: tx.put(REFUNDS, [tried]))
        if code:
            with pytest.raises(Conflict) as raised:
                await world.do(refund(world, ident, 10, name))
            assert raised.value.code == code
        else:
            assert (await world.do(refund(world, ident, 10, name))).refund.state == "done"
    assert (await world.available(spender.account), await world.available(payee)) == (70, 30)


async def test_an_id_is_of_one_payments_refund(world):
    _, _, ident = await paid(world)
    _, _, other = await paid(world)
    name = ids.name("ref", world.fresh())
    await world.do(refund(world, ident, 10, name))
    with pytest.raises(Conflict) as raised:
        await world.do(refund(world, other, 10, name))
    assert raised.value.code == "id-taken"


async def test_a_refund_is_told_and_says_when_the_payment_changed(world):
    _, _, ident = await paid(world)
    before = await world.payment(ident)
    world.clock.move(5)
    after = (await world.do(refund(world, ident, 10))).payment
    assert after.changed_ns >= world.clock.now_ns > before.changed_ns
    kinds = await world.database.read(
        lambda tx: tx.rows("SELECT kind FROM events ORDER BY number DESC LIMIT 2")
    )
    assert kinds == [("payment.refunded",)] * 2
