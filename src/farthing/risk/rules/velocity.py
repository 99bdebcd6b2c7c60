"""A device that orders more often than its owner expects."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts


class Velocity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of a device that sends more orders in a minute than it should."""

    orders_per_minute_max: Annotated[int, msgspec.Meta(ge=1)] = 600

    def patience(self, facts: Facts) -> int:
        """Until there are as many within a minute as there may be, and from then on."""
        left = self.orders_per_minute_max - facts.minute_orders
        return left if left > 0 else NEVER

    def judge(self, facts: Facts) -> str | None:
        """Look at the last minute."""
        if facts.minute_orders < self.orders_per_minute_max:
            return None
        return f"orders from this device within a minute: {facts.minute_orders} before this one"


PLUG = Velocity
