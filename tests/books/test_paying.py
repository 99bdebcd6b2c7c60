"""Paying once, whatever is sent how often, by whom, and how many at a time."""

import asyncio

import pytest

from farthing import ids
from farthing.core.chain import proof_fault
from farthing.core.devices import RevokeDevice
from farthing.core.mandates import Budget
from farthing.core.payments import PAYMENTS, State
from farthing.errors import Conflict, PaymentRefused, Unauthenticated
from farthing.keys import Ed25519Signer
from farthing.testing.worlds import Spender

DAY = Budget(name="day", per="day", limit=100)


def states(done):
    return [d.answer.payment.state for d in done]


def count(table):
    return lambda tx: tx.rows(f"SELECT COUNT(*) FROM {table}")[0][0]


async def test_a_charge_moves_money_and_counts_in_the_budget(world):
    spender, payee = await world.spender(100, DAY), await world.account()
    done = await world.books.commit_one(world.pay(spender, payee, 30))
    payment = done.answer.payment
    assert (payment.state, payment.captured, payment.budgets) == (State.CAPTURED, 30, 1)
    assert done.answer.fresh
    assert proof_fault(done.proof) is None
    assert await world.payment(payment.id) == payment
    assert (await world.available(spender.account), await world.available(payee)) == (70, 30)
    assert await world.budget(spender.device.mandate, "day") == (70, 30)


async def test_the_same_order_sent_a_thousand_times_at_once_is_one_payment(world):
    spender, payee = await world.spender(100, DAY), await world.account()
    unit = world.pay(spender, payee, 30)
    before = await world.database.read(count("transfers"))
    done = await asyncio.gather(*[world.books.commit_one(unit) for _ in range(1000)])
    assert {d.answer.payment.id for d in done} == {done[0].answer.payment.id}
    assert [d.answer.fresh for d in done].count(True) == 1
    assert await world.database.read(count("payments")) == 1
    # The budget is filled, then counts; the money moves.
    assert await world.database.read(count("transfers")) == before + 3
    assert await world.available(payee) == 30


async def test_a_payment_sent_again_later_is_answered_as_before(world):
    spender, payee = await world.spender(100, DAY), await world.account()
    unit = world.pay(spender, payee, 30)
    first = await world.do(unit)
    await world.do(world.revoke(spender.device.mandate))
    world.clock.move(10_000)
    again = await world.do(unit)
    assert (again.payment, again.fresh) == (first.payment, False)


async def test_a_nonce_serves_one_order_only(world):
    spender, payee = await world.spender(100), await world.account()
    nonce = ids.encode(world.fresh())
    await world.do(world.pay(spender, payee, 30, nonce=nonce))
    with pytest.raises(Conflict) as raised:
        await world.do(world.pay(spender, payee, 31, nonce=nonce))
    assert raised.value.code == "nonce-used"
    assert await world.available(payee) == 30


async def test_a_nonce_one_device_made_is_no_obstacle_to_another(world):
    one, other = await world.spender(100), await world.spender(100)
    payee, nonce = await world.account(), ids.encode(world.fresh())
    await world.do(world.pay(one, payee, 30, nonce=nonce))
    done = await world.do(world.pay(other, payee, 30, nonce=nonce))
    assert done.payment.state is State.CAPTURED


async def test_a_challenge_is_answered_by_one_device_only(world):
    one, other = await world.spender(100), await world.spender(100)
    payee, nonce = await world.account(), ids.encode(world.fresh())
    await world.do(world.pay(one, payee, 30, nonce=nonce, challenge="ch"))
    with pytest.raises(Conflict):
        await world.do(world.pay(other, payee, 30, nonce=nonce, challenge="ch"))


async def test_two_hundred_spenders_of_one_nearly_empty_account_never_overdraw_it(world):
    owner = await world.owner()
    account, payee = await world.account(owner, 50), await world.account()
    mandate = await world.mandate(owner)
    spenders = [await world.device(account, mandate.id) for _ in range(20)]
    units = [world.pay(spenders[i % 20], payee, 3) for i in range(200)]
    done = await asyncio.gather(*[world.books.commit_one(unit) for unit in units])
    assert states(done).count(State.CAPTURED) == 16
    refused = [d.answer.payment for d in done if d.answer.payment.state is State.REFUSED]
    assert {payment.reason for payment in refused} == {"insufficient-funds"}
    assert len(refused) == 184
    assert (await world.available(account), await world.available(payee)) == (2, 48)


