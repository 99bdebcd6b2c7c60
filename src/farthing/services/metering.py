"""Metering: promises are checked and kept before anything is served, and handed in afterwards.

Nothing here asks the hub while a session is served: its terms are looked up when it is met, and
again when a voucher promises more than the deposit that was known. Before a handler runs, its
voucher and what is set aside for it are on disk, by one write; what is set aside counts as used
for whoever reads that after a crash. So using it needs no write of its own.
"""

import asyncio
import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec

from farthing.clock import NS, Clock
from farthing.core import meters
from farthing.core.meters import Meter, SeenSession
from farthing.core.orders import SignedOrder
from farthing.core.promises import bad_tick
from farthing.core.tariffs import Tariff
from farthing.core.ticks import Tick, write_tick
from farthing.errors import Conflict, FarthingError, PaymentRefused, Unauthenticated, Unavailable
from farthing.ids import number
from farthing.log_lines import Log
from farthing.services.meter_pen import MeterPen
from farthing.services.meter_proofs import MeterProofs, check_form
from farthing.services.proving import Presented
from farthing.services.session_hub import HANDED_AT_ONCE, SessionHub
from farthing.threads import Threads

log = Log("metering")

UNSETTLED_MAX = 1_000_000
_OVER_KEPT = 10_000
_LOOK_NS, _LOOKS = 60 * NS, 20
"""How often a session is asked about that is not over, and how many of them at once."""


