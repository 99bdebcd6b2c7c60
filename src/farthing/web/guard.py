"""What all connections of one server may take together: places, bytes that come, bytes that wait.

Each bound is shared: nobody takes more of it than is left free for others. This machine and
trusted proxies speak for many, so they are held to the whole alone.
"""

from collections.abc import Callable
from typing import Any, Protocol

from farthing.errors import FarthingError, TooMuch, Unavailable
from farthing.sharing import Room, Verdict
from farthing.web.trust import Trust

CONNECTIONS_MAX = 4096
PER_ADDRESS_MAX = 1024
BYTES_MAX = 64 * 1024 * 1024
STALL_SECONDS = 30.0


class Reader(Protocol):
    """A connection with an answer that its client does not read."""

    def give_up(self) -> None: ...


class Unread:
    """Bytes of answers that wait for clients to read them, in bounded memory.

    Shape: where there are too many, whoever holds the most loses what waits longest; a client
           that reads is never among them for long.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.bytes = 0
        self._of: dict[str, dict[Reader, int]] = {}

    def wait(self, who: str, reader: Reader, count: int) -> None:
        """Count the bytes that wait for a reader; perhaps somebody has to go, perhaps this one."""
        self.over(who, reader)
        self._of.setdefault(who, {})[reader] = count
        self.bytes += count
        while self.bytes > self._bytes_max:
            worst = max(self._of, key=self._held)
            slowest = next(iter(self._of[worst]))
            self.over(worst, slowest)
            slowest.give_up()

    def over(self, who: str, reader: Reader) -> None:
        """Forget a reader that has read, or is gone."""
        readers = self._of.get(who, {})
        self.bytes -= readers.pop(reader, 0)
        if not readers:
            self._of.pop(who, None)

    def _held(self, who: str) -> int:
        return sum(self._of[who].values())


class Guard:
    """The bounds of one server, or of several that share them.

    Units:  `stall_seconds` is how long a client may neither send nor read what is due.
    """

    def __init__(
        self,
        *,
        connections_max: int = CONNECTIONS_MAX,
        per_address_max: int = PER_ADDRESS_MAX,
        requests_bytes_max: int = BYTES_MAX,
        answers_bytes_max: int = BYTES_MAX,
        stall_seconds: float = STALL_SECONDS,
        trust: Trust | None = None,
    ) -> None:
        self.places = Room(connections_max, per_address_max)
        self.requests = Room(requests_bytes_max)
        self.unread = Unread(answers_bytes_max)
        self.stall_seconds = stall_seconds
        self._trust = trust or Trust()

    def who(self, client: Any) -> str:
        """Name whom a connection is counted under; nothing for those who speak for many."""
        return "" if not client else self._trust.counted(client[0])


def no_room(verdict: Verdict, what: str) -> FarthingError:
    """Say why there was no room: for nobody, or not for this one."""
    if verdict == "full":
        return Unavailable("too-busy", f"{what} of all clients together; try again shortly")
    return TooMuch("too-much-at-once", f"{what} of this client; wait for what is under way")


class Intake:
    """Bytes of one request that are held in memory until it is answered; use it as a context.

    Shape: `room` is shared by everybody; `who` is named before anything is held.
    """

    __slots__ = ("_held", "_room", "who")

    def __init__(self, room: Room) -> None:
        self._room, self.who, self._held = room, "", 0

    def __enter__(self) -> "Intake":
        """Begin with nothing."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Let go of it all."""
        if self._held:
            self._room.give(self.who, self._held)
            self._held = 0

    def add(self, count: int) -> None:
        """Hold more.

        Raises: Unavailable `too-busy`; TooMuch `too-much-at-once`.
        """
        if not count:
            return
        verdict = self._room.take(self.who, count)
        if verdict:
            raise no_room(verdict, "too many bytes are being read")
        self._held += count


Adds = Callable[[int], None]
"""Told of each part of a body before it is kept; raises where there is no room for it."""
