"""Seconds under a session: each is bought before it begins, and the rest of the last comes back."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from farthing.clock import NS
from farthing.errors import FarthingError
from farthing.services.metering import Metering
from farthing.web.paid_run import AnswerStopped


class BoughtSeconds:
    """Time that runs for as long as it is promised.

    Shape: `cover` sets a count aside as soon as it is promised, and raises AnswerStopped when that
           is not in time; `unpaid` is then called, once, before anybody who waits goes on.
    """

    def __init__(
        self,
        metering: Metering,
        session: str,
        cover: Callable[[int], Awaitable[None]],
        unpaid: Callable[[], Awaitable[None]],
    ) -> None:
        self._metering, self._session = metering, session
        self._cover, self._unpaid = cover, unpaid
        self._running: asyncio.Task[None] | None = None
        self._paid = asyncio.Event()
        self._began, self._bought = 0.0, 0

    async def begin(self, reserved: int) -> None:
        """Count the first second, for which so much was set aside, and let time run."""
        self._began = time.monotonic()
        await self._metering.use(self._session, 1, reserved=reserved)
        self._bought = 1
        self._paid.set()
        self._running = asyncio.create_task(self._run())

    async def wait(self) -> None:
        """Wait while the next second is not promised; there is nothing to wait for before it runs.

        Shape: who waited looks for itself whether it may go on.
        """
        if self._running is not None:
            await self._paid.wait()

    def free(self) -> None:
        """Let whoever waits go on: nobody is there any more to promise."""
        self._paid.set()

    async def end(self) -> None:
        """Let no more time run, and give back what was not used of the last second."""
        running, self._running = self._running, None
        if running is None:
            return
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        used_ns = min(int((time.monotonic() - self._began) * NS), self._bought * NS)
        with contextlib.suppress(FarthingError):
            await self._metering.use(self._session, -self._bought, used_ns)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(max(0.0, self._began + self._bought - time.monotonic()))
            self._paid.clear()
            try:
                await self._buy()
            except (AnswerStopped, FarthingError):
                await self._unpaid()
                return
            finally:
                self._paid.set()

    async def _buy(self) -> None:
        await self._cover(1)
        waited = time.monotonic() - self._began - self._bought
        self._began += max(0.0, waited)  # Nobody pays for waiting for a voucher.
        self._bought += 1
        await self._metering.use(self._session, 1, reserved=1)
