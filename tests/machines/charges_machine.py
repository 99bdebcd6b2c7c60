"""The machine: x402 sessions charged request by request, and `upto` orders settled once.

Several requests of a session are under way at once, late, doubled, of old sequences, for more than
was promised; sessions are drawn beside that, topped up, and closed by their payee, whole or in
part, and by time.
"""

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from farthing import ids
from farthing.core.closing import CloseSession, SettleDeposit
from farthing.core.drawing import Draw
from farthing.core.orders import payment_id
from farthing.core.payments import PAYMENTS
from farthing.core.session_charges import CHARGES, Charge, SetAside, unit_tariff
from farthing.core.sessions import SESSIONS, KeepTariff, Session, top_up_resource
from farthing.core.settling import Capture, Expire, Settle, Void
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer
from farthing.services.audit import examine
from farthing.store.database import Tx
from farthing.store.queries import holds_over
from farthing.testing.drawing import Drawer
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.machines.charges_model import Channel, Model, Most
from tests.machines.looking import available
from tests.own_writers import books_on

SIGNER = Ed25519Signer(bytes(32))
TARIFF = unit_tariff("USD")
MONEY, DEPOSIT = 100_000, 60
which = st.integers(0, 3)
some = st.integers(0, 12)
seconds = st.sampled_from([1, 30, 600])


