"""One caller's bad wish costs the others of its batch nothing."""

from dataclasses import dataclass

import pytest

from farthing.core.accounts import SetAccountState
from farthing.core.decisions import Plan
from farthing.core.ledger import Transfer
from farthing.core.payments import State
from farthing.errors import Conflict, InvariantBroken, Missing


async def test_a_malformed_id_does_not_break_its_neighbours_batch(world):
    spender, payee = await world.spender(100), await world.account()
    before = world.books.commits
    bad = SetAccountState("nonsense", None, "frozen", world.fresh())
    done = await world.do_all([world.pay(spender, payee, 1), bad, world.pay(spender, payee, 2)])
    assert [type(d) for d in done[1:2]] == [Missing]
    assert [done[i].answer.payment.state for i in (0, 2)] == [State.CAPTURED] * 2
    assert world.books.commits == before + 1


@dataclass(frozen=True)
class MovesAndRefuses:
    """A unit with a bug: it says no after its money has moved."""

    transfer: Transfer
    reads: tuple = ()
    accounts: tuple = ()

    def plan(self, _view):
        def then(_results):
            raise Conflict("said-no", "")

        return Plan(then, chains=[[self.transfer]])


@pytest.mark.rule("asvs.2.3.3", on="hub")
async def test_a_refusal_never_leaves_money_moved(world):
    from farthing import ids

    spender, payee = await world.spender(100), await world.account()
    sides = ids.number("acc", spender.account), ids.number("acc", payee)
    with pytest.raises(InvariantBroken):
        await world.do(MovesAndRefuses(Transfer(world.fresh() | 1, *sides, 10, 1, 10)))
    assert await world.available(spender.account) == 100
