"""A payer's own ladder: every value follows from a seed, and few of them are kept at a time."""

from math import isqrt
from typing import Annotated

import msgspec

from farthing.codec import from_base64url
from farthing.core.ticks import LADDER_TICKS_MAX, VALUE_BYTES, Ladder, Rung, stepped
from farthing.errors import Malformed, ensure
from farthing.money import UNITS_MAX


class Climber:
    """Gives the values of a ladder one after the other.

    Shape: it keeps about twice the square root of `most` values: 8 KB for the longest ladder; a
           value costs that many hash steps at most, and about one where they are asked in order.
    """

    def __init__(self, alias: bytes, seed: bytes, most: int) -> None:
        self._alias, self._most = alias, most
        self._stride = isqrt(most) + 1
        self._marks = [seed]  # The values at `most`, at `most` less a stride, and so on.
        while most - len(self._marks) * self._stride > 0:
            self._marks.append(stepped(alias, self._marks[-1], self._stride))
        self._part: list[bytes] = []
        self._part_of = -1

    def ladder(self, each: int) -> Ladder:
        """Give what a voucher commits to."""
        return Ladder(self.value(0), each, self._most)

    def rung(self, count: int) -> Rung:
        """Give one value with its count."""
        return count, self.value(count)

    def value(self, count: int) -> bytes:
        """Give one value; count 0 has the anchor."""
        ensure(0 <= count <= self._most, "a count is on the ladder")
        part, below = divmod(self._most - count, self._stride)
        if part == len(self._marks):  # Just below the last mark that is kept.
            part, below = part - 1, self._stride
        if part != self._part_of:
            values = [self._marks[part]]
            for _ in range(self._stride):
                values.append(stepped(self._alias, values[-1], 1))
            self._part, self._part_of = values, part
        return self._part[below]


class KeptLadder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a payer keeps of the ladder that its newest voucher commits to.

    Units: `base` is what that voucher promises by itself, `each` what each of `most` ticks adds.
    Shape: `seed` and `voucher` are in base64url, and the voucher is empty until it is signed. How
           far the ladder was climbed follows from what is promised: there is one counter.
    """

    seed: str
    base: Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)]
    each: Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX)]
    most: Annotated[int, msgspec.Meta(ge=1, le=LADDER_TICKS_MAX)]
    voucher: str = ""

    def reaches(self, units: int, each: int) -> bool:
        """Tell whether it has a tick that promises exactly so much, by steps of `each`."""
        ticks, rest = divmod(units - self.base, self.each)
        return self.each == each and not rest and 0 <= ticks <= self.most

    def is_sound(self, promised: int) -> bool:
        """Tell whether so much can have been promised by it, as a file says that was damaged."""
        try:
            seed, _ = from_base64url(self.seed), from_base64url(self.voucher)
        except Malformed:
            return False
        whole = self.base + self.most * self.each
        return len(seed) == VALUE_BYTES and whole <= UNITS_MAX and self.reaches(promised, self.each)

    def ticks_at(self, units: int) -> int:
        """Give the count of the tick that promises so much."""
        ensure(self.reaches(units, self.each), "what is promised is on the ladder")
        return (units - self.base) // self.each


def new_ladder(seed: str, promised: int, units: int, each: int, deposit: int) -> KeptLadder:
    """Plan a ladder that goes on from what is promised to `units`, and as far as the deposit goes.

    Shape: what is too far for its ticks is promised by its voucher, all but one tick.
    """
    base = promised if units - promised <= LADDER_TICKS_MAX * each else units - each
    most = min(LADDER_TICKS_MAX, (deposit - base) // each)
    return KeptLadder(seed=seed, base=base, each=each, most=most)