class ChargesMachine(RuleBasedStateMachine):
    """Nothing is charged twice, beyond its request, or beyond what was promised."""

    def open_database(self) -> Any:
        raise NotImplementedError

    def close_database(self) -> None:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.writer = HandClock(), Threads(1)
        database = self.open_database()
        self.loop = asyncio.new_event_loop()
        self.world = World(
            books_on(database, SIGNER, self.clock, self.writer), database, self.clock
        )
        self.model = Model(self.clock.now, MONEY)
        self.sessions: list[str] = []
        self.mosts: list[str] = []
        self.sequences: list[int] = []

    @initialize()
    def begin(self) -> None:
        self.loop.run_until_complete(self._begin())
        self.open(600, 60)

    async def _begin(self) -> None:
        self.world.begin()
        await self.world.do(KeepTariff(TARIFF))
        spender, payee = await self.world.spender(MONEY), await self.world.account()
        self.drawer = Drawer(self.world, spender, payee)

    @rule(lifetime=st.sampled_from([60, 600, 4000]), grace=st.sampled_from([0, 30, 600]))
    def open(self, lifetime: int, grace: int) -> None:
        unit = self.drawer.opening(DEPOSIT, lifetime, grace, TARIFF)
        self.sessions.append(ids.name("ses", payment_id(unit.signed.order)))
        self.model.channels.append(Channel(grace, self.model.now + lifetime, DEPOSIT))
        self.sequences.append(0)
        assert self._said(unit) == "held"
        self.compare()

    @rule(n=which, amount=st.integers(1, 30))
    def top_up(self, n: int, amount: int) -> None:
        ident, one, _ = self._one(n)
        unit = self.drawer.deposit(top_up_resource(ident), amount)
        over = one.closed or self.model.now >= one.ends
        full = len(self._session(ident).deposits) >= 15
        said = self._said(unit)
        assert said == ("session-over" if over else "session-full" if full else "held"), said
        if said == "held":
            one.deposit += amount
        self.compare()

    @rule(n=which, more=st.integers(-3, 15))
    def draw(self, n: int, more: int) -> None:
        """Promise more beside the requests, as the payer may."""
        ident, one, place = self._one(n)
        self.sequences[place] += 1
        units = max(1, one.promised + more)
        unit = self.drawer.draw(self._session(ident), units, self.sequences[place])
        assert self._said(unit) == self.model.draw(one, units, self.sequences[place])
        self.compare()

    @rule(n=which, more=st.integers(-2, 15), most=some, seconds=seconds, again=st.booleans())
    def verify(self, n: int, more: int, most: int, seconds: int, *, again: bool) -> None:
        ident, one, place = self._one(n)
        units, sequence = self._voucher(one, place, more, again=again)
        unit = self._aside(ident, units, sequence, most, seconds)
        assert self._said(unit) == self.model.set_aside(one, units, sequence, most, seconds)
        self.compare()

    @rule(n=which, more=st.integers(-2, 15), most=some, used=some, back=st.integers(0, 3))
    def settle(self, n: int, more: int, most: int, used: int, back: int) -> None:
        """Charge a request that is under way, one before it, or one that was never verified."""
        ident, one, place = self._one(n)
        units, sequence = self._voucher(one, place, more, again=back > 0)
        if one.aside and back > 0:
            numbers = sorted(one.aside)
            sequence = numbers[-1 - back % len(numbers)]
        unit = Charge(self._aside(ident, units, sequence, most, 30), used)
        expected = self.model.charge(one, units, sequence, most, 30, used)
        assert self._said(unit) == expected
        self.compare()

    @rule(n=which, part=st.sampled_from([None, None, "charged", "promised", "more", "some"]))
    def close(self, n: int, part: str | None) -> None:
        """Close it as its payee: for what was charged, or for what it says, up to the promise."""
        ident, one, _ = self._one(n)
        wanted = {"charged": one.charged, "promised": one.promised, "more": one.promised + 1,
                  "some": one.promised // 2}  # fmt: skip
        units = None if part is None else wanted[part]
        assert self._said(CloseSession(ident, None, units)) == self.model.close(
            one, units, due=False
        )
        self._settle_deposits(ident, one)

    def _settle_deposits(self, ident: str, one: Channel) -> None:
        if one.closed:
            for deposit in self._session(ident).deposits:
                self._said(SettleDeposit(deposit))
        self.compare()

    @rule(amount=st.integers(1, 20), hold=st.sampled_from([5, 60, 600]))
    def order_at_most(self, amount: int, hold: int) -> None:
        unit = self.world.pay(self.drawer.spender, self.drawer.payee, amount, hold=hold)
        self.mosts.append(ids.name("pay", payment_id(unit.signed.order)))
        self.model.mosts.append(Most(amount, self.model.now + hold))
        assert self._said(unit) == "held"
        self.compare()

    @precondition(lambda self: self.mosts)
    @rule(n=which, used=st.integers(0, 21), again=st.booleans())
    def settle_at_most(self, n: int, used: int, *, again: bool) -> None:
        place = -1 - n % len(self.mosts)
        ident, one = self.mosts[place], self.model.mosts[place]
        for _ in range(1 + again):
            ending = Capture(ident, None, used) if used else Void(ident, None, "nothing-used")
            expected = self.model.settle(one, used)
            assert self._said(Settle(ending)) == expected
        self.compare()

    @rule(seconds=st.sampled_from([1, 6, 29, 61, 601, 4001]))
    def wait(self, seconds: int) -> None:
        self.clock.move(seconds + 0.001)
        self.model.now += seconds
        for ident in self._read(lambda tx: holds_over(tx, self.clock.now_ns)):
            if ident in self.mosts:
                one = self.model.mosts[self.mosts.index(ident)]
                assert one.state == "held" and self.model.now >= one.ends
                one.state = "expired"
                assert self._said(Expire(ident)) == "expired"
        for ident, one in zip(self.sessions, self.model.channels, strict=True):
            assert self._said(CloseSession(ident, None, due=True)) == self.model.close(
                one, None, due=True
            )
            self._settle_deposits(ident, one)

    @rule(n=which, most=st.integers(1, 12))
    def one_is_charged_after_its_time(self, n: int, most: int) -> None:
        """Let another request have what was set aside for one that is charged all the same."""
        self.verify(n, most, most, 1, again=False)
        self.wait(6)
        self.verify(n, 0, most, 600, again=False)
        self.settle(n, 0, most, most, 1)

    def compare(self) -> None:
        self._read(self._compare)

    def _compare(self, tx: Tx) -> None:
        model = self.model
        accounts = [self.drawer.spender.account, self.drawer.payee]
        left = model.money - model.held() - model.given()
        assert available(tx, accounts) == [left, model.given()]
        kept, charges = tx.fetch(SESSIONS, self.sessions), tx.fetch(CHARGES, self.sessions)
        for ident, one in zip(self.sessions, model.channels, strict=True):
            assert (kept[ident].units, kept[ident].deposit) == (one.promised, one.deposit)
            assert kept[ident].captured == one.took <= one.promised
            assert (ident in charges) == one.charging
            if one.charging:
                assert (charges[ident].charged, charges[ident].sequence) == (
                    one.charged, one.sequence
                )  # fmt: skip
                assert one.charged <= one.promised

    def _voucher(self, one: Channel, place: int, more: int, *, again: bool) -> tuple[int, int]:
        if not again or not self.sequences[place]:
            self.sequences[place] += 1
        return max(1, one.promised + more), self.sequences[place]

    def _aside(self, ident: str, units: int, sequence: int, most: int, seconds: int) -> SetAside:
        session = self._session(ident)
        draw = self.drawer.draw(session, units, sequence)
        wanted = (session.payee, session.asset, session.tariff, session.purpose)
        return SetAside(draw, wanted, most, seconds)

    def _one(self, n: int) -> tuple[str, Channel, int]:
        place = len(self.sessions) - 1 - n % len(self.sessions)
        return self.sessions[place], self.model.channels[place], place

    def _session(self, ident: str) -> Session:
        return self.loop.run_until_complete(self.world.record(SESSIONS, ident))

    def _said(self, unit: Any) -> str:
        [answer] = self.loop.run_until_complete(self.world.do_all([unit]))
        if isinstance(answer, FarthingError):
            return answer.code
        said = answer.answer
        if isinstance(unit, Settle):
            return "now" if said.now else "before"
        if isinstance(unit, Draw):
            return "yes"
        if isinstance(unit, CloseSession):
            return said.state.value
        if hasattr(said, "payment"):
            return said.payment.reason or said.payment.state.value
        return said.state.value if hasattr(said, "state") else "yes"

    def _read(self, look: Any) -> Any:
        return self.loop.run_until_complete(self.world.database.read(look))

    def teardown(self) -> None:
        try:
            if self.sessions:
                self.compare()
                states = self._read(lambda tx: tx.fetch(PAYMENTS, self.mosts))
                for ident, one in zip(self.mosts, self.model.mosts, strict=True):
                    assert (states[ident].state, states[ident].captured) == (one.state, one.took)
                assert self._read(lambda tx: examine(tx, None, None)).text == "ok"
        finally:
            self.loop.run_until_complete(self.world.books.close())
            self.writer.close()
            self.loop.close()
            self.close_database()
