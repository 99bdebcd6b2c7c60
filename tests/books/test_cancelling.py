"""A cancelled order is never paid; one that was decided before is told as it stands."""

import msgspec
import pytest
from msgspec.structs import replace

from farthing import ids
from farthing.clock import NS
from farthing.core.answers import AnswerAsk
from farthing.core.devices import DeviceKey, RevokeDevice
from farthing.core.payments import State
from farthing.core.settling import Capture
from farthing.errors import Conflict, PaymentRefused, Unauthenticated
from farthing.keys import Ed25519Signer
from farthing.testing.worlds import Put, Spender


async def pair(world, **terms):
    spender = await world.spender(100, **terms)
    return spender, await world.account()


def standing(answer):
    return answer.payment.state, answer.payment.reason, answer.fresh


CANCELLED = (State.REFUSED, "cancelled", False)


@pytest.mark.parametrize("hold", [0, 60])
async def test_an_order_that_was_cancelled_first_is_refused_whenever_it_comes(world, hold):
    spender, payee = await pair(world)
    unit = world.pay(spender, payee, 40, hold=hold)
    for _ in range(2):
        assert standing(await world.do(world.cancel(spender, unit.signed))) == CANCELLED
    for _ in range(2):
        assert standing(await world.do(unit)) == CANCELLED
    assert standing(await world.do(replace(unit, only_recorded=True))) == CANCELLED
    assert (await world.available(spender.account), await world.available(payee)) == (100, 0)


async def test_a_cancel_names_one_order_and_no_other(world):
    spender, payee = await pair(world)
    unit, other = (world.pay(spender, payee, 40) for _ in range(2))
    await world.do(world.cancel(spender, unit.signed))
    assert (await world.do(other)).payment.state is State.CAPTURED
    twin = world.order(spender, payee, 41, nonce=unit.signed.order.nonce)
    with pytest.raises(Conflict) as raised:
        await world.do(world.cancel(spender, twin))
    assert raised.value.code == "nonce-used"


@pytest.mark.parametrize(("hold", "state"), [(0, State.CAPTURED), (60, State.HELD)])
async def test_money_that_is_taken_or_held_stays_so(world, hold, state):
    spender, payee = await pair(world)
    unit = world.pay(spender, payee, 40, hold=hold)
    taken = (await world.do(unit)).payment
    for _ in range(2):
        told = await world.do(world.cancel(spender, unit.signed))
        assert (told.payment, told.fresh) == (taken, False)
    if hold:
        assert (await world.do(Capture(taken.id, None))).state is State.CAPTURED
    assert await world.available(payee) == 40


async def test_what_awaits_its_owner_is_withdrawn_and_cannot_be_approved(world):
    spender, payee = await pair(world, ask_above=10)
    unit = world.pay(spender, payee, 40, hold=60)
    asked = (await world.do(unit)).payment
    assert standing(await world.do(world.cancel(spender, unit.signed))) == CANCELLED
    with pytest.raises(Conflict) as raised:
        await world.do(AnswerAsk(asked.id, None, "approve"))
    assert raised.value.code == "already-answered"
    assert standing(await world.do(AnswerAsk(asked.id, None, "lapse"))) == CANCELLED
    assert standing(await world.do(unit)) == CANCELLED
    # The next equal wish is asked anew.
    again = (await world.do(world.pay(spender, payee, 40, hold=60))).payment
    assert (again.id != asked.id, again.state) == (True, State.AWAITING)


async def test_an_order_that_shares_an_ask_withdraws_it(world):
    spender, payee = await pair(world, ask_above=10)
    first, equal = (world.pay(spender, payee, 40, hold=60) for _ in range(2))
    asked = (await world.do(first)).payment
    assert (await world.do(equal)).payment.id == asked.id
    told = await world.do(world.cancel(spender, equal.signed))
    assert (told.payment.id, standing(told)) == (asked.id, CANCELLED)
    assert standing(await world.do(first)) == CANCELLED


