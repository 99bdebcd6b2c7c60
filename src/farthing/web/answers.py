"""Answers that were paid for, kept a while, so that an honest retry gets the first one."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from farthing.errors import OutcomeUnknown, Unavailable
from farthing.web.problems import Answer

ANSWER_BYTES_MAX = 256 * 1024
MEMORY_BYTES_MAX = 64 * 1024 * 1024
KEPT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, what it answered, and until when it is kept."""

    answer: Answer
    request: tuple[str, str]
    until: float


class Answers:
    """The newest answers by payment, in bounded memory.

    Shape: `request` is the resource and the body's digest; the oldest answers go first.
    """

    def __init__(
        self,
        now: Callable[[], float],
        bytes_max: int = MEMORY_BYTES_MAX,
        seconds: float = KEPT_SECONDS,
    ) -> None:
        self._now = now
        self._bytes_max = bytes_max
        self._seconds = seconds
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self.bytes = 0

    def keep(
        self, payment: str, request: tuple[str, str], answer: Answer, seconds: float = 0
    ) -> None:
        """Keep an answer, at least for `seconds`, and let the oldest go when there is no room."""
        self.drop(payment)
        until = self._now() + max(self._seconds, seconds)
        self._kept[payment] = Kept(answer, request, until)
        self.bytes += answer.size
        while self._kept and (self.bytes > self._bytes_max or self._old(self._oldest())):
            self.drop(next(iter(self._kept)))

    def find(self, payment: str, request: tuple[str, str]) -> Answer | None:
        """Give the answer to this very request, if it is still here."""
        kept = self._kept.get(payment)
        if kept is None or kept.request != request:
            return None
        if self._old(kept):
            self.drop(payment)
            return None
        return kept.answer

    def drop(self, payment: str) -> None:
        """Forget an answer."""
        kept = self._kept.pop(payment, None)
        if kept is not None:
            self.bytes -= kept.answer.size

    def _oldest(self) -> Kept:
        return next(iter(self._kept.values()))

    def _old(self, kept: Kept) -> bool:
        return kept.until <= self._now()


@dataclass
class Run:
    """One run of the handler for one payment, which duplicates wait for.

    Shape: `over` gives the whole answer, or None when it cannot be given twice.
    """

    request: tuple[str, str]
    over: asyncio.Future[Answer | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def end(self, answer: Answer | None) -> None:
        """Tell everyone who waits; only the first word counts."""
        if not self.over.done():
            self.over.set_result(answer)


class Gates:
    """Lets one caller at a time ask about one payment, so that a duplicate finds its run.

    Shape: whoever waited while the hub could not be heard is told so as well: duplicates must not
           wait for a hub that is away one after the other.
    """

    def __init__(self) -> None:
        self._gates: dict[Hashable, _Gate] = {}

    @asynccontextmanager
    async def one_at_a_time(self, asked: Hashable) -> AsyncGenerator[None]:
        """Hold the gate of what is asked about.

        Raises: Unavailable, OutcomeUnknown, as whoever held the gate meanwhile did.
        """
        gate = self._gates.setdefault(asked, _Gate())
        gate.users += 1
        heard = gate.unheard
        try:
            async with gate.lock:
                if gate.fault is not None and gate.unheard != heard:
                    raise type(gate.fault)(gate.fault.code, gate.fault.detail, **gate.fault.more)
                try:
                    yield
                except (Unavailable, OutcomeUnknown) as fault:
                    gate.unheard, gate.fault = gate.unheard + 1, fault
                    raise
        finally:
            gate.users -= 1
            if not gate.users:
                self._gates.pop(asked, None)


class _Gate:
    """Shape: `unheard` counts how often the hub was not heard, last with `fault`."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = self.unheard = 0
        self.fault: Unavailable | OutcomeUnknown | None = None
