"""A seat: what one process that serves a hub knows of those beside it."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

READY, ALIVE = b"R", b"W"
BEAT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Seat:
    """One of several workers, numbered from 0.

    Shape: `tells` is where it tells who started it how it is, `starter` ends with that one.
    """

    number: int
    of: int
    tells: int
    starter: int

    @property
    def is_first(self) -> bool:
        """Whether it does what is done once for all."""
        return self.number == 0

    def tell(self, state: str) -> bool:
        """Tell how this worker is, in systemd's words."""
        word = {"READY=1": READY, "WATCHDOG=1": ALIVE}.get(state, b"")
        try:
            return os.write(self.tells, word) > 0
        except OSError:
            return False  # Nobody listens any more, or there is no room: then enough was told.

    def follow(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
        """Stop as soon as who started it is no more."""

        def ended() -> None:
            loop.remove_reader(self.starter)
            stop()

        loop.add_reader(self.starter, ended)
