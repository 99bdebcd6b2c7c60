"""Many small payments, then one large: how somebody tries out what was stolen."""

from typing import Annotated

import msgspec

from farthing.risk.base import Facts


class SmallThenLarge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of one payment that is many times as large as each of those of the last hour."""

    times_larger: Annotated[int, msgspec.Meta(ge=2)] = 20
    payments_min: Annotated[int, msgspec.Meta(ge=2)] = 5

    def patience(self, facts: Facts) -> int:
        """Until the largest would be many times the mean, if all others were of nothing."""
        few, largest = self.payments_min, facts.largest_units
        if largest:
            few = max(few, -(-self.times_larger * facts.last_hour_units // largest))
        return few - facts.last_hour_payments

    def judge(self, facts: Facts) -> str | None:
        """Hold the amount against the mean of the last hour."""
        count = facts.last_hour_payments
        if count < self.payments_min or facts.units < facts.largest_units:
            return None
        # Multiplied rather than divided: a mean below one unit is no mean of none.
        if facts.units * count < self.times_larger * facts.last_hour_units:
            return None
        times = facts.units * count // max(1, facts.last_hour_units)
        return f"{count} payments within an hour, then one {times} times as large"


PLUG = SmallThenLarge
