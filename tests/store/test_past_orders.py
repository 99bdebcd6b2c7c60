"""The past is read in the order in which orders came in, though ids are as old as their nonces."""

import itertools

import pytest

from farthing import ids
from farthing.core.refusals import Refusal
from farthing.store import past_orders as reading
from farthing.store.past_orders import past_orders

MINUTE = 60


async def read(world):
    return await world.database.read(lambda tx: list(past_orders(tx)))


@pytest.mark.parametrize("page", [1, 2, 2000])
async def test_orders_come_in_the_order_of_their_time_whatever_their_nonces(
    world, clock, monkeypatch, page
):
    monkeypatch.setattr(reading, "PAGE", page)
    spender, payee = await world.spender(1000), await world.account()
    old_ms = clock.now_ns // 1_000_000
    amounts = []
    for amount, (minutes, age) in enumerate(
        itertools.product([0, 30, 45], [0, 29, -0.9, 10]), start=1
    ):
        clock.move(minutes * MINUTE / 4)
        made_ms = max(old_ms, clock.now_ns // 1_000_000 - round(age * MINUTE * 1000))
        nonce = ids.encode(ids.fresh(made_ms, world.random.getrandbits))
        done = await world.do(world.pay(spender, payee, amount, nonce=nonce))
        assert done.payment.state == "captured"
        amounts.append(amount)
        clock.move(1)
    found = await read(world)
    assert [one.amount for one in found] == amounts
    assert [one.payment for one in found] != sorted(one.payment for one in found)


async def test_an_order_is_told_with_what_became_of_it_and_its_owners_zone(world, clock):
    payee = await world.account()
    berlin = await world.spender(10, zone="Europe/Berlin", ask_above=5, largest=8)
    for amount in (3, 7, 9):
        await world.do(world.pay(berlin, payee, amount))
        clock.move(1)
    captured, asked, refused = await read(world)
    assert {one.zone for one in (captured, asked, refused)} == {"Europe/Berlin"}
    assert {one.device for one in (captured, asked, refused)} == {berlin.device.id}
    assert (captured.state, captured.asked, captured.reason) == ("captured", False, "")
    assert (asked.state, asked.asked) == ("awaiting", True)
    assert (refused.state, refused.reason) == ("refused", Refusal.MANDATE_LARGEST)


async def test_books_without_a_payment_have_no_past(world):
    assert await read(world) == []
