"""A payment far above what the device usually pays."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts


class Spike(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of an amount of many times the usual, and more than the device ever paid."""

    times_usual: Annotated[int, msgspec.Meta(ge=2)] = 10
    payments_min: Annotated[int, msgspec.Meta(ge=1)] = 10

    def patience(self, facts: Facts) -> int:  # noqa: ARG002 - of none of these
        """Nothing that is no larger than the largest is one."""
        return NEVER

    def judge(self, facts: Facts) -> str | None:
        """Hold the amount against the device's own habit."""
        units, usual = facts.units, facts.usual_units
        if units <= facts.largest_units or units < self.times_usual * usual:
            return None
        if facts.device_payments < self.payments_min:
            return None  # Too few to be called a habit.
        return f"{units // max(1, usual)} times what this device usually pays"


PLUG = Spike
