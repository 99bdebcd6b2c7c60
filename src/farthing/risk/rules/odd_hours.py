"""A payment at a time of day at which the device hardly ever pays."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts


class OddHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of a time of day, in the owner's zone, near which few payments were made.

    Units: `permille_max` is the largest share of payments that still counts as hardly ever.
    """

    permille_max: Annotated[int, msgspec.Meta(ge=0, le=500)] = 5
    payments_min: Annotated[int, msgspec.Meta(ge=1)] = 50

    def patience(self, facts: Facts) -> int:
        """What is paid at this time of day makes it a usual one."""
        if facts.hour_payments * 1000 > self.permille_max * facts.hours_counted:
            return NEVER
        return self.payments_min - facts.hours_counted

    def judge(self, facts: Facts) -> str | None:
        """Hold the hour, with its two neighbours, against the hours of earlier payments."""
        counted = facts.hours_counted
        if facts.hour_payments * 1000 > self.permille_max * counted:
            return None
        if counted < self.payments_min:
            return None
        return f"this device hardly ever pays around {facts.hour}:00"


PLUG = OddHours