async def test_an_approved_order_is_told_as_it_stands(world):
    spender, payee = await pair(world, ask_above=10)
    unit = world.pay(spender, payee, 40, hold=60)
    asked = (await world.do(unit)).payment
    await world.do(AnswerAsk(asked.id, None, "approve"))
    told = await world.do(world.cancel(spender, unit.signed))
    assert standing(told) == (State.HELD, "", False)
    assert (await world.do(unit)).fresh  # Whoever comes to serve it still may.


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"expires": 1_799_999_999}, "order-expired"),
        ({"hub": "another"}, "wrong-hub"),
        ({"asset": "EUR"}, "asset-mismatch"),
        ({"amount": 0}, "nothing-to-pay"),
        ({"payee": "acc_01kaw1f2800000000000000000"}, "unknown-payee"),
    ],
)
async def test_an_order_that_nobody_can_ever_cash_here_needs_no_record(world, members, code):
    spender, payee = await pair(world)
    terms = {"payee": payee, "amount": 40} | members
    signed = world.order(spender, terms.pop("payee"), terms.pop("amount"), **terms)
    for unit in (world.cancel(spender, signed), world.authorise(spender, signed)):
        with pytest.raises(PaymentRefused) as raised:
            await world.do(unit)
        assert raised.value.code == code


def nonce_at(world, seconds):
    return ids.encode(ids.fresh((world.clock.now + seconds) * 1000, world.random.getrandbits))


async def test_an_order_of_a_clock_that_is_ahead_is_cancelled_before_it_is_due(world):
    spender, payee = await pair(world)
    made = {"nonce": nonce_at(world, 7200), "expires": world.clock.now + 9000}
    unit = world.pay(spender, payee, 40, **made)
    with pytest.raises(PaymentRefused) as raised:
        await world.do(unit)
    assert raised.value.code == "order-time"
    await world.do(world.cancel(spender, unit.signed))
    world.clock.move(7300)
    assert standing(await world.do(unit)) == CANCELLED
    far = world.order(spender, payee, 1, nonce=nonce_at(world, 90_000), expires=2_000_000_000)
    with pytest.raises(PaymentRefused) as raised:
        await world.do(world.cancel(spender, far))
    assert raised.value.code == "order-time"
    old = world.order(spender, payee, 1, nonce=nonce_at(world, -3601))
    with pytest.raises(PaymentRefused) as raised:
        await world.do(world.cancel(spender, old))
    assert raised.value.code == "order-expired"


async def with_new_key(world, spender, overlap_seconds):
    """Give a device a second key; the first one signs for so long beside it."""
    signer = Ed25519Signer(world.random.randbytes(32))
    now = world.clock.now_ns
    old = DeviceKey(spender.signer.public, now, now + overlap_seconds * NS)
    keys = [old, DeviceKey(signer.public, now)]
    device = msgspec.structs.replace(spender.device, keys=keys)
    await world.do(Put(device))
    return Spender(device, signer)


async def test_a_newer_key_cancels_what_an_older_one_signed(world):
    spender, payee = await pair(world)
    unit = world.pay(spender, payee, 40)
    newer = await with_new_key(world, spender, 60)
    assert standing(await world.do(world.cancel(newer, unit.signed))) == CANCELLED
    assert standing(await world.do(unit)) == CANCELLED


async def test_a_key_that_was_rotated_out_cancels_nothing(world):
    spender, payee = await pair(world, ask_above=10)
    await with_new_key(world, spender, 60)
    asked, unseen = (world.pay(spender, payee, 40) for _ in range(2))
    await world.do(asked)
    world.clock.move(61)
    for unit in (asked, unseen):
        with pytest.raises(Unauthenticated) as raised:
            await world.do(world.cancel(spender, unit.signed))
        assert raised.value.code == "bad-signature"
    assert (await world.do(asked)).payment.state is State.AWAITING


async def test_a_revoked_device_cancels_nothing_for_nothing_of_it_can_be_paid(world):
    spender, payee = await pair(world)
    paid, unit = (world.pay(spender, payee, 40) for _ in range(2))
    taken = (await world.do(paid)).payment
    await world.do(RevokeDevice(spender.device.id, None))
    for tried in (world.cancel(spender, unit.signed), unit):
        with pytest.raises(PaymentRefused) as raised:
            await world.do(tried)
        assert raised.value.code == "device-revoked"
    assert (await world.do(world.cancel(spender, paid.signed))).payment == taken


async def test_in_one_commit_whoever_stands_first_wins(world):
    spender, payee = await pair(world)
    units = [world.pay(spender, payee, 1) for _ in range(20)]
    pairs = [(unit, world.cancel(spender, unit.signed)) for unit in units]
    told = await world.do_all(
        [one for i, two in enumerate(pairs) for one in two[:: 1 - 2 * (i % 2)]]
    )
    states = [done.answer.payment.state for done in told]
    assert states == [State.CAPTURED, State.CAPTURED, State.REFUSED, State.REFUSED] * 10
    assert await world.available(payee) == 10
