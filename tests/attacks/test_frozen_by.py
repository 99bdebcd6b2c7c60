"""What the operator froze, its owner cannot thaw."""

import pytest

from farthing.core.accounts import SetAccountState
from farthing.errors import Forbidden


async def set_state(world, account, to, by):
    latch = world.fresh()
    return await world.do(SetAccountState(account, by, to, latch))


async def test_an_owner_can_thaw_what_it_froze_itself(world):
    owner = await world.owner()
    account = await world.account(owner)
    assert (await set_state(world, account, "frozen", owner)).frozen_by == "owner"
    thawed = await set_state(world, account, "open", owner)
    assert (thawed.state, thawed.frozen_by) == ("open", "")


@pytest.mark.parametrize("owner_froze_first", [False, True])
async def test_an_owner_cannot_thaw_or_close_what_the_operator_froze(world, owner_froze_first):
    owner = await world.owner()
    account = await world.account(owner)
    if owner_froze_first:
        await set_state(world, account, "frozen", owner)
    assert (await set_state(world, account, "frozen", None)).frozen_by == "operator"
    for to in ("open", "closed"):
        with pytest.raises(Forbidden, match="operator"):
            await set_state(world, account, to, owner)
    assert (await set_state(world, account, "frozen", owner)).frozen_by == "operator"
    assert (await set_state(world, account, "open", None)).state == "open"
