"""How many, and how much, within the last while: exact integers, in a ring of slices."""

from typing import Self


class Window:
    """Counts what was added within the last `slices` slices of time, the running one included.

    Units: `slice_seconds` is how long a slice is; `count` and `units` are of the whole window;
           the running slice is over at `ends`, in Unix seconds.
    Shape: what was added leaves with its slice, so a window of six slices of ten seconds looks
           back between fifty and sixty seconds. Time that goes backwards is the newest time.
    """

    __slots__ = ("_amounts", "_at", "_counts", "_slice", "_slices", "count", "ends", "units")

    def __init__(self, slice_seconds: int, slices: int) -> None:
        self._slice, self._slices = slice_seconds, slices
        self._at = self.ends = 0
        self._clear()

    def _clear(self) -> None:
        self._counts = [0] * self._slices
        self._amounts = [0] * self._slices
        self.count = self.units = 0

    def copy(self) -> Self:
        """Give another with the same in it."""
        made = object.__new__(type(self))
        made._slice, made._slices = self._slice, self._slices
        made._at, made.ends = self._at, self.ends
        made._counts, made._amounts = self._counts[:], self._amounts[:]
        made.count, made.units = self.count, self.units
        return made

    def reach(self, now: int) -> None:
        """Drop what is too old at this moment."""
        if now < self.ends:
            return
        at = now // self._slice
        gone = at - self._at
        self.ends = (at + 1) * self._slice
        if gone >= self._slices:
            self._at = at
            if self.count:
                self._clear()
            return
        counts, amounts = self._counts, self._amounts
        for number in range(self._at + 1, at + 1):
            slot = number % self._slices
            if counts[slot]:
                self.count -= counts[slot]
                self.units -= amounts[slot]
                counts[slot] = amounts[slot] = 0
        self._at = at

    def add(self, units: int = 0) -> None:
        """Count one more, in the slice that was reached."""
        slot = self._at % self._slices
        self._counts[slot] += 1
        self._amounts[slot] += units
        self.count += 1
        self.units += units
