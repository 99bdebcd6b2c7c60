"""What is due at one moment is settled in one order, on every engine: that of the ids."""

from farthing.store.queries import asks_over, holds_over

DAY_NS = 86_400 * 10**9


async def test_holds_that_end_together_are_given_by_their_ids(world, clock):
    spender, payee = await world.spender(100), await world.account()
    await world.do_all([world.pay(spender, payee, 1, hold=60) for _ in range(8)])
    over = await world.database.read(lambda tx: holds_over(tx, clock.now_ns + DAY_NS))
    assert len(over) == 8
    assert over == sorted(over)


async def test_asks_that_end_together_are_given_by_their_ids(world, clock):
    spender, payee = await world.spender(100, ask_above=0, ask_seconds=60), await world.account()
    await world.do_all([world.pay(spender, payee, amount) for amount in range(1, 9)])
    over = await world.database.read(lambda tx: asks_over(tx, clock.now_ns + DAY_NS))
    assert len(over) == 8
    assert over == sorted(over)
