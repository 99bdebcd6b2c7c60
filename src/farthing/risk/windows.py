"""How many, and how much, within the last while: exact integers, slice beside slice in a number."""

from typing import Self

_COUNT_BITS, _UNITS_BITS = 40, 128
"""Room for a slice: more orders, and more units, than come in any."""

_COUNTS, _UNITS = (1 << _COUNT_BITS) - 1, (1 << _UNITS_BITS) - 1


class Window:
    """Counts what was added within the last `slices` slices of time, the running one included.

    Units: `slice_seconds` is how long a slice is; `count` and `units` are of the whole window;
           the running slice is over at `ends`, in Unix seconds.
    Shape: what was added leaves with its slice, so a window of six slices of ten seconds looks
           back between fifty and sixty seconds. Time that goes backwards is the newest time. Time
           that passes is a shift, and the sum of all slices is the remainder by a full slice.
    """

    __slots__ = ("_counts", "_slice", "_slices", "_units", "count", "ends", "units")

    def __init__(self, slice_seconds: int, slices: int) -> None:
        self._slice, self._slices = slice_seconds, slices
        self._counts = self._units = self.count = self.units = self.ends = 0

    def copy(self) -> Self:
        """Give another with the same in it."""
        made = object.__new__(type(self))
        made._slice, made._slices, made.ends = self._slice, self._slices, self.ends
        made._counts, made._units = self._counts, self._units
        made.count, made.units = self.count, self.units
        return made

    def reach(self, now: int) -> None:
        """Drop what is too old at this moment."""
        if now < self.ends:
            return
        gone = (now - self.ends) // self._slice + 1
        self.ends += gone * self._slice
        if not self.count:
            return
        if gone >= self._slices:
            self._counts = self._units = self.count = self.units = 0
            return
        left = self._slices - gone
        counts = self._counts & ((1 << left * _COUNT_BITS) - 1)
        units = self._units & ((1 << left * _UNITS_BITS) - 1)
        self._counts, self._units = counts << gone * _COUNT_BITS, units << gone * _UNITS_BITS
        self.count, self.units = counts % _COUNTS, units % _UNITS

    def add(self, units: int = 0) -> None:
        """Count one more, in the slice that was reached."""
        self._counts += 1
        self._units += units
        self.count += 1
        self.units += units
