"""Leases: what only one process does at a time, of all that have these books."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, View
from farthing.core.records import Read, Table, Write


class Lease(msgspec.Struct, frozen=True):
    """Who does it, and until when nobody else may."""

    name: str
    holder: str
    until_ns: int


LEASES = Table("leases", Lease, "name")


@dataclass(frozen=True, slots=True)
class TakeLease:
    """Take a lease that is free or one's own, for some seconds; 0 gives it back."""

    name: str
    holder: str
    seconds: int
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The lease."""
        return [Read(LEASES, self.name)]

    def plan(self, view: View) -> Outcome[bool]:
        """Tell whether it is the holder's now."""
        found = view.get(LEASES, self.name)
        free = found is None or found.until_ns <= view.now_ns or found.holder == self.holder
        if not free:
            return Outcome(answer=False)
        lease = Lease(self.name, self.holder, view.now_ns + self.seconds * NS)
        return Outcome(answer=True, writes=[Write(LEASES, lease)])
