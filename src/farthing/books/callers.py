"""Hubs that have joined one writing process: what each asks, and what each is answered.

None waits for another: what one does not read stays here, and a question is heard as it comes.
"""

from collections.abc import Sequence
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from socket import recv_fds, socket

from farthing.books.wire import Asked, whole

_PIECE = 1 << 18


class Caller:
    """One hub's line: bytes that came, and bytes that it has not read yet."""

    def __init__(self, line: socket) -> None:
        self.line = line
        self.came, self.left = bytearray(), bytearray()
        line.setblocking(False)

    def hear(self) -> tuple[list[Asked], bool]:
        """Give what has been asked by now, and whether it may ask more."""
        asked: list[Asked] = []
        while True:
            try:
                piece = self.line.recv(_PIECE)
            except BlockingIOError:
                return asked, True
            except OSError:
                piece = b""
            if not piece:
                return asked, False
            self.came += piece
            asked += whole(self.came)

    def send(self, answer: bytes) -> None:
        """Send an answer, as far as there is room. Raises: OSError when nobody hears it."""
        self.left += answer
        self.flush()

    def flush(self) -> None:
        """Send what is left. Raises: OSError when nobody hears it."""
        try:
            while self.left:
                del self.left[: self.line.send(self.left)]
        except BlockingIOError:
            pass


class Callers:
    """All who have joined, as long as somebody may.

    Shape: `door` is where they come from: one end of a socket pair through each byte.
    """

    def __init__(self, door: socket) -> None:
        self._door = door
        self._selector = DefaultSelector()
        self._selector.register(door, EVENT_READ)
        door.setblocking(False)

    def gather(self) -> list[tuple[Caller, Asked]]:
        """Wait for questions, and give all that have come by then; none when nobody can ask."""
        came: list[tuple[Caller, Asked]] = []
        while not came and self._selector.get_map():
            for key, events in self._selector.select():
                caller: Caller | None = key.data
                if caller is None:
                    self._let_in()
                else:
                    came += [(caller, asked) for asked in self._heed(caller, events)]
        return came

    def answer(self, caller: Caller, answer: bytes) -> None:
        """Send an answer to who asked, if it is still there."""
        if caller.line.fileno() < 0:
            return
        try:
            caller.send(answer)
        except OSError:
            self._let_go(caller)
        else:
            self._look_for(caller)

    def _let_in(self) -> None:
        try:
            told, ends, _, _ = recv_fds(self._door, 1, 1)
        except BlockingIOError:
            return
        if not told:
            self._selector.unregister(self._door)
        for end in ends:
            caller = Caller(socket(fileno=end))
            self._selector.register(caller.line, EVENT_READ, caller)

    def _heed(self, caller: Caller, events: int) -> Sequence[Asked]:
        try:
            if events & EVENT_WRITE:
                caller.flush()
            asked, more = caller.hear() if events & EVENT_READ else ([], True)
        except OSError:
            asked, more = [], False
        if more:
            self._look_for(caller)
        else:
            self._let_go(caller)
        return asked

    def _look_for(self, caller: Caller) -> None:
        wanted = EVENT_READ | (EVENT_WRITE if caller.left else 0)
        if self._selector.get_key(caller.line).events != wanted:
            self._selector.modify(caller.line, wanted, caller)

    def _let_go(self, caller: Caller) -> None:
        self._selector.unregister(caller.line)
        caller.line.close()
