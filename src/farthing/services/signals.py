"""A signal that many can wait for: something new was committed."""

import asyncio


class Signal:
    """Wake everybody who waits, as often as it is given; nobody misses one given meanwhile."""

    def __init__(self) -> None:
        self._given = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def given(self) -> int:
        """How often it was given so far."""
        return self._given

    def give(self) -> None:
        """Give the signal; call it on the event loop."""
        self._given += 1
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    async def wait_past(self, seen: int, seconds: float) -> bool:
        """Wait until it has been given more than `seen` times, or time is over."""
        if self._given > seen:
            return True
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            # `wait_for` would lose a cancel that comes in the moment in which the signal is given.
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True

    async def wait_past_or(self, seen: int, ended: asyncio.Event, seconds: float) -> None:
        """Wait until more than `seen` was given, until something ended, or that many seconds."""
        waits = [
            asyncio.create_task(self.wait_past(seen, seconds)),
            asyncio.create_task(ended.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
