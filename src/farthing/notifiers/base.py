"""What every way of telling somebody has in common: a message, and what became of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


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


class Text(NamedTuple):
    """A notice as it is read. Shape: `title` may be seen by others, on a lock screen."""

    title: str
    body: str
    why: str
    stop: str


class Action(NamedTuple):
    """What can be done from the notice itself. Shape: `action` is `approve`, `deny` or `more`."""

    action: str
    title: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, ready to be handed to a way.

    Units: `seconds` is how long it is worth delivering.
    Shape: `ident` is the same however often it is told; `stop_url` is empty where it cannot be
           stopped; `more_url` is where its like is stopped, or told otherwise; `ticket` proves an
           answer by `actions`, about `subject`, whose page `short_url` opens as well; `shown` is
           what a browser says with that it has shown it.
    """

    ident: str
    about: str
    language: str
    text: Text
    open_url: str
    stop_url: str = ""
    urgent: bool = False
    seconds: int = 86_400
    subject: str = ""
    ticket: str = ""
    short_url: str = ""
    shown: str = ""
    more_url: str = ""
    actions: Sequence[Action] = ()


class Way(Protocol):
    """A way of telling somebody."""

    def check(self, place: str, keys: str) -> None:
        """Look at an address before it is kept. Raises: Malformed."""
        ...

    async def tell(self, place: str, keys: str, notice: Notice) -> Posted:
        """Send a notice once, and tell what became of it; never raises for the other side."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
