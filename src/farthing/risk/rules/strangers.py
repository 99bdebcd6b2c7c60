"""A seller who is suddenly popular with devices that never paid it before."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts

_OTHER_DAYS = 27
"""Days that `payee_month_strangers` counts besides the newest."""


class Strangers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks to a stranger of a seller who got far more strangers within a day than usual."""

    strangers_min: Annotated[int, msgspec.Meta(ge=1)] = 20
    times_usual: Annotated[int, msgspec.Meta(ge=2)] = 5

    def patience(self, facts: Facts) -> int:  # noqa: ARG002 - of none of these
        """Who has paid is no stranger."""
        return NEVER

    def judge(self, facts: Facts) -> str | None:
        """Hold the last day against the days before it."""
        today = facts.payee_day_strangers
        if today < self.strangers_min or facts.pair_payments:
            return None
        before = max(0, facts.payee_month_strangers - today)
        if today * _OTHER_DAYS < self.times_usual * before:
            return None
        usual = before // _OTHER_DAYS
        return f"{today} devices paid this seller for the first time within a day; {usual} is usual"


PLUG = Strangers
