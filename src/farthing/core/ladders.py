"""A payer's own ladder: every value follows from a seed, and few of them are kept at a time."""

from math import isqrt

from farthing.core.ticks import Ladder, Rung, stepped
from farthing.errors import ensure


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
