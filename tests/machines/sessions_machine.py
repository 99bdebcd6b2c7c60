"""The machine: sessions opened, drawn by vouchers and ticks, ended, closed, settled in any order.

Many are open at a time. What is asked is gathered and committed together; the model is asked one
after the other.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farthing import ids
from farthing.core.accounts import SetAccountState
from farthing.core.closing import CloseSession, EndSession, SettleDeposit
from farthing.core.drawing import Draw
from farthing.core.fees import FeeTerms, read_fees
from farthing.core.ladders import Climber
from farthing.core.mandates import Budget
from farthing.core.offers import OfferRecord, SetOffer
from farthing.core.orders import payment_id
from farthing.core.payments import PAYMENTS, Authorised, Payment
from farthing.core.promises import Promise, promised_by, ticked
from farthing.core.refunds import GiveBack, Refunded
from farthing.core.sessions import SESSIONS, KeepTariff, Session, top_up_resource
from farthing.core.ticks import Tick
from farthing.core.vouchers import Claims, sign_voucher
from farthing.errors import FarthingError, Unauthenticated
from farthing.keys import Ed25519Signer
from farthing.services.audit import examine
from farthing.store.database import Tx
from farthing.store.queries import sessions_due
from farthing.testing.drawing import TARIFF, Drawer
from farthing.testing.worlds import START_NS, HandClock, World
from farthing.threads import Threads
from tests.machines.fees_model import TAKEN_BY, TERMS, Levy
from tests.machines.looking import available, used
from tests.machines.sessions_model import Drawn, Model
from tests.own_writers import books_on

SIGNER = Ed25519Signer(bytes(32))
LIMIT, BATCH = 300, 4
LADDER_MOST = 12
MONEY = [240, 400, 0, 0, 0, 0]
PAYERS, PAYEES, TAKERS = (0, 1), (2, 3), (4, 5)

which = st.integers(0, 5)
small = st.integers(1, 60)
levies = st.sampled_from(TERMS)
charges = st.one_of(st.none(), st.tuples(st.sampled_from(TAKEN_BY), levies))


class SessionsMachine(RuleBasedStateMachine):
    """Whatever is asked in whatever order, answers, balances and budgets are the model's."""

    def open_database(self) -> Any:
        raise NotImplementedError

    def close_database(self) -> None:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.writer = Threads(1)
        self.database = self.open_database()
        books = books_on(self.database, SIGNER, self.clock, self.writer)
        self.loop = asyncio.new_event_loop()
        self.world = World(books, self.database, self.clock)
        self.model = Model(self.clock.now, MONEY, LIMIT)
        self.asked: list[tuple[Any, Callable[[], str]]] = []
        self.drawers: dict[tuple[int, int], Drawer] = {}
        self.ladders: list[tuple[str, Promise, Climber]] = []
        self.sequence = 1

    @initialize(of_hub=charges, of_offer=st.one_of(st.none(), levies))
    def begin(self, of_hub: Any, of_offer: Any) -> None:
        self.loop.run_until_complete(self._begin(of_offer))
        self.charge(of_hub)

    async def _begin(self, of_offer: Any) -> None:
        self.world.begin()
        await self.world.do(KeepTariff(TARIFF))  # The service does, before it opens anything.
        day = Budget(name="day", per="366d", limit=LIMIT)
        self.spenders = [await self.world.spender(MONEY[i], day) for i in PAYERS]
        self.accounts = [s.account for s in self.spenders]
        self.accounts += [await self.world.account() for _ in (*PAYEES, *TAKERS)]
        offers = {2: "", 3: await self._offer(of_offer)}
        for payer in PAYERS:
            for payee in PAYEES:
                spender, paid = self.spenders[payer], self.accounts[payee]
                self.drawers[payer, payee] = Drawer(self.world, spender, paid, offers[payee])

    async def _offer(self, fee: Any) -> str:
        """Let the second seller give a fee of what it sells, by its offer."""
        self.offered = [] if fee is None else [Levy(5, **fee)]
        if fee is None:
            return ""
        ident = ids.name("off", self.world.fresh())
        record = OfferRecord(
            id=ident,
            owner="",
            payee=self.accounts[3],
            method="GET",
            path="/readings",
            asset="USD",
            amount=1,
            fee=FeeTerms(of=ident, account=self.accounts[5], **fee),
        )
        await self.world.do(SetOffer(record, None, creates=True))
        return ident

    @rule(of_hub=charges)
    def charge(self, of_hub: Any) -> None:
        """Change the hub's fee; sessions that are open keep theirs."""
        self.levies, self.world.fees = [], {}
        if of_hub is not None:
            who, terms = of_hub
            self.levies = [Levy(who, **terms)]
            account = self.accounts[who]
            self.world.fees = {"USD": FeeTerms(of="hub", account=account, **terms)}

    def _levies(self, payee: int) -> list[Levy]:
        levies = self.levies + (self.offered if payee == 3 else [])
        return [levy.fresh() for levy in levies if levy.account != payee]

    @rule(
        payer=st.sampled_from(PAYERS),
        payee=st.sampled_from(PAYEES),
        amount=small,
        lifetime=st.sampled_from([60, 600, 4000]),
        grace=st.sampled_from([0, 30, 3600]),
    )
    def open(self, payer: int, payee: int, amount: int, lifetime: int, grace: int) -> None:
        unit = self.drawers[payer, payee].opening(amount, lifetime, grace)
        ident = ids.name("ses", payment_id(unit.signed.order))
        new = Drawn(payer, payee, grace, self._levies(payee))
        self._ask(unit, lambda: self.model.open(ident, new, amount, lifetime))
        self._commit()

    @precondition(lambda self: self.model.sessions)
    @rule(n=which, amount=small, wrong=st.sampled_from([False, False, False, True]))
    def top_up(self, n: int, amount: int, wrong: bool) -> None:
        ident, s = self._one(n)
        payee = 5 - s.payee if wrong else s.payee
        unit = self.drawers[s.payer, payee].deposit(top_up_resource(ident), amount)
        self._ask(unit, lambda: self.model.top_up(ident, s.payer, payee, amount))
        self._commit()

    @precondition(lambda self: self.model.sessions)
    @rule(
        n=which,
        units=st.integers(1, 130),
        late=st.booleans(),
        seconds=st.sampled_from([0, 1, 100, 10_000]),
    )
    def draw(self, n: int, units: int, late: bool, seconds: int) -> None:
        ident, s = self._one(n)
        expiry = self.clock.now + seconds
        unit = self.drawers[s.payer, s.payee].draw(
            self._session(ident), units, late=late, expiry=expiry
        )
        self._ask(unit, lambda: self.model.draw(ident, units, expiry, late=late))

    @precondition(lambda self: self.model.sessions)
    @rule(
        n=which,
        base=st.integers(0, 60),
        each=st.integers(1, 9),
        seconds=st.sampled_from([1, 100, 10_000]),
    )
    def begin_a_ladder(self, n: int, base: int, each: int, seconds: int) -> None:
        """Sign a voucher with a ladder, newer than all before it; old ladders stay as they are."""
        ident, s = self._one(n)
        self.sequence += 1
        session, drawer = self._session(ident), self.drawers[s.payer, s.payee]
        climber = Climber(session.alias, self.sequence.to_bytes(16, "big"), LADDER_MOST)
        expiry = self.clock.now + seconds
        claims = Claims(session.alias, base, self.sequence, expiry, climber.ladder(each))
        raw = sign_voucher(drawer.spender.signer, session.agreed, claims)
        self.ladders.append((ident, promised_by(claims, raw), climber))
        self.tick(0, 0, late=False, wrong=False)

    @precondition(lambda self: self.ladders)
    @rule(
        back=st.integers(0, 4),
        count=st.integers(0, LADDER_MOST),
        late=st.booleans(),
        wrong=st.sampled_from([False, False, False, True]),
    )
    def tick(self, back: int, count: int, *, late: bool, wrong: bool) -> None:
        """Show a tick with its voucher, of the newest ladder or of one before it."""
        ident, promise, climber = self.ladders[-1 - back % len(self.ladders)]
        value = bytes(16) if wrong else climber.value(count)
        if count:
            try:
                promise = ticked(promise, Tick(promise.claims.alias, count, value))
            except Unauthenticated:
                assert wrong
                return
            assert not wrong
        claims, ticks, tick = promise.claims, promise.ticks, promise.value
        self._ask(
            Draw(ident, promise, None, late),
            lambda: self.model.draw(
                ident,
                promise.units,
                claims.expiry,
                late=late,
                sequence=claims.sequence,
                ticks=ticks,
                tick=tick,
            ),
        )

    @precondition(lambda self: self.model.sessions)
    @rule(n=which)
    def end(self, n: int) -> None:
        ident, _ = self._one(n)
        self._ask(EndSession(ident, None), lambda: self.model.end(ident))

    @precondition(lambda self: self.model.sessions)
    @rule(n=which, units=st.one_of(st.none(), st.none(), st.integers(0, 60)), due=st.booleans())
    def close(self, n: int, units: int | None, due: bool) -> None:
        ident, _ = self._one(n)
        unit = CloseSession(ident, None, units, due)
        self._ask(unit, lambda: self.model.close(ident, units, due=due))

    @precondition(lambda self: self.model.sessions)
    @rule(n=which, deposit=which)
    def settle(self, n: int, deposit: int) -> None:
        ident, s = self._one(n)
        deposits = self._session(ident).deposits
        assert len(deposits) == len(s.deposits)
        unit = SettleDeposit(deposits[deposit % len(deposits)])
        self._ask(unit, lambda: self.model.settle(ident, deposit))

    @precondition(lambda self: self.model.sessions)
    @rule(n=which, deposit=which, units=st.one_of(st.none(), st.integers(0, 60)))
    def refund(self, n: int, deposit: int, units: int | None) -> None:
        ident, _ = self._one(n)
        deposits = self._session(ident).deposits
        ref, payment = ids.name("ref", self.world.fresh()), deposits[deposit % len(deposits)]
        unit = GiveBack(ref, payment, None, units, "")
        self._ask(unit, lambda: self.model.refund(ident, deposit, units))

    @rule(n=st.integers(0, 5), to=st.sampled_from(["frozen", "open", "open"]))
    def freeze(self, n: int, to: str) -> None:
        def expected() -> str:
            (self.model.frozen.add if to == "frozen" else self.model.frozen.discard)(n)
            return to

        unit = SetAccountState(self.accounts[n], None, to, self.world.fresh())
        self._ask(unit, expected)

    @rule(payer=st.sampled_from([*[None] * 12, *PAYERS]))
    def revoke(self, payer: int | None) -> None:
        if payer is None:
            return

        def expected() -> str:
            self.model.revoked.setdefault(payer, self.model.now)
            return "revoked"

        self._ask(self.world.revoke(self.spenders[payer].device.mandate), expected)

    # One millisecond more than whole seconds, so that no end falls within a commit.
    @rule(seconds=st.sampled_from([1, 29, 61, 601, 3601, 4001]))
    def wait(self, seconds: int) -> None:
        self._commit()
        self.clock.move(seconds + 0.001)
        self.model.now = (self.clock.now_ns - START_NS) // 10**9 + START_NS // 10**9
        due = self._read(lambda tx: sessions_due(tx, self.clock.now_ns))
        assert set(due) == self.model.due()
        for ident in due:
            self._ask(
                CloseSession(ident, None, due=True),
                lambda ident=ident: self.model.close(ident, None, due=True),
            )
        self._commit()

    @rule(seed=st.integers(0, 2**32 - 1))
    def be_busy(self, seed: int) -> None:
        """Do much at a time: what takes several steps to come about then comes about."""
        chance = random.Random(seed)
        pick = chance.choice
        for _ in range(40):
            n = chance.randrange(6)
            what = pick("oottddddddddllkkkkkkkeccssssrrrffhww") if self.model.sessions else "o"
            match what:
                case "o":
                    self.open(pick(PAYERS), pick(PAYEES), pick([5, 20, 40]), pick([600, 4000]),
                              pick([0, 30, 3600]))  # fmt: skip
                case "t":
                    self.top_up(n, pick([3, 10, 30]), n == 0)
                case "d" | "l" | "k":
                    self._promise(what, n, chance)
                case "e":
                    self.end(n)
                case "c":
                    _, s = self._one(n)
                    units = pick([None, None, s.promised, s.promised + 1, s.promised // 2])
                    self.close(n, units, pick([True, False, False]))
                case "s":
                    self.settle(n, chance.randrange(6))
                case "r":
                    self.refund(n, chance.randrange(6), pick([None, 1, 3, 8]))
                case "f" | "h":
                    self._meddle(what, chance)
                case _:
                    self.revoke(pick([*PAYERS, *[None] * 10]))
                    self.wait(pick([1, 29, 61, 601, 3601]))

    @rule(seed=st.integers(0, 2**32 - 1))
    def live(self, seed: int) -> None:
        """Go through one session's whole life: what comes last then comes about often."""
        chance = random.Random(seed)
        known = set(self.model.sessions)
        self.open(chance.choice(PAYERS), chance.choice(PAYEES), chance.randint(3, 20), 4000, 30)
        new = self.model.sessions.keys() - known
        if not new:
            return
        n = len(self.model.sessions) - 1 - sorted(self.model.sessions).index(*new)
        for _ in range(chance.randrange(5)):
            self.top_up(n, chance.randint(1, 9), wrong=False)
        _, s = self._one(n)
        most = sum(s.deposits)
        self.draw(n, chance.randint(most // 2, most), late=False, seconds=100)
        self.close(n, None, due=False)
        order = chance.sample(range(len(s.deposits)), len(s.deposits))
        for step in order + order:
            for levy in s.levies:
                self.freeze(levy.account, chance.choice(["open", "open", "frozen"]))
            self.settle(n, step)
        for step in order + order:
            self._meddle(chance.choice("fh-----"), chance)
            self.refund(n, step, chance.choice([None, 1, 2]))

    def _meddle(self, what: str, chance: random.Random) -> None:
        pick = chance.choice
        if what == "f":
            self.freeze(chance.randrange(6), pick(["frozen", "open", "open"]))
        elif what == "h":
            self.charge(pick([None, *((pick(TAKEN_BY), terms) for terms in TERMS)]))

    def _promise(self, what: str, n: int, chance: random.Random) -> None:
        """Promise by a voucher, by a voucher with a ladder, or by a tick."""
        pick, (_, s) = chance.choice, self._one(n)
        if what == "d":
            most = sum(s.deposits)
            units = pick([s.promised + 1, s.promised, most, most + 1, chance.randint(1, 60)])
            self.draw(n, max(units, 1), pick([True, False]), pick([100, 10_000, 10_000]))
        elif what == "l":
            base = pick([0, s.promised, s.promised + 1])
            self.begin_a_ladder(n, base, pick([1, 2, 7]), pick([100, 10_000, 10_000]))
        elif self.ladders:
            count = pick([1, 2, 3, chance.randint(1, LADDER_MOST)])
            late, wrong = pick([True, False]), pick([True, *[False] * 9])
            self.tick(pick([0, 0, 0, 1, 2]), count, late=late, wrong=wrong)

    @rule()
    def commit(self) -> None:
        self._commit()

    @invariant()
    def nothing_is_promised_beyond_what_is_held(self) -> None:
        for s in self.model.sessions.values():
            assert s.promised <= sum(s.deposits)

    def _one(self, n: int) -> tuple[str, Any]:
        idents = sorted(self.model.sessions)
        ident = idents[-1 - n % len(idents)]
        return ident, self.model.sessions[ident]

    def _session(self, ident: str) -> Session:
        return self.loop.run_until_complete(self.world.record(SESSIONS, ident))

    def _ask(self, unit: Any, expected: Callable[[], str]) -> None:
        self.asked.append((unit, expected))
        if len(self.asked) >= BATCH:
            self._commit()

    def _commit(self) -> None:
        asked, self.asked = self.asked, []
        done = self.loop.run_until_complete(self.world.do_all([unit for unit, _ in asked]))
        for (unit, expected), answer in zip(asked, done, strict=True):
            assert told(unit, answer) == expected(), unit
        self._read(self._compare)

    def _compare(self, tx: Tx) -> None:
        model = self.model
        accounts = range(len(self.accounts))
        assert available(tx, self.accounts) == [model.available(i) for i in accounts]
        mandates = [spender.device.mandate for spender in self.spenders]
        assert used(tx, self.world, mandates, "day") == [model.used(i) for i in PAYERS]
        found = tx.fetch(SESSIONS, list(model.sessions))
        for ident, s in model.sessions.items():
            kept = found[ident]
            assert (kept.units, kept.deposit) == (s.promised, sum(s.deposits))
            assert (kept.ticks, kept.tick) == (s.ticks, s.tick)
            assert (kept.state == "closed", kept.captured) == (s.closed, s.took)
            self._compare_deposits(tx, kept, s)

    def _compare_deposits(self, tx: Tx, kept: Session, s: Drawn) -> None:
        found = tx.fetch(PAYMENTS, kept.deposits)
        for n, ident in enumerate(kept.deposits):
            fees = [f for f in read_fees(found[ident].fees) if f.units or f.waived]
            given = [f for f in s.fees[n] if f.units or f.waived]
            assert [(f.units, f.returned, f.waived) for f in fees] == [
                (f.units, f.returned, f.waived) for f in given
            ]
            assert found[ident].refunded == s.refunded[n]

    def _read(self, look: Callable[[Any], Any]) -> Any:
        return self.loop.run_until_complete(self.world.database.read(look))

    def teardown(self) -> None:
        try:
            if self.drawers:
                self._commit()
                report = self._read(lambda tx: examine(tx, None, None))
                assert report.text == "ok"
        finally:
            self.loop.run_until_complete(self.world.books.close())
            self.writer.close()
            self.loop.close()
            self.close_database()


def told(unit: Any, answer: Any) -> str:
    """Say in a word what the hub answered."""
    if isinstance(answer, FarthingError):
        return answer.code
    said = answer.answer
    if isinstance(said, Authorised):
        return said.payment.reason or said.payment.state.value
    if isinstance(said, Refunded):
        return said.refund.state
    if isinstance(said, Payment):
        return said.state.value
    if isinstance(said, Session):
        drew = hasattr(unit, "promise")
        return "yes" if drew else said.state.value
    return "revoked" if hasattr(said, "budgets") else said.state
