# pyright: reportIncompatibleMethodOverride=false
"""The hub's disk: it loses what was not synced, and ends the hub in the middle of a write."""

from collections.abc import Callable
from random import Random

from farthing.testing.lossy_vfs import LossyVfs


class Ended(BaseException):
    """The hub ended while it wrote: nothing of it goes on from here."""


class Disk(LossyVfs):
    """A lossy disk that stops whoever writes to it once the hub has ended.

    Shape: `on_end` is told at once when an operation was the hub's last one.
    """

    def __init__(self, name: str, luck: Random, on_end: Callable[[str], None]) -> None:
        super().__init__(name, luck=luck)
        self.name, self._told = name, on_end
        self._last: int | None = None
        self._ending = ""
        self.closing = False

    def end_at(self, operation: int, kind: str) -> None:
        """End the hub at so many operations from now."""
        self._last, self._ending = operation, kind

    def spare(self) -> None:
        """End it at none."""
        self._last = None

    def tick(self, operation: str) -> None:
        """Count an operation; end the hub at its last one."""
        super().tick(operation)
        if self._last is not None and not self.closing:
            self._last -= 1
            if self._last <= 0:
                self._last = None
                self._told(self._ending)
        if not self.is_on and not self.closing:
            raise Ended
