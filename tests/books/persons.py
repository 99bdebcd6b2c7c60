"""People in a world, who answer what their owner is asked."""

from farthing import ids
from farthing.core.people import InvitePerson, Person, Role
from farthing.core.said import By, Means
from farthing.testing.worlds import Spender, World


async def answerer(
    world: World, spender: Spender, means: Means = Means.PASSKEY, role: Role = Role.OWNER
) -> By:
    """Make somebody who may answer for a spender's owner, and give how they say it."""
    ident = ids.name("per", world.fresh())
    who = Person(ident, spender.device.owner, "Ada", [role.value], 0)
    await world.do(InvitePerson(who, ident.encode().ljust(32), 60))
    return By(means, ident)
