"""What the writing process is asked: all that has come by now, and which of it is done together."""

from collections.abc import Iterator, Sequence
from socket import MSG_DONTWAIT, socket

from farthing.books.wire import RUN, Asked, whole

_PIECE = 1 << 18


class Inbox:
    """The questions of one socket, in the order in which they were asked."""

    def __init__(self, link: socket) -> None:
        self._link = link
        self._came = bytearray()

    def gather(self) -> list[Asked]:
        """Wait for a question, and give it with all that have come by then; none at the end."""
        while not (asked := list(whole(self._came))):
            if not self._hear(0):
                return []
        while self._hear(MSG_DONTWAIT):
            asked += whole(self._came)
        return asked

    def _hear(self, flags: int) -> bool:
        try:
            piece = self._link.recv(_PIECE, flags)
        except BlockingIOError:
            return False
        self._came += piece
        return bool(piece)


def joined(came: Sequence[Asked], most: int) -> Iterator[list[Asked]]:
    """Put neighbours together whose units, at most so many, go into one commit."""
    some: list[Asked] = []
    count = 0
    for asked in came:
        size = len(asked.arguments[0]) if asked.method == RUN else most
        if some and count + size > most:
            yield some
            some, count = [], 0
        some.append(asked)
        count += size
    if some:
        yield some
