"""How several hubs of one machine join one writing process: through a door that all inherit.

The door is a socket pair, made before any of them starts. Who joins makes a pair of its own, and
passes one end of it through; whoever writes takes it in. What nobody has taken in yet waits in the
door for the next who writes. It has no name, so nobody else can come in.
"""

from collections.abc import Awaitable, Callable
from socket import AF_UNIX, SOCK_STREAM, send_fds, socket, socketpair

from farthing.books.own_process import OwnProcess, Setup
from farthing.books.writing import OnBatch
from farthing.clock import Clock

UseOnce = Callable[[bytes, int, int, int], Awaitable[bool]]

USE_ONCE = "use_once"
BEGIN = "begin"


class Entered:
    """The writing process as one who joined it knows it: others start, watch and end it."""

    pid, returncode = 0, None

    def wait(self, timeout: float | None = None) -> None:
        """Wait for nothing: it goes on without us."""

    def kill(self) -> None:
        """Leave it to who started it."""


class Door:
    """A way in to the process that writes for several hubs, for all who inherit it.

    Shape: `lock` is the writer's lock of the books, taken by who opened the door.
    """

    def __init__(self, lock: int) -> None:
        self.lock = lock
        self._asks, self.hears = socketpair(AF_UNIX, SOCK_STREAM)
        self._asks.setblocking(False)

    def enter(self, end: int, _lock: int | None) -> Entered:
        """Pass one end of a socket pair in.

        Raises: OSError when it is full of those who wait, or nobody will ever hear.
        """
        send_fds(self._asks, [b"+"], [end])
        return Entered()

    def shut(self) -> None:
        """Let nobody in from here; whoever writes ends when all have done so, and have left."""
        self._asks.close()

    def taken_in(self) -> socket:
        """Give the end from which who writes hears of those who join, and keep no other."""
        self._asks.close()
        return self.hears


class Joined(OwnProcess):
    """Writes in the process that writes for several hubs, and knows what all of them used up.

    Shape: that process notes the heads, in the order of commits; `on_unnoted` hears where it
           could not.
    """

    def __init__(
        self,
        setup: Setup,
        clock: Clock,
        door: Door,
        on_batch: OnBatch | None = None,
        on_unnoted: Callable[[OSError], None] | None = None,
    ) -> None:
        super().__init__(setup, clock, None, on_batch, door.enter, on_unnoted)
        # On a line of its own, it need not wait for what was asked before.
        self._once = OwnProcess(setup, clock, None, None, door.enter)

    async def use_once(self, key: bytes, created_s: int, until_s: int, over_s: int) -> bool:
        """Use up a key for all hubs; False where somebody has used it.

        Raises: Unauthenticated `signature-expired` where it may have been used before the process
                began; Unavailable, OutcomeUnknown.
        """
        return await self._once.ask(USE_ONCE, key, created_s, until_s, over_s)

    async def close(self) -> None:
        """Leave the process, once nothing is under way."""
        await self._once.close()
        await super().close()
