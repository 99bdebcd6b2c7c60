"""The meters that a payee keeps: what stands in memory, and is written down with every change."""

import asyncio
import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from farthing.clock import NS, Clock
from farthing.core import meters
from farthing.core.meters import Meter, SeenSession
from farthing.errors import Conflict
from farthing.services.meter_pen import MeterPen
from farthing.threads import Threads

_OVER_KEPT = 10_000


class Book(Protocol):
    """Where meters are kept; what `keep` was given is on disk when it returns."""

    def all(self) -> list[Meter]: ...

    def keep(self, meters: Sequence[Meter], over: Sequence[str] = ()) -> None: ...


class KeptMeters:
    """The meters of one payee, what is set aside in each, and what the hub has not been told."""

    def __init__(self, book: Book, writer: Threads, clock: Clock) -> None:
        self._clock = clock
        self._pen = MeterPen(book.keep, writer)
        self._meters: dict[str, Meter] = {}
        self._flying: Counter[str] = Counter()
        self._due: dict[str, int] = {}
        self._looked: dict[str, int] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._unsettled: Counter[str] = Counter()
        self._raised: dict[str, asyncio.Event] = {}
        for meter in book.all():
            self.note(meter)

    def find(self, session: str) -> Meter | None:
        """Give a session's meter as it stands, if there is one."""
        return self._meters.get(session)

    def find_open(self, session: str) -> Meter:
        """Give a session's meter. Raises: Conflict `session-closed`."""
        meter = self._meters.get(session)
        if meter is None:
            raise _closed(session)
        return meter

    def require_not_over(self, session: str) -> None:
        """Refuse a session that was closed here, though it may have been asked about meanwhile.

        Raises: Conflict `session-closed`.
        """
        if session in self._over:
            raise _closed(session)

    def all(self) -> list[Meter]:
        """Give every meter."""
        return list(self._meters.values())

    def due(self) -> list[Meter]:
        """Give the meters of which the hub has not been told all, the oldest first."""
        return [self._meters[session] for session in self._due if session in self._meters]

    def unsettled(self, asset: str) -> int:
        """Tell how much is promised here and not yet known to the hub."""
        return self._unsettled[asset]

    def flying(self, session: str) -> int:
        """Tell how much is set aside in a session for answers that are under way."""
        return self._flying[session]

    def to_look_up(self, older_ns: int, most: int) -> Iterator[str]:
        """Give sessions that nobody has asked about for so long; each counts as asked about then.

        Shape: what is not reached, as when the hub is away, is given again the next time.
        """
        now_ns = self._clock()
        late = (each for each in self._meters if now_ns >= self._looked.get(each, 0) + older_ns)
        for session in list(itertools.islice(late, most)):
            if session in self._meters:
                self._looked[session] = now_ns
                yield session

    def raised(self, session: str) -> asyncio.Event:
        """Give what is set when more is promised in a session, or when it is over."""
        return self._raised.setdefault(session, asyncio.Event())

    def figures(self) -> list[tuple[Any, ...]]:
        """Give what stands now, by the names of metrics: each its value, then its labels."""
        waits_ns = self._clock() - min(self._due.values()) if self._due else 0
        return [
            ("farthing_meter_sessions_open", len(self._meters)),
            ("farthing_meter_unsettled_seconds", max(0, waits_ns) / NS),
            *(("farthing_meter_unsettled_units", n, asset) for asset, n in self._unsettled.items()),
        ]

    def put(self, meter: Meter) -> None:
        """Keep a meter as it is now; `written` waits until that is on disk."""
        if meter != self._meters.get(meter.session):
            self.note(meter)
            self._write_down(meter)

    def note(self, meter: Meter) -> None:
        """Know a meter as it is now; it is written down by what is set aside next."""
        session, before = meter.session, self._meters.get(meter.session)
        self._meters[session] = meter
        self._unsettled[meter.asset] += meter.due - (before.due if before is not None else 0)
        if not meter.due:
            self._due.pop(session, None)
        elif before is None or meter.handed > before.handed or session not in self._due:
            self._due[session] = self._clock()
        if session in self._raised and (before is None or meter.units > before.units):
            self._raised.pop(session).set()

    def refresh(self, seen: SeenSession) -> None:
        """Take over what the hub says of a session."""
        before = self._meters.get(seen.session)
        self.put(meters.opened(seen) if before is None else meters.refreshed(before, seen))

    def fly(self, session: str, count: int) -> None:
        """Note how much is set aside in a session."""
        self._flying[session] = count
        if not count:
            del self._flying[session]
        if session in self._meters:
            self._write_down(self._meters[session])

    def forget(self, session: str) -> None:
        """Keep a session's meter no longer: it is closed."""
        meter = self._meters.pop(session)
        self._unsettled[meter.asset] -= meter.due
        self._due.pop(session, None)
        self._looked.pop(session, None)
        self._pen.change(session, None)
        self._over[session] = None
        while len(self._over) > _OVER_KEPT:
            self._over.popitem(last=False)
        if session in self._raised:
            self._raised.pop(session).set()

    async def written(self, session: str = "") -> None:
        """Wait until what changed of a session is on disk; without one, every change.

        Raises: Unavailable; it is tried again with the next change.
        """
        await self._pen.written(session)

    def _write_down(self, meter: Meter) -> None:
        """Have a meter written as a crash has to find it."""
        self._pen.change(meter.session, meters.set_aside(meter, self._flying[meter.session]))


def _closed(session: str) -> Conflict:
    return Conflict("session-closed", "this session is closed", session=session)
