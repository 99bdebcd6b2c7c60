"""How many long answers may be open at once: of all, of one owner, to one address."""

from collections.abc import Generator
from contextlib import contextmanager

from farthing.errors import TooMuch, Unavailable
from farthing.settings import LimitSettings
from farthing.sharing import Room

_WAIT_SECONDS = 5


class Streams:
    """Places for event streams and exports, shared fairly by owners and by addresses."""

    def __init__(self, limits: LimitSettings) -> None:
        self._owners = Room(limits.streams_max, limits.streams_per_owner)
        self._addresses = Room(limits.streams_max, limits.streams_per_address)

    @property
    def open(self) -> int:
        """How many are open."""
        return self._owners.held

    @contextmanager
    def place(self, owner: str, address: str) -> Generator[None]:
        """Hold a place while an answer goes out.

        Raises: Unavailable `too-busy`; TooMuch `too-much-at-once`.
        """
        _take(self._owners, owner, "of this owner")
        try:
            _take(self._addresses, address, "to this address")
        except Unavailable:
            self._owners.give(owner)
            raise
        try:
            yield
        finally:
            self._owners.give(owner)
            self._addresses.give(address)


def _take(room: Room, who: str, whose: str) -> None:
    verdict = room.take(who)
    if verdict == "full":
        detail = "too many event streams and exports are open"
        raise Unavailable("too-busy", detail, retry_after=_WAIT_SECONDS)
    if verdict:
        detail = f"too many event streams and exports {whose} are open; close one"
        raise TooMuch("too-much-at-once", detail, retry_after=_WAIT_SECONDS)
