"""What every way of telling somebody has in common: a message, and what became of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one try to send a message.

    Units: `status` is the answer's code, 0 where there was none; `took_ms` is how long it took;
           `wait_seconds` is how long the other side asks to be left alone.
    Shape: `fault` is a stable word, empty where it was delivered.
    """

    status: int
    fault: str
    took_ms: int
    wait_seconds: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the other side has it."""
        return not self.fault

    @property
    def gone(self) -> bool:
        """Whether the other side wants nothing more, ever (RFC 9110, 410)."""
        return self.status == 410

    @property
    def heard(self) -> bool:
        """Whether the other side read this very message and did not want it."""
        return 300 <= self.status < 500 and self.status not in (408, 429)


Post = Callable[[str, list[tuple[str, str]], bytes], Awaitable[Posted]]
"""Send headers and a body to a URL, once; it never raises for what the other side does."""
