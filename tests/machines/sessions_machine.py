"""The machine: sessions opened, drawn, ended, closed and settled in any order, many at a time.

What is asked is gathered and committed together; the model is asked one after the other.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from farthing import ids
from farthing.books.sql import SqlBooks
from farthing.core.accounts import SetAccountState
from farthing.core.closing import CloseSession, EndSession, SettleDeposit
from farthing.core.mandates import Budget
from farthing.core.orders import payment_id
from farthing.core.payments import Authorised, Payment
from farthing.core.sessions import SESSIONS, KeepTariff, Session, top_up_resource
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer
from farthing.services.audit import examine
from farthing.store.queries import sessions_due
from farthing.testing.drawing import TARIFF, Drawer
from farthing.testing.worlds import START_NS, HandClock, World
from farthing.threads import Threads
from tests.machines.sessions_model import Model

SIGNER = Ed25519Signer(bytes(32))
LIMIT, BATCH = 150, 4
MONEY = [120, 200, 0, 0]
PAYERS, PAYEES = (0, 1), (2, 3)

which = st.integers(0, 5)
small = st.integers(1, 60)


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
        books = SqlBooks(self.database, lambda: SIGNER, self.clock, self.writer)
        self.loop = asyncio.new_event_loop()
        self.world = World(books, self.database, self.clock)
        self.model = Model(self.clock.now, MONEY, LIMIT)
        self.asked: list[tuple[Any, Callable[[], str]]] = []
        self.drawers: dict[tuple[int, int], Drawer] = {}

    @initialize()
    def begin(self) -> None:
        self.loop.run_until_complete(self._begin())

    async def _begin(self) -> None:
        self.world.begin()
        await self.world.do(KeepTariff(TARIFF))  # The service does, before it opens anything.
        day = Budget(name="day", per="366d", limit=LIMIT)
        self.spenders = [await self.world.spender(MONEY[i], day) for i in PAYERS]
        self.shops = [await self.world.account() for _ in PAYEES]
        self.accounts = [s.account for s in self.spenders] + self.shops
        for payer in PAYERS:
            for payee in PAYEES:
                drawer = Drawer(self.world, self.spenders[payer], self.accounts[payee])
                self.drawers[payer, payee] = drawer

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
        self._ask(unit, lambda: self.model.open(ident, payer, payee, amount, lifetime, grace))
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

    @rule(n=st.integers(0, 3), to=st.sampled_from(["frozen", "open", "open"]))
    def freeze(self, n: int, to: str) -> None:
        def expected() -> str:
            (self.model.frozen.add if to == "frozen" else self.model.frozen.discard)(n)
            return to

        unit = SetAccountState(self.accounts[n], None, to, self.world.fresh())
        self._ask(unit, expected)

    @rule(payer=st.sampled_from([*PAYERS, None, None, None]))
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
            what = pick("oottddddddddddddeccsssffww") if self.model.sessions else "o"
            match what:
                case "o":
                    self.open(pick(PAYERS), pick(PAYEES), pick([5, 20, 40]), pick([600, 4000]),
                              pick([0, 30, 3600]))  # fmt: skip
                case "t":
                    self.top_up(n, pick([3, 10, 30]), n == 0)
                case "d":
                    _, s = self._one(n)
                    most = sum(s.deposits)
                    units = pick(
                        [s.promised + 1, s.promised, most, most + 1, chance.randint(1, 60)]
                    )
                    self.draw(n, max(units, 1), pick([True, False]), pick([100, 10_000, 10_000]))
                case "e":
                    self.end(n)
                case "c":
                    _, s = self._one(n)
                    units = pick([None, None, s.promised, s.promised + 1, s.promised // 2])
                    self.close(n, units, pick([True, False, False]))
                case "s":
                    self.settle(n, chance.randrange(6))
                case "f":
                    self.freeze(chance.randrange(4), pick(["frozen", "open", "open"]))
                case _:
                    self.revoke(pick([*PAYERS, *[None] * 10]))
                    self.wait(pick([1, 29, 61, 601, 3601]))

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
        self.loop.run_until_complete(self._compare())

    async def _compare(self) -> None:
        for i, account in enumerate(self.accounts):
            assert await self.world.available(account) == self.model.available(i)
        for i, spender in enumerate(self.spenders):
            _, used = await self.world.budget(spender.device.mandate, "day")
            assert used == self.model.used(i)
        for ident, s in self.model.sessions.items():
            kept: Session = await self.world.record(SESSIONS, ident)
            assert (kept.units, kept.deposit) == (s.promised, sum(s.deposits))
            assert (kept.state == "closed", kept.captured) == (s.closed, s.took)

    def _read(self, look: Callable[[Any], Any]) -> Any:
        return self.loop.run_until_complete(self.world.database.read(look))

    def teardown(self) -> None:
        try:
            if self.drawers:
                self._commit()
                report = self._read(lambda tx: examine(tx, None, None))
                assert report.text == "ok"
        finally:
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
    if isinstance(said, Payment):
        return said.state.value
    if isinstance(said, Session):
        drew = hasattr(unit, "promise")
        return "yes" if drew else said.state.value
    return "revoked" if hasattr(said, "budgets") else said.state
