"""Whom a device may be invited by, and under what."""

import pytest

from farthing import ids
from farthing.core.devices import Invitation, InviteDevice
from farthing.core.mandates import RevokeMandate
from farthing.errors import Conflict


async def test_nobody_is_invited_under_a_revoked_mandate(world):
    owner = await world.owner()
    account = await world.account(owner)
    mandate = await world.mandate(owner)
    ident = ids.name("inv", world.fresh())
    wanted = Invitation(b"h" * 32, ident, "", account, mandate.id, "", 2**62, "")
    await world.do(RevokeMandate(mandate.id, owner))
    with pytest.raises(Conflict, match="revoked"):
        await world.do(InviteDevice(wanted, owner))
