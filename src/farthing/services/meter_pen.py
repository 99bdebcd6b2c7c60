"""Writing meters: what changed while the disk was busy is written together next.

A change is firm where somebody may wait for it. One that only says less, as when an answer failed,
is late: it is written with the next firm change of any session, or when vouchers are handed in.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from farthing.core.meters import Meter, says_more
from farthing.threads import Threads

Keep = Callable[[Sequence[Meter], Sequence[str]], None]


@dataclass(slots=True)
class _Page:
    """What is written together. Shape: `firm` names the sessions that somebody may wait for."""

    changed: dict[str, Meter | None] = field(default_factory=dict[str, Meter | None])
    firm: set[str] = field(default_factory=set[str])
    waiting: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])

    def has(self, session: str) -> bool:
        """Tell whether a firm change of this session is on it; without one, any change."""
        return session in self.firm if session else bool(self.changed)


class MeterPen:
    """Keeps the newest state of each meter on disk; one sync for all who wait.

    Shape: `keep` writes and returns when it is on disk; it runs on `writer`, one at a time.
    """

    def __init__(self, keep: Keep, writer: Threads) -> None:
        self._keep, self._writer = keep, writer
        self._given: dict[str, Meter] = {}
        self._next, self._now = _Page(), _Page()
        self._writing: asyncio.Task[None] | None = None

    def change(self, session: str, meter: Meter | None) -> None:
        """Have a meter written as it is now, or forgotten, with the next sync.

        Shape: one that only says less than before waits until there is something else to write.
        """
        before = self._given.get(session)
        if meter is None:
            self._given.pop(session, None)
        elif meter == before:
            return
        else:
            self._given[session] = meter
        if meter is None or before is None or says_more(meter, before):
            self._next.firm.add(session)
        self._next.changed[session] = meter

    async def written(self, session: str = "") -> None:
        """Wait until the firm changes of a session are on disk; without one, every change.

        Raises: Unavailable when it could not be written; it is tried again with the next change.
        """
        page = next((page for page in (self._next, self._now) if page.has(session)), None)
        if page is None:
            return
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        page.waiting.append(heard)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await heard

    async def _write(self) -> None:
        try:
            while self._next.waiting:
                await self._turn_page()
        finally:
            self._writing = None

    async def _turn_page(self) -> None:
        page, self._now, self._next = self._next, self._next, _Page()
        fault = await self._put(page.changed)
        self._now = _Page()
        if fault is not None:
            self._next.changed = page.changed | self._next.changed
            self._next.firm |= page.firm
        for heard in page.waiting:
            _tell(heard, fault)

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
