"""What webhooks still have to be sent is found alike on every engine."""

from farthing import ids
from farthing.core.leases import TakeLease
from farthing.core.webhooks import (
    LANES,
    UNTIL_ALWAYS,
    AddWebhook,
    Lane,
    ReplayWebhook,
    Sent,
    SetWebhookState,
    chosen,
    new_lane,
)
from farthing.store.queries import one
from farthing.store.webhooks import due_lanes, forget_deliveries, new_lanes, next_to_send

FAR_NS = 2**62


async def hook(world, owner, *patterns):
    ident = ids.name("whk", world.fresh())
    kinds = chosen(patterns or ["payment.*"])
    unit = AddWebhook(ident, owner, "https://shop.example/", "", kinds, bytes(32))
    return (await world.do(unit)).id


async def due(world, seen=None, named=(), now_ns=FAR_NS):
    return await world.database.read(lambda tx: due_lanes(tx, now_ns, seen, named))


async def to_send(world, webhook, after=0, until=UNTIL_ALWAYS, limit=50):
    return await world.database.read(lambda tx: next_to_send(tx, webhook, after, until, limit))


async def test_without_a_webhook_nothing_is_due(world):
    spender = await world.spender(100)
    await world.do(world.pay(spender, await world.account(), 1))
    assert (await due(world, 0)).any_on is False


async def test_lanes_are_due_of_owners_to_whom_something_happened_since(world):
    mine, other = await world.owner(), await world.owner()
    shop, spender = await world.account(mine), await world.spender(100)
    first, second = await hook(world, mine), await hook(world, other)
    seen = (await due(world)).newest
    assert (await due(world, seen)).lanes == []
    await world.do(world.pay(spender, shop, 1))
    assert [webhook.id for _, webhook in (await due(world, seen)).lanes] == [first]
    named = await due(world, seen, [new_lane(second)])
    assert {webhook.id for _, webhook in named.lanes} == {first, second}
    assert await world.database.read(new_lanes) == sorted([new_lane(first), new_lane(second)])
    await world.do(SetWebhookState(first, None, "off"))
    assert [webhook.id for _, webhook in (await due(world, 0)).lanes] == [second]


async def test_what_is_sent_is_what_was_asked_for_in_order_and_up_to_an_end(world):
    mine = await world.owner()
    shop, spender = await world.account(mine), await world.spender(100)
    webhook = await hook(world, mine, "payment.captured")
    for amount in range(1, 6):
        await world.do(world.pay(spender, shop, amount))
    await world.do(world.pay(spender, shop, 7, hold=60))
    found = await to_send(world, webhook)
    assert [event.body["amount"] for event in found.events] == ["1", "2", "3", "4", "5"]
    assert found.newest > found.events[-1].number
    numbers = [event.number for event in found.events]
    some = await to_send(world, webhook, numbers[0], numbers[3], 2)
    assert [event.number for event in some.events] == numbers[1:3]


async def test_a_lane_is_moved_on_once_and_a_try_is_forgotten_in_time(world, clock):
    mine = await world.owner()
    webhook = await hook(world, mine)
    replay = await world.do(ReplayWebhook(webhook, mine, 0, UNTIL_ALWAYS, "rpl"))
    assert replay.until < UNTIL_ALWAYS
    over = Lane(**{**as_dict(replay), "number": replay.until, "over": True})
    assert await world.do(Sent(replay, over, []))
    assert not await world.do(Sent(replay, replay, []))
    assert [lane.kind for lane, _ in (await due(world, 0)).lanes] == ["new"]
    await world.books.tidy(forget_all)
    assert await world.database.read(lambda tx: one(tx, LANES, replay.id)) is None


def forget_all(tx):
    forget_deliveries(tx, FAR_NS)


def as_dict(lane):
    return {name: getattr(lane, name) for name in lane.__struct_fields__}


async def test_a_lease_is_one_holders_until_it_runs_out_or_is_given_back(world, clock):
    assert await world.do(TakeLease("x", "one", 10))
    assert not await world.do(TakeLease("x", "two", 10))
    assert await world.do(TakeLease("y", "two", 10))
    clock.move(8)
    assert await world.do(TakeLease("x", "one", 10))
    clock.move(8)
    assert not await world.do(TakeLease("x", "two", 10))
    await world.do(TakeLease("x", "one", 0))
    assert await world.do(TakeLease("x", "two", 10))
    clock.move(11)
    assert await world.do(TakeLease("x", "one", 10))
