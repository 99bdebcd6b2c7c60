"""The machine: vouchers and ticks in any order, doubled, late or lost; counting in whole and in
parts; deposits, ends and closes by either side; restarts, a hub away, and revocation.

The model knows nothing of the meter's code: it keeps the highest voucher and the count of each
session, prices a count by a formula of its own, and says what the next answer may be.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from farthing import ids
from farthing.clock import NS
from farthing.core.ladders import Climber
from farthing.core.meters import PARTS, opened
from farthing.core.orders import Order, SignedOrder
from farthing.core.sessions import Opening, top_up_resource
from farthing.core.tariffs import flat_rate
from farthing.core.ticks import VALUE_BYTES, Ladder, Tick, write_tick
from farthing.core.vouchers import Claims, sign_voucher
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer
from farthing.services.metering import Metering, MeterLimits, Wanted
from farthing.services.proving import Presented
from farthing.store.meter_book import MeterBook
from farthing.testing.fake_sessions import FakeSessions
from farthing.testing.worlds import HandClock
from farthing.threads import Threads

TARIFF = flat_rate("USD", "request", 3, 2, opening="2", minimum="6")
HUB = "abcdefghijklmnopqrstuvwxyz234567"
PAYEE = "acc_01kaw1f2800000000000000000"
SIGNER = Ed25519Signer(bytes(range(32)))
DEVICE = "dev_01kaw1f2810000000000000000"
BEYOND, UNSETTLED = 4, 60
LIFETIME, GRACE = 600, 300

LADDER_TICKS = 30

THREADS = Threads(2)
which = st.integers(0, 2)
TAKEN = ("yes", "too-much-unsettled")
BAD_TICK = {"bad-tick", "session-closed", "hub-busy", "outcome-unknown"}


def price(count: int) -> int:
    """What a count costs, written another way: two to begin, 1.5 each, at least six."""
    return 2 if count == 0 else max(2 + (3 * count + 1) // 2, 6)


@dataclass
class Climb:
    """A ladder that the payer made, and the voucher that commits to it."""

    climber: Climber
    raw: bytes
    base: int
    each: int

    def units(self, count: int) -> int:
        return self.base + count * self.each


@dataclass
class Known:
    """What the model knows of one session.

    `shown` is what proves its highest promise: a voucher, with the count and value of a tick.
    """

    id: str
    seen: Any
    deposit: int
    ends_ns: int
    best: int = 0
    count: int = 0
    part: int = 0
    written: tuple[int, int] = (0, 0)
    told_hub: int = 0
    ended: bool = False
    stopped: bool = False
    signed: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    sequence: int = 0
    climbs: list[Climb] = field(default_factory=list[Climb])
    shown: tuple[bytes, int, bytes] = (b"", 0, b"")

    def took(self, units: int, *shown: Any, renews: bool = False) -> None:
        """Note a promise that was taken; an equal one changes nothing but by a newer ladder."""
        if units > self.best or renews or not self.shown[0]:
            self.best, self.shown = units, shown


class MeterMachine(RuleBasedStateMachine):
    """Whatever comes in whatever order, nothing promised is lost and nothing is given twice."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = HandClock()
        self.loop = asyncio.new_event_loop()
        self.hub_id, self.payee, self.device, self.signer = HUB, PAYEE, DEVICE, SIGNER
        self.hub: Any = self.open_hub()
        self.wanted = Wanted(self.payee, TARIFF, "shop.example")
        self.sessions: list[Known] = []
        self.nonce = 0
        self.revoked = False
        self.start()

    def open_hub(self) -> Any:
        """Open the hub that the seller asks."""
        hub = FakeSessions(self.clock)
        hub.devices[DEVICE] = SIGNER.public
        return hub

    def close_hub(self) -> None:
        """Be rid of it."""

    def new_nonce(self) -> str:
        self.nonce += 1
        return ids.encode(self.nonce)

    def start(self) -> None:
        self.book = MeterBook(Path(self.folder.name) / "meters.db", THREADS)
        self.meters = Metering(
            self.hub,
            self.book,
            verifiers=THREADS,
            writer=THREADS,
            clock=self.clock,
            limits=MeterLimits(beyond=BEYOND, unsettled_max=UNSETTLED),
        )

    def teardown(self) -> None:
        try:
            self.settle_everything()
        finally:
            self.book.close()
            self.close_hub()
            self.loop.close()
            self.folder.cleanup()

    def settle_everything(self) -> None:
        """End the time of all, and see that what is owed was taken."""
        self.hub.fail(0)
        self.hub.lose_replies(0)
        ends_ns = max(known.ends_ns for known in self.sessions)
        self.clock.now_ns = max(self.clock.now_ns, ends_ns)
        closes_ns = min(self.hub.sessions[known.id].closes_ns for known in self.sessions)
        late = self.revoked or self.clock.now_ns >= closes_ns
        self.run(self.meters.settle())
        self.run(self.meters.close_ended())
        for known in self.sessions:
            seen = self.hub.sessions[known.id]
            assert self.meters.find(known.id) is None, known
            if known.best:
                assert seen.closed and seen.captured == min(price(known.count), seen.promised)
                assert late or seen.promised == max(known.best, known.told_hub), (seen, known)

    def run(self, story: Any) -> Any:
        return self.loop.run_until_complete(story)

    def code_of(self, story: Any) -> str:
        try:
            self.run(story)
        except FarthingError as problem:
            return problem.code
        return "yes"

    def order(self, amount: int, resource: str) -> SignedOrder:
        order = Order(
            hub=self.hub_id,
            device=self.device,
            payee=self.payee,
            asset="USD",
            amount=amount,
            nonce=self.new_nonce(),
            expires=self.clock.now_ns // NS + 300,
            resource=resource,
        )
        return SignedOrder(order, self.signer.sign(order.signed_bytes()))

    @initialize()
    def begin(self) -> None:
        for deposit in (40, 100, 100):
            opening = Opening(TARIFF.digest(), LIFETIME, GRACE, "shop.example")
            order = self.order(deposit, opening.resource())
            seen = self.run(self.hub.open(order, TARIFF))
            self.sessions.append(Known(seen.session, seen, deposit, seen.ends_ns))

    def voucher(self, known: Known, units: int, ladder: Ladder | None = None) -> bytes:
        meter = opened(known.seen)
        known.sequence += 1
        claims = Claims(meter.alias, units, known.sequence, known.seen.ends_ns // NS + 1, ladder)
        return sign_voucher(self.signer, meter.agreed, claims)

    @rule(place=which, units=st.integers(1, 130))
    def present(self, place: int, units: int) -> None:
        known = self.sessions[place]
        raw = self.voucher(known, units)
        known.signed.append((units, raw))
        self.shows(known, units, raw)

    @rule(place=which, units=st.integers(1, 130))
    def lost_on_the_way(self, place: int, units: int) -> None:
        """A voucher that was signed and did not come; it may come yet."""
        known = self.sessions[place]
        known.signed.append((units, self.voucher(known, units)))

    @rule(place=which, back=st.integers(1, 4), times=st.integers(1, 2))
    def comes_late_or_again(self, place: int, back: int, times: int) -> None:
        """An older voucher comes, for the first time or not; the highest one counts."""
        known = self.sessions[place]
        for units, raw in known.signed[-back:][:1] * times:
            self.shows(known, units, raw)

    def shows(self, known: Known, units: int, raw: bytes) -> None:
        code = self.code_of(self.meters.present(known.id, raw, self.wanted))
        assert code in self.may_say(known, units), (code, known, units)
        if code in TAKEN:
            known.took(units, raw, 0, b"")

    @rule(place=which, more=st.integers(0, 10), each=st.integers(1, 4))
    def begin_ladder(self, place: int, more: int, each: int) -> None:
        """The payer signs once for many ticks; the voucher may promise no more than was."""
        known = self.sessions[place]
        base = max(1, known.best + more)
        seed = bytes([place, len(known.climbs)]) * (VALUE_BYTES // 2)
        climber = Climber(opened(known.seen).alias, seed, LADDER_TICKS)
        raw = self.voucher(known, base, climber.ladder(each))
        known.climbs.append(Climb(climber, raw, base, each))
        code = self.code_of(self.meters.present(known.id, raw, self.wanted))
        allowed = self.may_say(known, base) | ({"session-over"} if self.over(known) else set())
        assert code in allowed | self.stops(), (code, known, base)
        if code in TAKEN:
            known.took(base, raw, 0, climber.value(0), renews=True)

    @rule(
        place=which,
        back=st.sampled_from([1, 1, 1, 2]),
        count=st.integers(1, LADDER_TICKS + 1),
        alone=st.booleans(),
        wrong=st.sampled_from([False, False, False, True]),
    )
    def tick(self, place: int, back: int, count: int, alone: bool, wrong: bool) -> None:
        """Show a tick, alone or with its voucher, of the newest ladder or of the one before it."""
        known = self.sessions[place]
        if back > len(known.climbs):
            return
        climb = known.climbs[-back]
        value = bytes(VALUE_BYTES) if wrong else climb.climber.value(min(count, LADDER_TICKS))
        shown = write_tick(Tick(opened(known.seen).alias, count, value))
        raw = b"" if alone else climb.raw
        code = self.code_of(self.meters.present(known.id, raw, self.wanted, shown))
        units = climb.units(count)
        good = not wrong and count <= LADDER_TICKS and (not alone or known.shown[0] == climb.raw)
        assert code in (self.may_say(known, units) if good else BAD_TICK), (code, known, units)
        if code in TAKEN:
            known.took(units, climb.raw, count, value)

    def may_say(self, known: Known, units: int) -> set[str]:
        """Say which answers a voucher may get: only those about the hub are not certain here."""
        unheard = {"hub-busy", "outcome-unknown", "too-much-unsettled"}
        if self.meters.find(known.id) is None and known.best:
            return {"session-closed"} | unheard
        if units == known.best:
            return {"yes", "session-closed"} | unheard
        if units < known.best:
            return {"voucher-superseded", "session-closed"} | unheard
        if known.best < units < known.told_hub:
            unheard.add("voucher-superseded")  # Where the hub was asked, it told of more.
        closed = {"session-closed"} if self.over(known) else set[str]()
        if known.ended or known.stopped:
            closed |= {"session-over", "session-closed"}
        if self.clock.now_ns >= known.ends_ns:
            return {"session-over", *closed, *unheard, *self.stops()}
        if units > known.deposit:
            return {"voucher-beyond-deposit", *closed, *unheard, *self.stops()}
        return {"yes", *closed, *unheard, *self.stops()}

    def over(self, known: Known) -> bool:
        ended = known.ended or known.stopped
        return self.revoked or ended or self.clock.now_ns >= known.ends_ns

    def stops(self) -> set[str]:
        return {"session-revoked", "session-over"} if self.revoked else set()

    @rule(place=which, first=st.integers(1, 40), more=st.integers(0, 3))
    def present_many(self, place: int, first: int, more: int) -> None:
        """Several at once, the largest first: the smaller ones are told so and do no harm."""
        known = self.sessions[place]
        units = [first + i for i in range(more, -1, -1)]
        vouchers = [self.voucher(known, each) for each in units]
        known.signed += zip(units, vouchers, strict=True)

        async def go() -> list[Any]:
            asked = (self.meters.present(known.id, raw, self.wanted) for raw in vouchers)
            return await asyncio.gather(*asked, return_exceptions=True)

        codes = [getattr(answer, "code", "yes") for answer in self.run(go())]
        assert set(codes) <= {"yes", "voucher-superseded", "session-closed", "hub-busy"} | {
            "outcome-unknown",
            "too-much-unsettled",
            "session-over",
            "session-revoked",
            "voucher-beyond-deposit",
        }, codes
        for each, raw, code in zip(units, vouchers, codes, strict=True):
            if code in TAKEN:
                known.took(each, raw, 0, b"")

    @rule(place=which, times=st.integers(1, 3), each=st.sampled_from([1, 1, 2, 5]))
    def serve(self, place: int, times: int, each: int) -> None:
        """Answer requests side by side, of so many units each: no more than is promised."""
        known = self.sessions[place]

        async def one() -> str:
            try:
                self.meters.reserve(known.id, each)
                await asyncio.sleep(0)
                await self.meters.use(known.id, each, reserved=each)
            except FarthingError as problem:
                return problem.code
            return "yes"

        async def go() -> list[str]:
            return await asyncio.gather(*(one() for _ in range(times)))

        met = self.meters.find(known.id)
        codes = self.run(go())
        room = 0
        while price(known.count + each * (room + 1)) <= known.best + BEYOND:
            room += 1
        if met is None or met.stopped or known.stopped or self.clock.now_ns >= known.ends_ns:
            assert "yes" not in codes
        else:
            assert codes.count("yes") == min(times, room), (codes, known)
        known.count += each * codes.count("yes")

    @rule(place=which, part=st.integers(1, PARTS - 1), back=st.integers(0, PARTS))
    def serve_a_part(self, place: int, part: int, back: int) -> None:
        """Use a part of a unit, as of a second, and give some of it back; nothing is rounded."""
        known = self.sessions[place]
        back = min(back, part)
        try:
            self.meters.reserve(known.id, 1)
        except FarthingError:
            return

        async def go() -> None:
            await self.meters.use(known.id, 1, reserved=1)
            await self.meters.use(known.id, -1, part)
            await self.meters.use(known.id, 0, -back)

        self.run(go())
        known.written = max(known.written, (known.count + 1, known.part))
        more, known.part = divmod(known.part + part - back, PARTS)
        known.count += more

    @rule(place=which)
    def handler_fails(self, place: int) -> None:
        """What was reserved for an answer that fails is not counted."""
        known = self.sessions[place]
        try:
            self.meters.reserve(known.id, 1)
        except FarthingError:
            return
        self.meters.release(known.id, 1)

    @rule(place=which, amount=st.integers(1, 30))
    def top_up(self, place: int, amount: int) -> None:
        known = self.sessions[place]
        if not self.hub.sessions[known.id].closed and not self.hub.unwell:
            order = self.order(amount, top_up_resource(known.id))
            self.code_of(self.hub.top_up(known.id, order))  # Its owner may have ended it.
            known.deposit = self.hub.sessions[known.id].deposit

    @rule(place=which, amount=st.integers(1, 30))
    def top_up_through_the_seller(self, place: int, amount: int) -> None:
        """An order for one deposit more comes with a request; a lost reply may have held it."""
        known = self.sessions[place]
        if self.hub.sessions[known.id].closed or self.meters.find(known.id) is None:
            return
        order = self.order(amount, top_up_resource(known.id))
        code = self.code_of(self.meters.top_up(known.id, order))
        held = self.hub.sessions[known.id].deposit
        assert held - known.deposit in ((amount,) if code == "yes" else (0, amount)), code
        known.deposit = held

    @rule(place=which)
    def payer_ends(self, place: int) -> None:
        """Its payer ends a session at the hub; the seller hears of it later, or when it asks."""
        known = self.sessions[place]
        if self.hub.sessions[known.id].closed or self.clock.now_ns >= known.ends_ns:
            return
        self.hub.end(known.id)
        known.ended = True

    @rule(place=which)
    def payee_closes(self, place: int) -> None:
        """What is owed is taken, and nothing comes after it, not even where the hub is away."""
        known = self.sessions[place]
        met = self.meters.find(known.id)
        code = self.code_of(self.meters.close(known.id))
        if code != "yes":
            assert code in {"session-closed", "hub-busy", "outcome-unknown"}, code
            known.stopped = known.stopped or met is not None
            return
        seen = self.hub.sessions[known.id]
        assert seen.closed and self.meters.find(known.id) is None
        assert seen.captured == min(price(known.count), seen.promised), (seen, known)

    @rule(place=which, more=st.integers(1, 20))
    def payer_goes_around(self, place: int, more: int) -> None:
        """The payer hands a voucher to the hub itself, which counts, and may promise more there."""
        known = self.sessions[place]
        seen = self.hub.sessions[known.id]
        units = max(known.best, seen.promised) + more
        if self.meters.find(known.id) is None or self.hub.unwell or units > known.deposit:
            return
        voucher = Presented(known.id, self.voucher(known, units))
        [answer] = self.run(self.hub.hand_in([voucher]))
        if not isinstance(answer, FarthingError):
            known.told_hub = units

    @rule()
    def settle(self) -> None:
        unwell = self.hub.unwell
        self.run(self.meters.settle())
        if not unwell:
            assert self.meters.unsettled("USD") == 0 or self.revoked or self.any_over()

    def any_over(self) -> bool:
        return any(self.over(known) for known in self.sessions)

    @rule()
    def look_again(self) -> None:
        self.run(self.meters.look_again())

    @rule()
    def close_ended(self) -> None:
        self.run(self.meters.close_ended())

    @rule(times=st.integers(1, 4))
    def hub_is_away(self, times: int) -> None:
        self.hub.fail(times)

    @rule()
    def a_reply_is_lost(self) -> None:
        self.hub.lose_replies()

    @rule()
    def killed(self) -> None:
        """What was answered is on disk: nothing in memory is needed to go on.

        What was given back of a count may not be there yet: the payer has it counted then.
        """
        self.book.close()
        self.start()
        for known in self.sessions:
            meter = self.meters.find(known.id)
            if meter is None:
                continue
            counted = (meter.count, meter.part)
            most = max(known.written, (known.count, known.part))
            assert (known.count, known.part) <= counted <= most, (meter, known)
            known.count, known.part = counted
            known.stopped = bool(meter.stopped)  # It was being closed: that may not be on disk.

    @rule(place=which, count=st.integers(1, 3))
    def killed_while_an_answer_is_under_way(self, place: int, count: int) -> None:
        """What was set aside for it counts as used: who reads the file cannot know better."""
        known = self.sessions[place]
        try:
            self.meters.reserve(known.id, count)
        except FarthingError:
            return
        self.run(self.meters.kept(known.id, count))
        known.count += count
        self.killed()

    @rule(seconds=st.sampled_from([1, 30, 250]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now_ns += seconds * NS

    @rule()
    def revoke(self) -> None:
        self.revoked = True
        self.hub.revoke(self.device)

    @invariant()
    def nothing_is_lost_or_counted_twice(self) -> None:
        total = 0
        for known in self.sessions:
            meter = self.meters.find(known.id)
            if meter is None:
                continue
            seen = self.hub.sessions[known.id]
            known.best = max(known.best, min(meter.units, known.told_hub))
            assert (meter.count, meter.part) == (known.count, known.part), (meter, known)
            assert meter.units == known.best, (meter, known)
            assert (meter.voucher, meter.ticks, meter.tick) == known.shown, (meter, known)
            assert meter.handed <= seen.promised <= known.deposit
            assert price(known.count) <= max(known.best + BEYOND, 2)
            total += meter.units - meter.handed
        assert self.meters.unsettled("USD") == total