async def test_a_budget_is_exact_however_many_spend_at_once(world):
    hour = Budget(name="hour", per="1h", limit=20)
    spender, payee = await world.spender(1000, DAY, hour), await world.account()
    units = [world.pay(spender, payee, 3, hold=60 * (i % 2)) for i in range(100)]
    done = await asyncio.gather(*[world.books.commit_one(unit) for unit in units])
    taken = [s for s in states(done) if s is not State.REFUSED]
    assert len(taken) == 6
    assert {d.answer.payment.reason for d in done} == {"", "mandate-budget:hour"}
    assert await world.budget(spender.device.mandate, "hour") == (2, 18)
    assert await world.budget(spender.device.mandate, "day") == (82, 18)
    assert await world.available(spender.account) == 982


async def test_a_chain_of_payments_in_one_batch_spends_what_the_one_before_earned(world):
    first, second, third = [await world.spender(units) for units in (5, 0, 0)]
    last = await world.account()
    units = [
        world.pay(first, second.account, 5),
        world.pay(second, third.account, 5),
        world.pay(third, last, 5),
    ]
    assert states(await world.do_all(units)) == [State.CAPTURED] * 3
    assert await world.available(last) == 5


async def test_order_in_a_batch_decides_and_nothing_is_netted(world):
    first, second = await world.spender(5), await world.spender(0)
    last = await world.account()
    units = [world.pay(second, last, 5), world.pay(first, second.account, 5)]
    assert states(await world.do_all(units)) == [State.REFUSED, State.CAPTURED]


async def test_a_refusal_is_recorded_and_proven(world):
    spender, payee = await world.spender(1), await world.account()
    done = await world.books.commit_one(world.pay(spender, payee, 2))
    payment = done.answer.payment
    assert (payment.state, payment.reason) == (State.REFUSED, "insufficient-funds")
    assert b'"state":"refused"' in done.proof.statement
    assert proof_fault(done.proof) is None
    await world.credit(spender.account, 10)
    kept = await world.record(PAYMENTS, payment.id)
    assert kept.state is State.REFUSED


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"hub": "another"}, "wrong-hub"),
        ({"expires": 1}, "order-expired"),
        ({"expires": 1_800_000_000 + 7200}, "order-time"),
        ({"asset": "EUR"}, "asset-mismatch"),
        ({"payee": ids.name("acc", 1)}, "unknown-payee"),
        ({"amount": 0}, "nothing-to-pay"),
    ],
)
async def test_an_order_that_cannot_be_judged_leaves_no_payment(world, members, code):
    spender, payee = await world.spender(10), await world.account()
    terms = {"payee": payee, "amount": 1} | members
    with pytest.raises(PaymentRefused) as raised:
        await world.do(world.pay(spender, **terms))
    assert raised.value.code == code
    assert await world.database.read(count("payments")) == 0


async def test_nobody_pays_themselves(world):
    spender = await world.spender(10)
    with pytest.raises(PaymentRefused) as raised:
        await world.do(world.pay(spender, spender.account, 1))
    assert raised.value.code == "same-account"


async def test_a_revoked_device_pays_no_more_from_the_next_commit_on(world):
    spender, payee = await world.spender(10), await world.account()
    units = [
        world.pay(spender, payee, 1),
        RevokeDevice(spender.device.id, None),
        world.pay(spender, payee, 1),
    ]
    first, _, last = await world.do_all(units)
    assert first.answer.payment.state is State.CAPTURED
    assert isinstance(last, PaymentRefused)
    assert last.code == "device-revoked"
    assert await world.available(payee) == 1


async def test_a_key_that_is_not_the_devices_pays_nothing(world):
    spender, payee = await world.spender(10), await world.account()
    thief = Spender(spender.device, Ed25519Signer(bytes(32)))
    with pytest.raises(Unauthenticated):
        await world.do(world.pay(thief, payee, 1))


async def test_what_two_hubs_commit_on_one_database_is_one_history(engine, request, clock):
    if engine != "postgresql":
        return  # One process writes there, which the store's own tests check.
    hubs = [request.getfixturevalue("world"), request.getfixturevalue("second_hub")]
    world = hubs[0]
    payee = await world.account()
    spenders = [await world.spender(30, DAY) for _ in range(4)]
    units = [world.pay(spenders[i % 4], payee, 3) for i in range(120)]
    done = await asyncio.gather(
        *[hubs[i % 2].books.commit_one(unit) for i, unit in enumerate(units)],
        *[hubs[1 - i % 2].books.commit_one(unit) for i, unit in enumerate(units)],
    )
    assert [d.answer.fresh for d in done].count(True) == 40
    assert await world.available(payee) == 120
    assert all([await world.available(spender.account) == 0 for spender in spenders])
