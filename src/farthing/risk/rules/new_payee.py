"""A payee that the device never paid."""

from typing import Annotated

import msgspec

from farthing.risk.base import NEVER, Facts


class NewPayee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of the first payment to a payee, by a device that has paid others."""

    payments_min: Annotated[int, msgspec.Meta(ge=1)] = 5

    def patience(self, facts: Facts) -> int:  # noqa: ARG002 - of none of these
        """A payee that was paid is not new."""
        return NEVER

    def judge(self, facts: Facts) -> str | None:
        """Look for the payee among those that the device paid."""
        if facts.pair_payments or facts.device_payments < self.payments_min:
            return None
        return "this device never paid this seller before"


PLUG = NewPayee