class Book(Protocol):
    """Where meters are kept; what `keep` was given is on disk when it returns."""

    def all(self) -> list[Meter]: ...

    def keep(self, meters: Sequence[Meter], over: Sequence[str] = ()) -> None: ...


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
        self._pen = MeterPen(book.keep, writer)
        self._meters: dict[str, Meter] = {}
        self._flying: Counter[str] = Counter()
        self._due: dict[str, int] = {}
        self.refusals: Counter[str] = Counter()
        self._looked: dict[str, int] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._unsettled: Counter[str] = Counter()
        self._raised: dict[str, asyncio.Event] = {}
        self._asking: dict[str, asyncio.Future[SeenSession]] = {}
        self._settling = asyncio.Lock()
        for meter in book.all():
            self._note(meter)

    def find(self, session: str) -> Meter | None:
        """Give a session's meter as it stands, if there is one."""
        return self._meters.get(session)

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
        return self._unsettled[asset]

    def figures(self) -> list[tuple[Any, ...]]:
        """Give what stands now, by the names of metrics: each its value, then its labels."""
        asked = [("farthing_meter_refused_total", n, code) for code, n in self.refusals.items()]
        waits_ns = self._clock() - min(self._due.values()) if self._due else 0
        return [
            ("farthing_meter_sessions_open", len(self._meters)),
            ("farthing_meter_unsettled_seconds", max(0, waits_ns) / NS),
            ("farthing_meter_unsettled_units_max", self.limits.unsettled_max),
            *(("farthing_meter_unsettled_units", n, asset) for asset, n in self._unsettled.items()),
            *asked,
        ]

    # Vouchers

    async def open(self, signed: SignedOrder, wanted: Wanted) -> Meter:
        """Bring an opening order to the hub, and meter its session.

        Raises: PaymentRefused, Conflict `awaiting-owner`, FarthingError.
        """
        seen = await self._hub.open(signed, wanted.tariff, wanted.offer)
        meter = _fitting(self._meters.get(seen.session) or meters.opened(seen), wanted)
        if meter.session not in self._meters:
            self._put(meter)
        await self._pen.written()
        return self._meters[meter.session]

    async def require_signed(self, session: str, raw: bytes, tick: bytes = b"") -> None:
        """Check the voucher beside an order that opened a session just now.

        Shape:  where it is not its device's, and nothing was promised there before, the session is
                closed again, so that its deposit is not held for nothing.
        Raises: Malformed; Unauthenticated `bad-voucher`, `bad-tick`.
        """
        meter = self._open(session)
        try:
            await self._proofs.promise(meter, raw, tick)
        except Unauthenticated:
            await self._let_go(session)
            raise

    async def _let_go(self, session: str) -> None:
        """Close a session in which nothing was promised, now or when the hub can be asked."""
        meter = self._meters.get(session)
        if meter is None or meter.units or meter.count or self._flying[session]:
            return
        try:
            await self.close(session)
        except FarthingError as problem:
            log.warning("metering.not_closed", session=session, code=problem.code)

    async def top_up(self, session: str, signed: SignedOrder) -> Meter:
        """Bring an order that adds to a session's deposit."""
        self._refresh(await self._hub.top_up(session, signed))
        await self._pen.written()
        return self._meters[session]

    async def present(self, session: str, raw: bytes, wanted: Wanted, tick: bytes = b"") -> Meter:
        """Take a voucher, a tick, or a tick with its voucher; it is on disk when this returns.

        Shape:  a tick alone goes on from the voucher that is kept here.
        Raises: Malformed, Unauthenticated `bad-voucher`, `bad-tick`; Conflict `voucher-superseded`,
                `session-closed`; PaymentRefused; Unavailable `too-much-unsettled`.
        """
        meter = await self.accept(session, raw, wanted, tick)
        await self._pen.written(session)
        return self._meters.get(session, meter)

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
        self._require_open(session)
        meter = self._meters.get(session, meter)
        meter = meter if seen is None else meters.refreshed(meter, seen)
        self._put(meters.accept(meter, promise, self._clock()))
        await self._require_settled(meter.asset)
        return self._meters.get(session, meter)

    async def _known(self, session: str, *, asking: bool) -> Meter:
        """Give a session's meter, or begin one that is not kept yet.

        Raises: Unauthenticated `bad-tick` for a tick alone, for which the hub is not asked.
        """
        self._require_open(session)
        known = self._meters.get(session)
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

    def _refresh(self, seen: SeenSession) -> None:
        before = self._meters.get(seen.session)
        self._put(meters.opened(seen) if before is None else meters.refreshed(before, seen))

    async def _require_settled(self, asset: str) -> None:
        """Let nobody serve while the hub knows of too little of what is promised."""
        if self._unsettled[asset] > self.limits.unsettled_max:
            await self.settle()
        if self._unsettled[asset] > self.limits.unsettled_max:
            detail = "the hub has not taken what was promised here; it is asked again"
            raise Unavailable("too-much-unsettled", detail)

    # Counting

    async def kept(self, session: str, reserved: int = 0) -> None:
        """Wait until a session's voucher and what is set aside in it are on disk.

        Raises: Unavailable; what was `reserved` is let go then, or when this is cancelled.
        """
        try:
            await self._pen.written(session)
        except BaseException:
            if reserved:
                self.release(session, reserved)
            raise

    def reserve(self, session: str, count: int, instead: int = 0) -> None:
        """Set a count aside that an answer is about to use, if it is promised.

        Shape:  `instead` was set aside before, and is let go in any case.
        Raises: PaymentRefused `voucher-needed`; Conflict `session-closed`.
        """
        flying = self._flying[session] - instead
        try:
            meter = self._open(session)
            meters.require_running(meter, self._clock())
            meters.require_covered(meter, flying + count, self.limits.beyond)
            flying += count
        finally:
            self._fly(session, flying)

    def release(self, session: str, count: int) -> None:
        """Let go of what was reserved and is not used."""
        self._fly(session, self._flying[session] - count)

    def _fly(self, session: str, count: int) -> None:
        """Note how much is set aside in a session."""
        self._flying[session] = count
        if not count:
            del self._flying[session]
        if session in self._meters:
            self._write_down(self._meters[session])

    async def use(self, session: str, count: int, part: int = 0, *, reserved: int = 0) -> Meter:
        """Count what is about to be given, durably; what was reserved for it is let go.

        Shape:  a negative count gives back what was counted and not given.
        Raises: Conflict `session-closed`; Unavailable, and then nothing is counted.
        """
        try:
            used = meters.counted(self._open(session), count, part)
            self._note(used)
        finally:
            self._fly(session, self._flying[session] - reserved)
        try:
            await self._pen.written(session)
        except FarthingError:
            self._uncount(session, count, part)
            raise
        return self._meters.get(session, used)

    def _uncount(self, session: str, count: int, part: int) -> None:
        """Take back what was counted and is not given, for it could not be written down."""
        if session in self._meters:
            self._put(meters.counted(self._meters[session], -count, -part))

    async def wait_covered(self, session: str, count: int, seconds: float) -> bool:
        """Reserve a count as soon as it is promised; tell whether that was in time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    raised = self._raised.setdefault(session, asyncio.Event())
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
        async with self._settling:
            due = [self._meters[session] for session in self._due if session in self._meters]
            for start in range(0, len(due), HANDED_AT_ONCE):
                await self._hand_in(due[start : start + HANDED_AT_ONCE])
            await self._pen.written()

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
        presented = [_handed_in(meter) for meter in sent]
        answers = await self._hub.hand_in(presented, late=late)
        again: list[Meter] = []
        for meter, answer in zip(sent, answers, strict=True):
            now = self._meters.get(meter.session)
            if now is None:
                continue
            if not isinstance(answer, FarthingError):
                self._put(meters.handed_in(now, answer))
                continue
            log.info("metering.refused", session=meter.session, code=answer.code, late=late)
            self._put(meters.refused(now, answer))
            if not late and answer.code in meters.ENDINGS:
                again.append(meter)
            else:
                self.refusals[answer.code] += 1
        return again

    async def close(self, session: str) -> SeenSession:
        """Hand in what is due, close the session for what is owed, and forget its meter.

        Raises: Conflict `session-in-use` while an answer is under way; FarthingError, after which
                nothing more is served and the session is closed later.
        """
        async with self._settling:
            meter = self._open(session)
            if self._flying[session] and not meter.stopped:
                raise Conflict("session-in-use", "an answer is under way; close it after that")
            self._put(msgspec.structs.replace(meter, stopped=meter.stopped or "session-over"))
            if meter.due:
                await self._handed(await self._handed([meter], late=False), late=True)
                meter = self._open(session)
            # Not all was taken, or more is owed than we know of: what the hub heard of counts.
            if meter.due or meters.owing(meter) > meter.units:
                self._refresh(await self._hub.look_up(session))
                meter = self._open(session)
            units = min(meters.to_capture(meter), meter.handed)
            try:
                seen = await self._hub.close(session, units)
            except Conflict:
                seen = await self._hub.look_up(session)  # Somebody else has closed it.
            self._forget(session)
            await self._pen.written()
            return seen

    async def look_again(self) -> None:
        """Ask the hub about sessions that nobody has asked about for a while.

        Shape: a payer can end a session at the hub, which is not told to us.
        """
        now_ns = self._clock()
        late = (each for each in self._meters if now_ns >= self._looked.get(each, 0) + _LOOK_NS)
        for session in list(itertools.islice(late, _LOOKS)):
            self._looked[session] = now_ns
            try:
                seen = await self._hub.look_up(session)
            except FarthingError as problem:
                log.warning("metering.not_looked_up", session=session, code=problem.code)
                return
            if session in self._meters:
                self._refresh(seen)
        await self._pen.written()

    async def close_ended(self) -> None:
        """Close every session whose time is over or that was stopped, once nobody is served."""
        now_ns = self._clock()
        for session, meter in list(self._meters.items()):
            over = meter.stopped or now_ns >= meter.ends_ns
            half_ns = meter.ends_ns + (meter.closes_ns - meter.ends_ns) // 2
            if not over or (self._flying[session] and now_ns < half_ns):
                continue
            try:
                await self.close(session)
            except FarthingError as problem:
                log.warning("metering.not_closed", session=session, code=problem.code)

    async def run(self) -> None:
        """Settle in the background until cancelled."""
        while True:
            await asyncio.sleep(self.limits.settle_seconds)
            try:
                await self.settle()
                await self.look_again()
                await self.close_ended()
            except FarthingError as problem:
                log.warning("metering.behind", code=problem.code)

    # What is known

    def _open(self, session: str) -> Meter:
        meter = self._meters.get(session)
        if meter is None:
            raise Conflict("session-closed", "this session is closed", session=session)
        return meter

    def _require_open(self, session: str) -> None:
        """Refuse a session that was closed here while its voucher was looked at."""
        if session in self._over:
            raise Conflict("session-closed", "this session is closed", session=session)

    def _put(self, meter: Meter) -> None:
        if meter != self._meters.get(meter.session):
            self._note(meter)
            self._write_down(meter)

    def _write_down(self, meter: Meter) -> None:
        """Have a meter written as a crash has to find it."""
        self._pen.change(meter.session, meters.set_aside(meter, self._flying[meter.session]))

    def _note(self, meter: Meter) -> None:
        session, before = meter.session, self._meters.get(meter.session)
        self._meters[session] = meter
        self._unsettled[meter.asset] += meter.due - (before.due if before is not None else 0)
        if not meter.due:
            self._due.pop(session, None)
        elif before is None or meter.handed > before.handed or session not in self._due:
            self._due[session] = self._clock()
        if session in self._raised and (before is None or meter.units > before.units):
            self._raised.pop(session).set()

    def _forget(self, session: str) -> None:
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


def _handed_in(meter: Meter) -> Presented:
    """Give what proves a meter's promise to the hub."""
    return Presented(meter.session, meter.voucher, _tick(meter))


def _tick(meter: Meter) -> bytes:
    return write_tick(Tick(meter.alias, meter.ticks, meter.tick)) if meter.ticks else b""


def _fitting(meter: Meter, wanted: Wanted) -> Meter:
    """Refuse a session that was opened for something else.

    Raises: PaymentRefused `wrong-session`.
    """
    if (meter.payee, meters.tariff_of(meter), meter.purpose) != wanted[:3]:
        raise PaymentRefused("wrong-session", "this session was opened for something else")
    return meter
