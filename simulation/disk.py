# pyright: reportIncompatibleMethodOverride=false, reportUnknownMemberType=false
"""The hub's disk: it forgets what was not synced, fails, is full, and ends the hub in a write."""

from collections.abc import Callable
from random import Random

import apsw

from farthing.testing.lossy_vfs import LossyVfs
from simulation.loop import Ended


class Disk(LossyVfs):
    """A lossy disk that stops whoever writes to it once the hub has ended.

    Shape: `on_end` is told at once when an operation was the hub's last one, and `on_fault` of a
           fault that the hub lives through.
    """

    def __init__(
        self,
        name: str,
        luck: Random,
        *,
        on_end: Callable[[str], None],
        on_fault: Callable[[str], None],
    ) -> None:
        super().__init__(name, luck=luck)
        self.name, self._on_end, self._on_fault = name, on_end, on_fault
        self._last: int | None = None
        self._ending = self.failing = ""
        self.is_full = self._was_full = self.closing = False

    def end_at(self, operation: int, kind: str) -> None:
        """End the hub at so many operations from now."""
        self._last, self._ending = operation, kind

    def fill(self) -> None:
        """Be full from now on."""
        self.is_full, self._was_full = True, False

    def spare(self) -> None:
        """Let nothing befall it."""
        self._last, self.failing, self.is_full = None, "", False

    def tick(self, operation: str) -> None:
        """Count an operation; fail it, or end the hub at its last one."""
        super().tick(operation)
        if self.closing:
            return
        if self._last is not None:
            self._last -= 1
            if self._last <= 0:
                self._last = None
                self._on_end(self._ending)
        if not self.is_on:
            raise Ended
        self._fail(operation)

    def _fail(self, operation: str) -> None:
        if self.is_full and operation == "write":
            if not self._was_full:
                self._was_full = True
                self._on_fault("disk-full")
            raise apsw.FullError("there is no room")
        if self.failing == f"{operation}-failed":
            self.failing = ""
            self._on_fault(f"{operation}-failed")
            raise apsw.IOError("the disk failed")
