"""How much a rail that moves no money lets come in: what costs nothing is asked for without end.

Everything that comes in by a rail is counted on one account, for all owners together. Real money
fills that count by nobody's will; test money would by one owner's, and nobody else could have any.
"""

import msgspec

from farthing.core.ledger import Account
from farthing.errors import Conflict


class Bounds(msgspec.Struct, frozen=True):
    """What one top-up may be, and all that came in and has not gone out, over all owners.

    Units: smallest units of whichever asset; None where there is no bound.
    """

    top_up_units_max: int | None = None
    open_units_max: int | None = None

    def check(self, units: int, rail: Account | None) -> None:
        """Let a top-up be, beside what the rail's account has of this asset.

        Raises: Conflict `top-up-too-large`, `test-money-out`.
        """
        most = self.top_up_units_max
        if most is not None and units > most:
            raise Conflict("top-up-too-large", f"one top-up by this rail is {most} units at most")
        out = 0 if rail is None else rail.debits_posted - rail.credits_posted
        if self.open_units_max is not None and out + units > self.open_units_max:
            raise Conflict("test-money-out", "all the test money that there may be is out")


UNBOUNDED = Bounds()
"""Nothing but what can be counted."""
