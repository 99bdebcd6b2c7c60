"""A hub that starts recalls what orders are judged by, before the first of them comes.

It is read from the history in steps between commits, the newest part of it and no more. An order
that comes before all is read waits for the rest: it is judged as it would be at any other time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Protocol

import structlog

from farthing.errors import FarthingError
from farthing.tasks import end

log = structlog.get_logger()

WAIT_SECONDS = 5.0
"""A hub is ready when all is read, or after so long; what is left is read beside its work."""

TOLD_EVERY_SECONDS = 1.0


class Step(Protocol):
    """What a step has read, and what is left, in leaves of the history."""

    @property
    def read(self) -> int: ...
    @property
    def left(self) -> int: ...


class Recalling:
    """Reads on until nothing is left, and says how far it is."""

    def __init__(
        self,
        step: Callable[[], Awaitable[Step]],
        wait_seconds: float = WAIT_SECONDS,
        told_every_seconds: float = TOLD_EVERY_SECONDS,
    ) -> None:
        self._step, self._wait_seconds = step, wait_seconds
        self._told_every_seconds = told_every_seconds
        self.done: asyncio.Future[None] | None = None

    async def begin(self) -> None:
        """Begin, and wait until it is done, but not for long."""
        self.done = asyncio.create_task(self._run())
        await asyncio.wait([self.done], timeout=self._wait_seconds)

    async def stop(self) -> None:
        """Read no further."""
        await end(self.done)

    async def _run(self) -> None:
        try:
            await self._read_on()
        except FarthingError as fault:
            hint = "the next order waits until the history is read"
            log.warning("risk.recall_postponed", code=fault.code, hint=hint)
        except Exception:
            log.exception("risk.recall_failed")

    async def _read_on(self) -> None:
        began = told = perf_counter()
        read, left = 0, 1
        while left:
            step = await self._step()
            read, left = read + step.read, step.left
            if left and perf_counter() - told >= self._told_every_seconds:
                told = perf_counter()
                log.info("risk.recalling", leaves=read, left=left)
        if read:
            log.info("risk.recalled", leaves=read, seconds=round(perf_counter() - began, 2))
