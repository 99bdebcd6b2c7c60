"""Writing meters: what changed while the disk was busy is written together next."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from farthing.core.meters import Meter
from farthing.threads import Threads

Keep = Callable[[Sequence[Meter], Sequence[str]], None]


class MeterPen:
    """Keeps the newest state of each meter on disk; one sync for all who wait.

    Shape: `keep` writes and returns when it is on disk; it runs on `writer`, one at a time.
    """

    def __init__(self, keep: Keep, writer: Threads) -> None:
        self._keep, self._writer = keep, writer
        self._changed: dict[str, Meter | None] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None

    def change(self, session: str, meter: Meter | None) -> None:
        """Have a meter written as it is now, or forgotten, with the next sync."""
        self._changed[session] = meter

    async def written(self) -> None:
        """Wait until everything that was changed before this call is on disk.

        Raises: Unavailable when it could not be written; it is tried again with the next change.
        """
        if not self._changed and self._writing is None:
            return
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(heard)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await heard

    async def _write(self) -> None:
        try:
            while self._waiting:
                changed, self._changed = self._changed, {}
                waiting, self._waiting = self._waiting, []
                fault = await self._put(changed) if changed else None
                if fault is not None:
                    self._changed = changed | self._changed
                for heard in waiting:
                    _tell(heard, fault)
        finally:
            self._writing = None

    async def _put(self, changed: dict[str, Meter | None]) -> Exception | None:
        kept, over = _parted(changed.items())
        try:
            await self._writer.run(self._keep, kept, over)
        except Exception as fault:
            return fault
        return None


def _parted(changed: Iterable[tuple[str, Meter | None]]) -> tuple[list[Meter], list[str]]:
    kept: list[Meter] = []
    over: list[str] = []
    for session, meter in changed:
        if meter is None:
            over.append(session)
        else:
            kept.append(meter)
    return kept, over


def _tell(heard: asyncio.Future[None], fault: Exception | None) -> None:
    if heard.done():
        return
    if fault is None:
        heard.set_result(None)
    else:
        heard.set_exception(fault)
