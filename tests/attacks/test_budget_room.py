"""One owner's budgets, however large, leave room for everybody else's."""

from farthing.core.mandates import MANDATES, Budget
from farthing.core.payments import State
from farthing.errors import Conflict
from farthing.money import UNITS_MAX


def daily(limit: int) -> Budget:
    return Budget(name="day", per="day", limit=limit)


async def test_a_budget_without_bounds_leaves_other_owners_theirs(world):
    payee = await world.account()
    greedy = await world.spender(10, daily(UNITS_MAX))
    modest = await world.spender(10, daily(5))
    assert (await world.do(world.pay(greedy, payee, 1))).payment.state is State.CAPTURED
    assert (await world.do(world.pay(modest, payee, 1))).payment.state is State.CAPTURED


async def test_budgets_do_not_run_out_as_periods_go_by(world):
    payee = await world.account()
    spender = await world.spender(100, Budget(name="blink", per="1s", limit=UNITS_MAX // 2))
    for _ in range(5):
        world.clock.move(1)
        assert (await world.do(world.pay(spender, payee, 1))).payment.state is State.CAPTURED


async def test_a_limit_raised_and_lowered_for_ever_is_never_an_internal_fault(world):
    payee = await world.account()
    spender = await world.spender(100, daily(UNITS_MAX))
    await world.do(world.pay(spender, payee, 1))
    device, said = spender.device, []
    for limit in [0, UNITS_MAX] * 3:
        unit = world.set_mandate(device.owner, daily(limit), ident=device.mandate)
        [answer] = await world.do_all([unit])
        said.append(answer.code if isinstance(answer, Conflict) else "")
        paid = (await world.do(world.pay(spender, payee, 1))).payment.state
        current = (await world.record(MANDATES, device.mandate)).budgets[0].limit
        assert paid is (State.CAPTURED if current else State.REFUSED)
    assert set(said) <= {"", "budget-changed-too-often"}
