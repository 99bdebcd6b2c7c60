"""An order from a place, or a network, where the device never was."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts


class NewPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of a place that is not among those that the device paid from."""

    payments_min: Annotated[int, msgspec.Meta(ge=1)] = 5

    def patience(self, facts: Facts) -> int:  # noqa: ARG002 - of none of these
        """A place that was paid from is not new."""
        return NEVER

    def judge(self, facts: Facts) -> str | None:
        """Look for the place among the device's own; silent where no place is told.

        Shape: only payments of which it is known where they came from say what is usual.
        """
        if facts.place_payments or not facts.place:
            return None
        if facts.placed_payments < self.payments_min:
            return None
        return "this device never paid from this place or network before"


PLUG = NewPlace
