"""Whom a device may be invited by, and under what."""

import pytest

from farthing import ids
from farthing.clock import NS
from farthing.core.devices import EnrolDevice, Invitation, InviteDevice
from farthing.core.mandates import RevokeMandate
from farthing.errors import Conflict, Forbidden
from tests.conftest import SIGNER


async def test_nobody_is_invited_under_a_revoked_mandate(world):
    owner = await world.owner()
    account = await world.account(owner)
    mandate = await world.mandate(owner)
    ident = ids.name("inv", world.fresh())
    wanted = Invitation(b"h" * 32, ident, "", account, mandate.id, "", 2**62, "")
    await world.do(RevokeMandate(mandate.id, owner))
    with pytest.raises(Conflict, match="revoked"):
        await world.do(InviteDevice(wanted, owner))


@pytest.mark.parametrize("late_ns", [-1, 0])
async def test_an_invitation_lasts_as_long_as_it_says_after_a_clock_that_was_ahead(world, late_ns):
    owner = await world.owner()
    account, mandate = await world.account(owner), await world.mandate(owner)
    world.clock.move(4000)
    await world.account(owner)  # The books' time is there now, and does not go back.
    books_ns = world.clock()
    world.clock.move(-4000)
    wanted = Invitation(
        b"h" * 32, ids.name("inv", world.fresh()), "", account, mandate.id, "", 0, ""
    )
    made = await world.do(InviteDevice(wanted, owner, 60))
    assert made.expires_ns == books_ns + 60 * NS
    world.clock.now_ns = made.expires_ns + late_ns
    enrol = EnrolDevice(ids.name("dev", world.fresh()), wanted.hash, SIGNER.public)
    if late_ns < 0:
        assert (await world.do(enrol)).account == account
    else:
        with pytest.raises(Forbidden, match="expired"):
            await world.do(enrol)
