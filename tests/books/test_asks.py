"""Asking the owner above a threshold: approved, denied, lapsed, and asked once for equal wishes."""

import asyncio

import pytest

from farthing import ids
from farthing.core.accounts import SetAccountState
from farthing.core.answers import APPROVED_HOLD_SECONDS, AnswerAsk
from farthing.core.devices import RevokeDevice
from farthing.core.mandates import Budget
from farthing.core.payments import State
from farthing.core.settling import Capture, Expire
from farthing.errors import Conflict, Missing

DAY = Budget(name="day", per="day", limit=100)


async def asking(world, amount=40, hold=60, **terms):
    spender = await world.spender(100, DAY, **({"ask_above": 10, "ask_seconds": 900} | terms))
    payee = await world.account()
    unit = world.pay(spender, payee, amount, hold=hold)
    payment = (await world.do(unit)).payment
    assert payment.state is State.AWAITING
    return spender, payee, unit, payment.id


def answer(payment, what, owner=None):
    return AnswerAsk(payment, owner, what)


async def test_up_to_the_threshold_nobody_is_asked(world):
    spender, payee = await world.spender(100, ask_above=10), await world.account()
    assert (await world.do(world.pay(spender, payee, 10))).payment.state is State.CAPTURED
    assert (await world.do(world.pay(spender, payee, 11))).payment.state is State.AWAITING


async def test_while_the_owner_is_asked_nothing_is_held(world):
    spender, payee, _, _ = await asking(world)
    assert (await world.available(spender.account), await world.available(payee)) == (100, 0)
    assert await world.budget(spender.device.mandate, "day") == (0, 0)


async def test_an_approved_payment_is_held_until_the_device_comes_back_once(world):
    spender, payee, unit, ident = await asking(world)
    assert (await world.do(unit)).payment.state is State.AWAITING
    approved = await world.do(answer(ident, "approve"))
    assert (approved.payment.state, approved.fresh) == (State.HELD, False)
    assert await world.budget(spender.device.mandate, "day") == (60, 40)
    world.clock.move(APPROVED_HOLD_SECONDS - 1)
    done = await asyncio.gather(*[world.do(unit) for _ in range(20)])
    assert [d.fresh for d in done].count(True) == 1
    assert (await world.do(Capture(ident, None))).state is State.CAPTURED
    assert await world.available(payee) == 40


async def test_an_approved_payment_nobody_comes_back_for_expires(world):
    spender, _, unit, ident = await asking(world)
    await world.do(answer(ident, "approve"))
    world.clock.move(APPROVED_HOLD_SECONDS + 1)
    assert (await world.do(Expire(ident))).state is State.EXPIRED
    again = await world.do(unit)
    assert (again.payment.state, again.fresh) == (State.EXPIRED, False)
    assert await world.available(spender.account) == 100


async def test_a_charge_that_is_approved_is_captured(world):
    _, payee, unit, ident = await asking(world, hold=0)
    approved = await world.do(answer(ident, "approve"))
    assert approved.payment.state is State.CAPTURED
    assert (await world.do(unit)).payment.state is State.CAPTURED
    assert await world.available(payee) == 40


async def test_a_denied_payment_is_refused_for_good(world):
    spender, _, unit, ident = await asking(world)
    assert (await world.do(answer(ident, "deny"))).payment.reason == "denied"
    assert (await world.do(unit)).payment.state is State.REFUSED
    assert (await world.do(answer(ident, "deny"))).payment.state is State.REFUSED
    with pytest.raises(Conflict) as raised:
        await world.do(answer(ident, "approve"))
    assert raised.value.code == "already-answered"
    assert await world.available(spender.account) == 100


async def test_an_approval_is_not_taken_back(world):
    _, _, _, ident = await asking(world)
    await world.do(answer(ident, "approve"))
    assert (await world.do(answer(ident, "approve"))).payment.state is State.HELD
    with pytest.raises(Conflict):
        await world.do(answer(ident, "deny"))


@pytest.mark.parametrize(("said", "state"), [("approve", State.HELD), ("deny", State.REFUSED)])
async def test_what_was_decided_is_told_again_and_lets_nobody_serve(world, said, state):
    """Its device comes back with its order, and is who is let serve."""
    _, _, _, ident = await asking(world)
    await world.do(answer(ident, said))
    for again in (said, "lapse"):
        told = await world.do(answer(ident, again))
        assert (told.payment.state, told.fresh) == (state, False)


@pytest.mark.parametrize("said", ["approve", "deny", "lapse"])
async def test_what_nobody_was_asked_about_is_not_answered(world, said):
    paid = await world.do(world.pay(await world.spender(100), await world.account(), 5))
    with pytest.raises(Conflict) as raised:
        await world.do(answer(paid.payment.id, said))
    assert raised.value.code == "not-awaiting"


