"""Metering: promises are checked and kept before anything is served, and handed in afterwards.

Nothing here asks the hub while a session is served: its terms are looked up when it is met, and
again when a voucher promises more than the deposit that was known. Before a handler runs, its
voucher and what is set aside for it are on disk, by one write; what is set aside counts as used
for whoever reads that after a crash. So using it needs no write of its own.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple

from farthing.clock import Clock
from farthing.core import meters
from farthing.core.meters import Meter, SeenSession
from farthing.core.orders import SignedOrder
from farthing.core.promises import bad_tick
from farthing.core.tariffs import Tariff
from farthing.errors import FarthingError, PaymentRefused, Unauthenticated, Unavailable
from farthing.ids import number
from farthing.services.handing_in import HandingIn
from farthing.services.kept_meters import Book, KeptMeters
from farthing.services.meter_proofs import MeterProofs, check_form
from farthing.services.session_hub import SessionHub
from farthing.threads import Threads

UNSETTLED_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterLimits:
    """How far a payee trusts.

    Units:  `beyond` is what may be given past what is promised in one session; `unsettled_max`
            what may be promised here, in each asset, and not yet be known to the hub.
    Shape:  `settle_seconds` is how long vouchers wait until they are handed in.
    """

    beyond: int = 0
    unsettled_max: int = UNSETTLED_MAX
    settle_seconds: float = 1.0


class Wanted(NamedTuple):
    """What a session must have been opened for.

    Shape: `purpose` is the seller's realm; `offer` is the hub's that it is opened for, and may be
           another one with the same tariff later.
    """

    payee: str
    tariff: Tariff
    purpose: str
    offer: str = ""


class Metering:
    """The meters of one payee. Its verbs may be called side by side, for one session too."""

    def __init__(
        self,
        hub: SessionHub,
        book: Book,
        *,
        verifiers: Threads,
        writer: Threads,
        clock: Clock,
        limits: MeterLimits | None = None,
    ) -> None:
        self._hub, self._clock = hub, clock
        self.limits = limits or MeterLimits()
        self._proofs = MeterProofs(verifiers)
        self._kept = KeptMeters(book, writer, clock)
        self._handing = HandingIn(hub, self._kept, clock)
        self._asking: dict[str, asyncio.Future[SeenSession]] = {}

    def find(self, session: str) -> Meter | None:
        """Give a session's meter as it stands, if there is one."""
        return self._kept.find(session)

    async def shown(self, session: str, raw: bytes) -> Meter | None:
        """Give a session's meter to who shows a voucher of it, whatever that promises.

        Raises: Malformed, Unauthenticated `bad-voucher`.
        """
        meter = self.find(session)
        if meter is not None:
            await self._proofs.promise(meter, raw, b"")
        return meter

    def unsettled(self, asset: str) -> int:
        """Tell how much is promised here and not yet known to the hub."""
        return self._kept.unsettled(asset)

    def figures(self) -> list[tuple[Any, ...]]:
        """Give what stands now, by the names of metrics: each its value, then its labels."""
        unsettled_max = ("farthing_meter_unsettled_units_max", self.limits.unsettled_max)
        return [*self._kept.figures(), unsettled_max, *self._handing.figures()]

    # Vouchers

    async def open(self, signed: SignedOrder, wanted: Wanted, place: str = "") -> Meter:
        """Bring an opening order to the hub, and meter its session.

        Shape:  `place` is the network that the order came from.
        Raises: PaymentRefused, Conflict `awaiting-owner`, FarthingError.
        """
        seen = await self._hub.open(signed, wanted.tariff, wanted.offer, place)
        meter = _fitting(self.find(seen.session) or meters.opened(seen), wanted)
        if self.find(meter.session) is None:
            self._kept.put(meter)
        await self._kept.written()
        return self._kept.find_open(meter.session)

    async def require_signed(self, session: str, raw: bytes, tick: bytes = b"") -> None:
        """Check the voucher beside an order that opened a session just now.

        Shape:  where it is not its device's, and nothing was promised there before, the session is
                closed again, so that its deposit is not held for nothing.
        Raises: Malformed; Unauthenticated `bad-voucher`, `bad-tick`.
        """
        meter = self._kept.find_open(session)
        try:
            await self._proofs.promise(meter, raw, tick)
        except Unauthenticated:
            await self._let_go(session)
            raise

    async def _let_go(self, session: str) -> None:
        """Close a session in which nothing was promised, now or when the hub can be asked."""
        meter = self.find(session)
        if meter is None or meter.units or meter.count or self._kept.flying(session):
            return
        await self._handing.close_if_it_can(session)

    async def top_up(self, session: str, signed: SignedOrder, place: str = "") -> Meter:
        """Bring an order that adds to a session's deposit."""
        self._kept.refresh(await self._hub.top_up(session, signed, place))
        await self._kept.written()
        return self._kept.find_open(session)

    async def present(self, session: str, raw: bytes, wanted: Wanted, tick: bytes = b"") -> Meter:
        """Take a voucher, a tick, or a tick with its voucher; it is on disk when this returns.

        Shape:  a tick alone goes on from the voucher that is kept here.
        Raises: Malformed, Unauthenticated `bad-voucher`, `bad-tick`; Conflict `voucher-superseded`,
                `session-closed`; PaymentRefused; Unavailable `too-much-unsettled`.
        """
        meter = await self.accept(session, raw, wanted, tick)
        await self._kept.written(session)
        return self.find(session) or meter

    async def accept(self, session: str, raw: bytes, wanted: Wanted, tick: bytes = b"") -> Meter:
        """Take what nothing is served for yet; `kept` waits until it is on disk.

        Raises: as `present`.
        """
        number("ses", session)
        check_form(raw, tick)
        meter = _fitting(await self._known(session, asking=bool(raw)), wanted)
        promise = await self._proofs.promise(meter, raw, tick)
        seen = None
        if promise.units > meter.deposit:
            seen = await self._hub.look_up(session)  # It may have been topped up.
        self._kept.require_not_over(session)
        meter = self.find(session) or meter
        meter = meter if seen is None else meters.refreshed(meter, seen)
        self._kept.put(meters.accept(meter, promise, self._clock()))
        await self._require_settled(meter.asset)
        return self.find(session) or meter

    async def _known(self, session: str, *, asking: bool) -> Meter:
        """Give a session's meter, or begin one that is not kept yet.

        Raises: Unauthenticated `bad-tick` for a tick alone, for which the hub is not asked.
        """
        self._kept.require_not_over(session)
        known = self.find(session)
        if known is None and not asking:
            raise bad_tick()
        return known or meters.opened(await self._met(session))

    async def _met(self, session: str) -> SeenSession:
        """Look a session up, once for all who bring its first vouchers."""
        asking = self._asking.get(session)
        if asking is None:
            asking = self._asking[session] = asyncio.ensure_future(self._hub.look_up(session))
            asking.add_done_callback(lambda _: self._asking.pop(session, None))
        return await asyncio.shield(asking)

    async def _require_settled(self, asset: str) -> None:
        """Let nobody serve while the hub knows of too little of what is promised."""
        if self._kept.unsettled(asset) > self.limits.unsettled_max:
            await self.settle()
        if self._kept.unsettled(asset) > self.limits.unsettled_max:
            detail = "the hub has not taken what was promised here; it is asked again"
            raise Unavailable("too-much-unsettled", detail)

    # Counting

    async def kept(self, session: str, reserved: int = 0) -> None:
        """Wait until a session's voucher and what is set aside in it are on disk.

        Raises: Unavailable; what was `reserved` is let go then, or when this is cancelled.
        """
        try:
            await self._kept.written(session)
        except BaseException:
            if reserved:
                self.release(session, reserved)
            raise

    def reserve(self, session: str, count: int, instead: int = 0) -> None:
        """Set a count aside that an answer is about to use, if it is promised.

        Shape:  `instead` was set aside before, and is let go in any case.
        Raises: PaymentRefused `voucher-needed`; Conflict `session-closed`.
        """
        flying = self._kept.flying(session) - instead
        try:
            meter = self._kept.find_open(session)
            meters.require_running(meter, self._clock())
            meters.require_covered(meter, flying + count, self.limits.beyond)
            flying += count
        finally:
            self._kept.fly(session, flying)

    def release(self, session: str, count: int) -> None:
        """Let go of what was reserved and is not used."""
        self._kept.fly(session, self._kept.flying(session) - count)

    async def use(self, session: str, count: int, part: int = 0, *, reserved: int = 0) -> Meter:
        """Count what is about to be given, durably; what was reserved for it is let go.

        Shape:  a negative count gives back what was counted and not given.
        Raises: Conflict `session-closed`; Unavailable, and then nothing is counted.
        """
        try:
            used = meters.counted(self._kept.find_open(session), count, part)
            self._kept.note(used)
        finally:
            self.release(session, reserved)
        try:
            await self._kept.written(session)
        except FarthingError:
            self._uncount(session, count, part)
            raise
        return self.find(session) or used

    def _uncount(self, session: str, count: int, part: int) -> None:
        """Take back what was counted and is not given, for it could not be written down."""
        meter = self.find(session)
        if meter is not None:
            self._kept.put(meters.counted(meter, -count, -part))

    async def wait_covered(self, session: str, count: int, seconds: float) -> bool:
        """Reserve a count as soon as it is promised; tell whether that was in time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    raised = self._kept.raised(session)
                    try:
                        self.reserve(session, count)
                    except PaymentRefused as problem:
                        if problem.code != "voucher-needed":
                            return False
                        await raised.wait()
                    else:
                        return True
        except (TimeoutError, FarthingError):
            return False

    # The hub

    async def settle(self) -> None:
        """Hand in what is promised and due. What the hub cannot take now is tried again later."""
        await self._handing.settle()

    async def close(self, session: str) -> SeenSession:
        """Hand in what is due, close the session for what is owed, and forget its meter.

        Raises: Conflict `session-in-use`, `session-closed`; FarthingError: it is closed later.
        """
        return await self._handing.close(session)

    async def look_again(self) -> None:
        """Ask the hub about sessions that nobody has asked about for a while."""
        await self._handing.look_again()

    async def close_ended(self) -> None:
        """Close every session whose time is over or that was stopped, once nobody is served."""
        await self._handing.close_ended()

    async def run(self) -> None:
        """Settle in the background until cancelled."""
        await self._handing.run(self.limits.settle_seconds)


def _fitting(meter: Meter, wanted: Wanted) -> Meter:
    """Refuse a session that was opened for something else.

    Raises: PaymentRefused `wrong-session`.
    """
    if (meter.payee, meters.tariff_of(meter), meter.purpose) != wanted[:3]:
        raise PaymentRefused("wrong-session", "this session was opened for something else")
    return meter
