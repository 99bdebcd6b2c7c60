"""Long lists are made one or two at a time, for all who ask in turn.

Making one takes the event loop for milliseconds, in which nobody's payment goes on; sixty-four
at once would take it for as long as a person notices.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from farthing.errors import TooMuch, Unavailable
from farthing.sharing import Line

AT_ONCE = 2
WAITING_MAX = 2_000


class Turns:
    """A gate for a few, behind which each party has its turn. Shape: `what` waits there."""

    def __init__(
        self, at_once: int = AT_ONCE, waiting_max: int = WAITING_MAX, what: str = "lists"
    ) -> None:
        self._free, self._what = at_once, what
        self._line: Line[asyncio.Future[None]] = Line(waiting_max)

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncGenerator[None]:
        """Wait for a turn, and hold it meanwhile.

        Raises: Unavailable `too-busy`; TooMuch `too-much-at-once`.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(who)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, who: str) -> None:
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        verdict = self._line.put(who, [mine])
        if verdict == "full":
            raise Unavailable("too-busy", f"too many {self._what} wait for their turn")
        if verdict:
            raise TooMuch(
                "too-much-at-once", f"too many {self._what} of this client wait for their turn"
            )
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._line:
            [mine] = self._line.take(1)
            if not mine.done():
                mine.set_result(None)
                return
        self._free += 1
