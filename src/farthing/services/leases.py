"""Being the only process that does something, of all that have these books."""

import time

from farthing.core.leases import TakeLease
from farthing.errors import FarthingError
from farthing.log_lines import Log
from farthing.services.context import Context

log = Log("leases")

LEASE_SECONDS = 6
_AGAIN_SECONDS = 2.0


class Sole:
    """Holds a lease while it is asked for, and says whether it has it.

    Shape: where nobody else can write to the books, nothing is written for it. A holder that is
           killed is followed by another process once the lease has run out.
    """

    def __init__(self, ctx: Context, name: str) -> None:
        self._ctx, self._name = ctx, name
        self._holder = ctx.fresh_name("prc")
        self._mine, self._asked = False, float("-inf")

    async def mine(self) -> bool:
        """Tell whether it is this process's turn; never for longer than the lease is good."""
        if self._ctx.database.exclusive:
            return True
        now = time.monotonic()
        if now - self._asked < _AGAIN_SECONDS:
            return self._mine
        self._asked = now
        done = await self._ctx.books.commit_one(self._unit(LEASE_SECONDS))
        self._mine = done.answer and time.monotonic() - now < LEASE_SECONDS - _AGAIN_SECONDS
        return self._mine

    async def give_back(self) -> None:
        """Let another process have it at once."""
        if not self._mine:
            return
        self._mine = False
        try:
            await self._ctx.books.commit_one(self._unit(0))
        except FarthingError as error:
            log.info("leases.kept", code=error.code)

    def _unit(self, seconds: int) -> TakeLease:
        return TakeLease(self._name, self._holder, seconds)
