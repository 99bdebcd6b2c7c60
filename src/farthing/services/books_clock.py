"""The books' time beside the clock: it never goes back, so a leap of the clock stays in it.

A commit made while the clock was ahead takes the books' time there. Until the clock has caught
up, orders that devices sign by the right time are late.
"""

from farthing.clock import NS
from farthing.core.orders import SKEW_SECONDS_MAX
from farthing.services.context import Context
from farthing.store.standing import books_time_ns

BEHIND_SECONDS_MAX = SKEW_SECONDS_MAX
"""How far the clock may be behind the books before payments are sent elsewhere."""


async def seconds_behind(ctx: Context) -> int:
    """Tell for how long the clock will not have reached the books' time. Units: seconds, up."""
    books_ns = await ctx.database.read(books_time_ns)
    return max(0, -((ctx.clock() - books_ns) // NS))
