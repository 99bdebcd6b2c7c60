"""Devices, payees and places that are known to be bad."""

import msgspec

from farthing.risk.base import NEVER, Facts


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Speaks of whoever is on a list."""

    devices: frozenset[str] = frozenset()
    payees: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()

    def patience(self, facts: Facts) -> int:  # noqa: ARG002 - of none of these
        """Who is on no list now may order from somebody who is."""
        return 0 if self.devices or self.payees or self.places else NEVER

    def judge(self, facts: Facts) -> str | None:
        """Look all three up."""
        if facts.payee in self.payees:
            return "this seller is on a list of known-bad ones"
        if facts.device in self.devices:
            return "this device is on a list of known-bad ones"
        if facts.place in self.places:
            return "this place or network is on a list of known-bad ones"
        return None


PLUG = Listed
