"""Handing in: what was promised to a payee is brought to the hub, and sessions are closed there.

Nothing here is waited for by who is served, but where too much is unsettled.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from farthing.clock import NS, Clock
from farthing.core import meters
from farthing.core.meters import Meter, SeenSession
from farthing.core.ticks import Tick, write_tick
from farthing.errors import Conflict, FarthingError
from farthing.log_lines import Log
from farthing.services.kept_meters import KeptMeters
from farthing.services.proving import Presented
from farthing.services.session_hub import HANDED_AT_ONCE, SessionHub

log = Log("metering")

_LOOK_NS, _LOOKS = 60 * NS, 20
"""How often a session is asked about that is not over, and how many of them at once."""


class HandingIn:
    """Brings vouchers of kept meters to the hub, one round at a time."""

    def __init__(self, hub: SessionHub, kept: KeptMeters, clock: Clock) -> None:
        self._hub, self._kept, self._clock = hub, kept, clock
        self._refusals: Counter[str] = Counter()
        self._settling = asyncio.Lock()

    def figures(self) -> list[tuple[Any, ...]]:
        """Give how often the hub refused, by the names of metrics: each its value, its labels."""
        return [("farthing_meter_refused_total", n, code) for code, n in self._refusals.items()]

    async def settle(self) -> None:
        """Hand in what is promised and due. What the hub cannot take now is tried again later."""
        async with self._settling:
            due = self._kept.due()
            for start in range(0, len(due), HANDED_AT_ONCE):
                await self._hand_in(due[start : start + HANDED_AT_ONCE])
            await self._kept.written()

    async def _hand_in(self, due: Sequence[Meter]) -> None:
        try:
            stopped = await self._handed(due, late=False)
            if stopped:
                await self._handed(stopped, late=True)
        except FarthingError as problem:
            log.warning("metering.not_handed_in", vouchers=len(due), code=problem.code)

    async def _handed(self, due: Iterable[Meter], *, late: bool) -> list[Meter]:
        """Hand vouchers in; give those that the hub may take as accepted before the end."""
        sent = [meter for meter in due if meter.voucher]
        if not sent:
            return []
        answers = await self._hub.hand_in([_presented(meter) for meter in sent], late=late)
        again: list[Meter] = []
        for meter, answer in zip(sent, answers, strict=True):
            now = self._kept.find(meter.session)
            if now is None:
                continue
            if not isinstance(answer, FarthingError):
                self._kept.put(meters.handed_in(now, answer))
                continue
            log.info("metering.refused", session=meter.session, code=answer.code, late=late)
            self._kept.put(meters.refused(now, answer))
            if not late and answer.code in meters.ENDINGS:
                again.append(meter)
            else:
                self._refusals[answer.code] += 1
        return again

    async def close(self, session: str) -> SeenSession:
        """Hand in what is due, close the session for what is owed, and forget its meter.

        Raises: Conflict `session-in-use` while an answer is under way; FarthingError, after which
                nothing more is served and the session is closed later.
        """
        async with self._settling:
            meter = self._kept.find_open(session)
            if self._kept.flying(session) and not meter.stopped:
                raise Conflict("session-in-use", "an answer is under way; close it after that")
            self._kept.put(msgspec.structs.replace(meter, stopped=meter.stopped or "session-over"))
            if meter.due:
                await self._handed(await self._handed([meter], late=False), late=True)
                meter = self._kept.find_open(session)
            # Not all was taken, or more is owed than we know of: what the hub heard of counts.
            if meter.due or meters.owing(meter) > meter.units:
                self._kept.refresh(await self._hub.look_up(session))
                meter = self._kept.find_open(session)
            units = min(meters.to_capture(meter), meter.handed)
            try:
                seen = await self._hub.close(session, units)
            except Conflict:
                seen = await self._hub.look_up(session)  # Somebody else has closed it.
            self._kept.forget(session)
            await self._kept.written()
            return seen

    async def close_if_it_can(self, session: str) -> None:
        """Close a session, or say in the log why not: it is tried again by `close_ended`."""
        try:
            await self.close(session)
        except FarthingError as problem:
            log.warning("metering.not_closed", session=session, code=problem.code)

    async def look_again(self) -> None:
        """Ask the hub about sessions that nobody has asked about for a while.

        Shape: a payer can end a session at the hub, which is not told to us.
        """
        for session in self._kept.to_look_up(_LOOK_NS, _LOOKS):
            try:
                seen = await self._hub.look_up(session)
            except FarthingError as problem:
                log.warning("metering.not_looked_up", session=session, code=problem.code)
                return
            if self._kept.find(session) is not None:
                self._kept.refresh(seen)
        await self._kept.written()

    async def close_ended(self) -> None:
        """Close every session whose time is over or that was stopped, once nobody is served."""
        now_ns = self._clock()
        for meter in self._kept.all():
            over = meter.stopped or now_ns >= meter.ends_ns
            half_ns = meter.ends_ns + (meter.closes_ns - meter.ends_ns) // 2
            if over and (now_ns >= half_ns or not self._kept.flying(meter.session)):
                await self.close_if_it_can(meter.session)

    async def run(self, seconds: float) -> None:
        """Settle in the background, every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.settle()
                await self.look_again()
                await self.close_ended()
            except FarthingError as problem:
                log.warning("metering.behind", code=problem.code)


def _presented(meter: Meter) -> Presented:
    """Give what proves a meter's promise to the hub."""
    tick = write_tick(Tick(meter.alias, meter.ticks, meter.tick)) if meter.ticks else b""
    return Presented(meter.session, meter.voucher, tick)
