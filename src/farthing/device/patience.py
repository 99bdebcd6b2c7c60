"""How long and how often a client tries: bounded, with growing waits that are spread out."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import anyio

from farthing.clock import NS, Clock, system_clock

Sleep = Callable[[float], Awaitable[None]]
"""Waits that many seconds; `anyio.sleep`, or one that a test turns by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a client tries again after silence or a busy answer.

    Units: seconds; `attempts` counts sends of one credential, the first one included.
    """

    attempts: int = 5
    first_wait_seconds: float = 0.25
    wait_seconds_max: float = 10.0
    total_seconds: float = 60.0
    owner_seconds: float = 0.0
    clock: Clock = system_clock
    sleep: Sleep = anyio.sleep
    spread: Callable[[], float] = random.random

    def begin(self) -> "Tries":
        """Start counting for one payment."""
        now_ns = self.clock()
        return Tries(self, now_ns, now_ns)


@dataclass(slots=True)
class Tries:
    """The attempts of one payment, counted."""

    patience: Patience
    began_ns: int
    heard_ns: int
    made: int = field(default=1)

    def since(self, moment_ns: int) -> float:
        """Tell how many seconds have gone by since."""
        return (self.patience.clock() - moment_ns) / NS

    async def again(self, at_least_seconds: float = 0.0) -> bool:
        """Wait for the next attempt; false, at once, when there is to be none."""
        rules = self.patience
        grown = min(rules.first_wait_seconds * 2 ** (self.made - 1), rules.wait_seconds_max)
        wait = max(at_least_seconds, grown * (0.5 + rules.spread() / 2))
        if self.made >= rules.attempts or self.since(self.heard_ns) + wait > rules.total_seconds:
            return False
        self.made += 1
        await rules.sleep(wait)
        return True

    async def for_owner(self, retry_after_seconds: float) -> bool:
        """Wait for an owner's answer; false, at once, when it would take too long."""
        wait = max(retry_after_seconds, 0.05)
        if self.since(self.began_ns) + wait > self.patience.owner_seconds:
            return False
        await self.patience.sleep(wait)
        self.made, self.heard_ns = 1, self.patience.clock()
        return True


def retry_after(value: str, now_ns: int) -> float:
    """Read a `Retry-After` field; 0 for one that is missing or cannot be read.

    Source: RFC 9110, section 10.2.3.
    """
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(int(value))
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, moment.timestamp() - now_ns / NS)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
