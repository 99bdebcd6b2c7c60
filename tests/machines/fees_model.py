"""An independent model of fees: decimals with a stated rounding, and parts added up one by one."""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Any

HOW = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "half-even": ROUND_HALF_EVEN}
EXACT = Context(prec=60)

TERMS: list[dict[str, Any]] = [
    {"ppm": 30_000},
    {"ppm": 250_000, "rounding": "half-even", "flat": 1},
    {"ppm": 333_333, "rounding": "up", "minimum": 3},
    {"ppm": 100_000, "flat": 2, "on_refund": "keep"},
    {"ppm": 600_000, "rounding": "up"},
]
"""Terms that machines try."""

TAKEN_BY = [4, 4, 5, 0, 2]
"""For whom: mostly an account that has nothing else; a payer or a payee as well."""


@dataclass
class Levy:
    """One fee of one payment as it should be."""

    account: Any
    ppm: int = 0
    flat: int = 0
    minimum: int = 0
    rounding: str = "down"
    on_refund: str = "return"
    units: int = 0
    returned: int = 0
    waived: bool = False

    def whole(self, captured: int) -> int:
        """Say what it takes of an amount, were it alone."""
        share = EXACT.multiply(Decimal(captured), EXACT.divide(Decimal(self.ppm), Decimal(10**6)))
        found = int(share.to_integral_value(HOW[self.rounding])) + self.flat
        found = max(found, self.minimum)
        return min(found, captured)

    def fresh(self) -> "Levy":
        return replace(self, units=0, returned=0, waived=False)

    def owed_back(self, captured: int, refunded: int) -> int:
        """Say what belongs back after so much was refunded; whole units that are fully earned."""
        if self.on_refund == "keep" or not captured:
            return 0
        back = 0
        while (back + 1) * captured <= self.units * refunded:
            back += 1
        return back


def take(levies: list[Levy], captured: int, closed) -> None:
    """Take the fees of a captured amount, one after the other, of what is left of it."""
    left = captured
    for levy in levies:
        due = min(levy.whole(captured), left) if captured else 0
        left -= due
        levy.waived = bool(due) and levy.account in closed
        levy.units = 0 if levy.waived else due


def take_parts(levies: list[Levy], parts: list[int]) -> list[list[int]]:
    """Say what is due of each part, so that all of them together owe what the whole does."""
    dues: list[list[int]] = []
    for n, part in enumerate(parts):
        whole, left, due = sum(parts[: n + 1]), part, []
        room = whole
        for i, levy in enumerate(levies):
            owed = min(levy.whole(whole), room) if whole else 0
            room -= owed
            more = owed - sum(before[i] for before in dues)
            due.append(max(0, min(more, left)))
            left -= due[-1]
        dues.append(due)
    return dues
