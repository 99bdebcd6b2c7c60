"""Asked payments meet lost answers: paid once, served once, whatever is sent again."""

import pytest
from msgspec.structs import replace

from farthing.core.answers import AnswerAsk
from farthing.core.payments import State
from farthing.core.settling import Capture, Expire
from farthing.errors import Conflict, Missing


async def asker(world, **terms):
    spender = await world.spender(100, **({"ask_above": 10} | terms))
    return spender, await world.account()


async def approve(world, payment):
    return (await world.do(AnswerAsk(payment.id, None, "approve"))).payment


async def test_a_charge_the_owner_approved_is_served_once_to_the_device_that_comes_back(world):
    spender, payee = await asker(world)
    charge = world.pay(spender, payee, 40)
    asked = (await world.do(charge)).payment
    assert (await approve(world, asked)).state is State.CAPTURED
    said = [await world.do(charge) for _ in range(3)]
    assert [s.fresh for s in said] == [True, False, False]


async def test_an_equal_order_is_served_by_a_charge_that_was_approved_and_never_served(world):
    spender, payee = await asker(world)
    asked = (await world.do(world.pay(spender, payee, 40))).payment
    await approve(world, asked)
    again = await world.do(world.pay(spender, payee, 40))
    assert (again.payment.id, again.fresh) == (asked.id, True)
    assert await world.available(spender.account) == 60


async def test_a_payment_nobody_serves_is_not_handed_to_a_later_equal_one(world):
    spender, payee = await asker(world)
    gift = replace(world.pay(spender, payee, 40), serves=False)
    asked = (await world.do(gift)).payment
    await approve(world, asked)
    assert not (await world.do(gift)).fresh
    second = await world.do(replace(world.pay(spender, payee, 40), serves=False))
    assert second.payment.id != asked.id
    assert second.payment.state is State.AWAITING


async def test_who_serves_nobody_does_not_take_the_place_of_who_may(world):
    spender, payee = await asker(world)
    hold = world.pay(spender, payee, 40, hold=60)
    asked = (await world.do(hold)).payment
    await approve(world, asked)
    assert not (await world.do(replace(hold, serves=False))).fresh
    assert (await world.do(hold)).fresh


@pytest.mark.parametrize("hold", [0, 60])
async def test_an_equal_order_sent_again_after_it_was_served_is_not_asked_anew(world, hold):
    spender, payee = await asker(world)
    first, second = (world.pay(spender, payee, 40, hold=hold) for _ in range(2))
    asked = (await world.do(first)).payment
    assert (await world.do(second)).payment.id == asked.id
    await approve(world, asked)
    assert (await world.do(second)).fresh
    if hold:
        await world.do(Capture(asked.id, None))
    again = await world.do(second)
    assert (again.payment.id, again.payment.state, again.fresh) == (
        asked.id,
        State.CAPTURED,
        False,
    )


async def test_a_lost_answer_to_an_equal_order_is_given_again_to_its_claim(world):
    spender, payee = await asker(world)
    asked = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    await approve(world, asked)
    back = replace(world.pay(spender, payee, 40, hold=60), claim="seller/1")
    said = [await world.do(back) for _ in range(2)]
    assert [(s.payment.id, s.fresh) for s in said] == [(asked.id, True)] * 2
    assert not (await world.do(replace(back, claim="seller/2"))).fresh


async def test_an_equal_order_whose_challenge_has_expired_gets_its_answer(world):
    spender, payee = await asker(world, ask_seconds=3000)
    asked = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    equal = world.pay(spender, payee, 40, hold=60)
    await world.do(equal)
    world.clock.move(1000)
    await approve(world, asked)
    assert (await world.do(equal)).fresh


async def test_an_equal_orders_nonce_is_not_good_for_another_order(world):
    spender, payee = await asker(world)
    asked = (await world.do(world.pay(spender, payee, 40, hold=60, resource="GET /tea"))).payment
    equal = world.pay(spender, payee, 40, hold=60, resource="GET /tea")
    await world.do(equal)
    await approve(world, asked)
    nonce = equal.signed.order.nonce
    for change in ({"resource": "GET /gold"}, {"amount": 39}, {"payee": await world.account()}):
        members = {"payee": payee, "amount": 40, "resource": "GET /tea"} | change
        forged = world.pay(spender, **members, hold=60, nonce=nonce)
        with pytest.raises(Conflict) as raised:
            await world.do(forged)
        assert raised.value.code == "nonce-used"


async def test_an_approved_hold_that_ran_out_is_not_handed_on(world):
    spender, payee = await asker(world)
    asked = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    await approve(world, asked)
    world.clock.move(901)
    anew = await world.do(world.pay(spender, payee, 40, hold=60))
    assert (anew.payment.id != asked.id, anew.payment.state) == (True, State.AWAITING)
    assert (await world.do(Expire(asked.id))).state is State.EXPIRED


async def test_an_owner_who_says_no_after_the_deadline_is_heard(world):
    spender, payee = await asker(world, on_timeout="allow", ask_seconds=60)
    asked = (await world.do(world.pay(spender, payee, 40))).payment
    world.clock.move(61)
    denied = (await world.do(AnswerAsk(asked.id, None, "deny"))).payment
    assert (denied.state, denied.reason) == (State.REFUSED, "denied")
    assert await world.available(spender.account) == 100


async def test_only_recorded_knows_an_equal_order(world):
    spender, payee = await asker(world)
    asked = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    equal = world.pay(spender, payee, 40, hold=60)
    with pytest.raises(Missing):
        await world.do(replace(equal, only_recorded=True))
    await world.do(equal)
    assert (await world.do(replace(equal, only_recorded=True))).payment.id == asked.id