async def test_until_the_deadline_silence_is_no_answer_and_from_then_on_it_is(world):
    _, _, _, ident = await asking(world)
    early = await world.do(answer(ident, "lapse"))
    assert (early.payment.state, early.fresh) == (State.AWAITING, False)
    world.clock.now_ns = early.payment.ask_ends_ns - 1
    assert (await world.do(answer(ident, "lapse"))).payment.state is State.AWAITING
    world.clock.now_ns = early.payment.ask_ends_ns
    assert (await world.do(answer(ident, "lapse"))).payment.state is State.REFUSED


async def test_of_two_answers_at_once_one_is_heard(world):
    _, _, _, ident = await asking(world)
    units = [answer(ident, "deny"), answer(ident, "approve")]
    first, second = await world.do_all(units)
    assert first.answer.payment.state is State.REFUSED
    assert isinstance(second, Conflict)


async def test_without_an_answer_the_mandate_decides_at_the_deadline(world):
    for on_timeout, state in (("refuse", State.REFUSED), ("allow", State.HELD)):
        _, _, _, ident = await asking(world, on_timeout=on_timeout)
        early = await world.do(answer(ident, "lapse"))
        assert early.payment.state is State.AWAITING
        world.clock.move(901)
        assert (await world.do(answer(ident, "lapse"))).payment.state is state
    assert (await world.do(answer(ident, "lapse"))).payment.state is State.HELD


async def test_an_answer_after_the_deadline_comes_too_late(world):
    _, _, _, ident = await asking(world)
    world.clock.move(901)
    late = await world.do(answer(ident, "approve"))
    assert (late.payment.state, late.payment.reason) == (State.REFUSED, "ask-expired")


async def test_only_the_payers_owner_answers(world):
    spender, _, _, ident = await asking(world)
    with pytest.raises(Missing) as raised:
        await world.do(answer(ident, "approve", await world.owner()))
    assert raised.value.code == "no-such-payment"
    done = await world.do(answer(ident, "approve", spender.device.owner))
    assert done.payment.state is State.HELD


async def test_everything_is_checked_again_before_money_is_held(world):
    spender, payee, _, ident = await asking(world, amount=60)
    await world.do(world.pay(spender, payee, 10))
    await world.do(answer(ident, "approve"))
    second = (await world.do(world.pay(spender, payee, 50))).payment
    refused = await world.do(answer(second.id, "approve"))
    assert refused.payment.reason == "mandate-budget:day"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda world, s: world.revoke(s.device.mandate), "mandate-revoked"),
        (lambda _, s: RevokeDevice(s.device.id, None), "mandate-revoked"),
        (
            lambda world, s: SetAccountState(s.account, None, "frozen", world.fresh()),
            "account-frozen",
        ),
        (
            lambda world, s: world.set_mandate(
                s.device.owner, ident=s.device.mandate, largest=39, ask_above=1
            ),
            "mandate-largest",
        ),
    ],
)
async def test_an_approval_does_not_outdo_what_changed_since(world, spoil, reason):
    spender, _, _, ident = await asking(world)
    await world.do(spoil(world, spender))
    assert (await world.do(answer(ident, "approve"))).payment.reason == reason


async def test_an_equal_wish_while_one_waits_is_that_wish(world):
    spender, payee, _, ident = await asking(world)
    same = await world.do(world.pay(spender, payee, 40, hold=60))
    assert (same.payment.id, same.fresh) == (ident, False)
    for other in (
        world.pay(spender, payee, 41, hold=60),
        world.pay(spender, await world.account(), 40, hold=60),
        world.pay(spender, payee, 40, hold=60, resource="GET /tea"),
    ):
        assert (await world.do(other)).payment.id != ident


async def test_a_device_that_comes_back_with_a_new_order_is_served_by_the_approved_one(world):
    spender, payee, unit, ident = await asking(world)
    await world.do(answer(ident, "approve"))
    units = [world.pay(spender, payee, 40, hold=60) for _ in range(2)]
    first, second = await world.do_all(units)
    assert (first.answer.payment.id, first.answer.fresh) == (ident, True)
    assert second.answer.payment.state is State.AWAITING
    assert second.answer.payment.id not in (ident, ids.name("pay", 0))
    assert not (await world.do(unit)).fresh


async def test_after_a_denial_an_equal_wish_is_asked_anew(world):
    spender, payee, _, ident = await asking(world)
    await world.do(answer(ident, "deny"))
    anew = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    assert anew.state is State.AWAITING
    assert anew.id != ident
