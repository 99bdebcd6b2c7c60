"""The machine: any order of payments and their owners' doings, in batches of any size.

What is asked is gathered and committed together; the model is asked one after the other.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from farthing import ids
from farthing.core.accounts import AccountRecord, Credit, SetAccountState
from farthing.core.answers import AnswerAsk
from farthing.core.cancelling import Cancel
from farthing.core.fees import FeeTerms, read_fees
from farthing.core.mandates import Budget, Mandate
from farthing.core.offers import OfferRecord, SetOffer
from farthing.core.orders import payment_id
from farthing.core.payments import PAYMENTS, Authorised, Payment
from farthing.core.people import Person, RemovePerson
from farthing.core.refunds import GiveBack, Refunded
from farthing.core.said import OPERATOR, By, read_said
from farthing.core.settling import Capture, Expire, Void
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer
from farthing.services.audit import examine
from farthing.store.database import Tx
from farthing.store.queries import asks_over, holds_over
from farthing.testing.worlds import START_NS, HandClock, Spender, World
from farthing.threads import Threads
from tests.books.auditor import check_history
from tests.books.persons import answerer
from tests.machines.fees_model import TAKEN_BY, TERMS, Levy
from tests.machines.looking import available, used
from tests.machines.payments_model import (
    ASK_ABOVE,
    ASK_SECONDS,
    LARGEST,
    TWO_ABOVE,
    Model,
    Paid,
    Terms,
)
from tests.own_writers import books_on

SIGNER = Ed25519Signer(bytes(32))
SPENDERS, SELLERS, TAKERS = 2, 2, 2
PEOPLE = 3
"""Who answers for each spender's owner; whoever is one more is the operator."""

BATCH = 5

which = st.integers(0, 5)
parts = st.one_of(st.none(), st.none(), st.integers(0, 12))
settlings = st.sampled_from(
    [
        "capture",
        "capture",
        "void",
        "refund",
        "refund",
        "approve",
        "approve",
        "approve",
        "deny",
        "lapse",
    ]
)
FITTING = {
    "capture": "held",
    "void": "held",
    "refund": "captured",
    "approve": "awaiting",
    "deny": "awaiting",
    "lapse": "awaiting",
}
doings = st.sampled_from(
    ["credit", "limits", "limits", "limits", "frozen", "open", "open", "open", "open", "revoke"]
)
limits = st.sampled_from([5, 12, 25, 40, 60, 100])
LONELY = 100
"""With this limit a day, one person is enough."""

people = st.integers(0, PEOPLE)
levies = st.sampled_from(TERMS)
takers = st.sampled_from(TAKEN_BY)
hub_fees = st.one_of(st.none(), st.tuples(takers, levies))
waits = st.sampled_from([1, 4, 6, 61, 600, 1000, 3600, 7200, 86400])


def budgets(day: int, tea: int) -> list[Budget]:
    return [
        Budget(name="day", per="day", limit=day),
        Budget(name="tea", per="1h", limit=tea, categories=["tea"]),
    ]


class PaymentsMachine(RuleBasedStateMachine):
    """Whatever is asked in whatever order, answers, balances and budgets are the model's."""

    def open_database(self) -> Any:
        raise NotImplementedError

    def close_database(self) -> None:
        self.world.database.close()

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.writer = Threads(1)
        database = self.open_database()
        books = books_on(database, SIGNER, self.clock, self.writer)
        self.loop = asyncio.new_event_loop()
        self.world = World(books, database, self.clock)
        self.model = Model(self.clock.now)
        self.spenders: list[Spender] = []
        self.people: list[list[By]] = []
        self.accounts: list[str] = []
        self.asked: list[tuple[Any, Callable[[], tuple[str, str]]]] = []
        self.sent: list[tuple[Any, Paid]] = []

    @initialize(silent=st.booleans(), of_hub=hub_fees, of_offer=st.one_of(st.none(), levies))
    def begin(self, silent: bool, of_hub: Any, of_offer: Any) -> None:
        self.loop.run_until_complete(self._begin(silent))
        self.loop.run_until_complete(self._levy(of_hub, of_offer))

    async def _begin(self, silent: bool) -> None:
        world = self.world
        world.begin()
        for i in range(SPENDERS):
            spender = await world.spender(
                80,
                *budgets(60, 20),
                largest=LARGEST,
                ask_above=ASK_ABOVE,
                two_above=TWO_ABOVE,
                ask_seconds=ASK_SECONDS,
                on_timeout="allow" if silent and i else "refuse",
            )
            self.spenders.append(spender)
            self.people.append([await answerer(world, spender) for _ in range(PEOPLE)])
            self.model.terms.append(Terms(60, 20, bool(silent and i)))
        self.accounts = [s.account for s in self.spenders]
        self.accounts += [await world.account() for _ in range(SELLERS + TAKERS)]
        self.model.credits = {a: 80 if i < SPENDERS else 0 for i, a in enumerate(self.accounts)}

    async def _levy(self, of_hub: Any, of_offer: Any) -> None:
        """Let the hub take a fee, and the second seller give one of what it sells by its offer."""
        self.levies: list[Levy] = []
        self.offer, self.offered = "", []
        if of_hub is not None:
            account = self.accounts[of_hub[0]]
            self.world.fees = {"USD": FeeTerms(of="hub", account=account, **of_hub[1])}
            self.levies = [Levy(account, **of_hub[1])]
        if of_offer is not None:
            self.offer, account = ids.name("off", self.world.fresh()), self.accounts[5]
            record = OfferRecord(
                id=self.offer,
                owner="",
                payee=self.accounts[3],
                method="GET",
                path="/tea",
                asset="USD",
                amount=1,
                fee=FeeTerms(of=self.offer, account=account, **of_offer),
            )
            await self.world.do(SetOffer(record, None, creates=True))
            self.offered = [Levy(account, **of_offer)]

    def _fees(self, payee: int) -> list[Levy]:
        levies = self.levies + (self.offered if payee == 3 else [])
        return [levy.fresh() for levy in levies if levy.account != self.accounts[payee]]

    @rule(
        spender=st.integers(0, SPENDERS - 1),
        payee=st.sampled_from([2, 3, 2, 3, 2, 3, 0, 1]),
        amount=st.one_of(st.integers(1, 12), st.sampled_from([15, 16, 16, 20, 20, 31])),
        hold=st.sampled_from([0, 5, 60, 60, 4000]),
        category=st.sampled_from(["", "tea"]),
    )
    def pay(self, spender: int, payee: int, amount: int, hold: int, category: str) -> None:
        who, to = self.spenders[spender], self.accounts[payee]
        offer = self.offer if payee == 3 else ""
        unit = self.world.pay(who, to, amount, hold=hold, category=category, offer=offer)
        ident = ids.name("pay", payment_id(unit.signed.order))
        wish = Paid(ident, spender, who.account, to, amount, category, hold)
        wish.fees = self._fees(payee)
        self.sent.append((unit, wish))
        self._ask(unit, lambda: self.model.pay(wish))

    @rule(n=which)
    def pay_again(self, n: int) -> None:
        if self.sent:
            unit, wish = self.sent[-1 - n % len(self.sent)]
            # A day later an order that never became a payment would be too old to judge.
            if unit.signed.order.expires > self.clock.now or self.model.knows(wish.ident):
                self._ask(unit, lambda: self.model.pay(wish))

    @rule(
        spender=st.integers(0, SPENDERS - 1),
        payee=st.sampled_from([2, 3, 2, 3, 0]),
        amount=st.sampled_from([3, 12, 16, 20]),
    )
    def cancel(self, spender: int, payee: int, amount: int) -> None:
        """Cancel an order that the hub has not seen; it may be sent later."""
        who, to = self.spenders[spender], self.accounts[payee]
        offer = self.offer if payee == 3 else ""
        unit = self.world.pay(who, to, amount, hold=60, offer=offer)
        ident = ids.name("pay", payment_id(unit.signed.order))
        wish = Paid(ident, spender, who.account, to, amount, "", 60)
        wish.fees = self._fees(payee)
        self.sent.append((unit, wish))
        self._ask(Cancel(unit), lambda: self.model.cancel(wish))

    @rule(n=which)
    def cancel_sent(self, n: int) -> None:
        if self.sent:
            unit, wish = self.sent[-1 - n % len(self.sent)]
            # A day later an order that never became a payment would be too old to judge.
            if unit.signed.order.expires > self.clock.now or self.model.knows(wish.ident):
                self._ask(Cancel(unit), lambda: self.model.cancel(wish))

    @rule(n=which, what=settlings, units=parts, who=people)
    def settle(self, n: int, what: str, units: int | None, who: int) -> None:
        ident, model = self._ident(n, FITTING[what]), self.model
        if not ident:
            return
        if what == "capture":
            self._ask(Capture(ident, None, units), lambda: model.capture(ident, units))
        elif what == "void":
            self._ask(Void(ident, None), lambda: model.void(ident))
        elif what == "refund":
            unit = GiveBack(ids.name("ref", self.world.fresh()), ident, None, units, "")
            self._ask(unit, lambda: model.refund(ident, units))
        else:
            answer: Any = what
            by = self._who(ident, who)
            self._ask(AnswerAsk(ident, None, answer, by), lambda: model.answer(ident, what, by.who))

    def _who(self, ident: str, who: int) -> By:
        """Pick one of those who answer for a payment's owner, or the operator."""
        spender = next(wish.spender for _, wish in self.sent if wish.ident == ident)
        return self.people[spender][who] if who < PEOPLE else OPERATOR

    @rule(spender=st.integers(0, SPENDERS - 1), who=st.integers(0, PEOPLE - 1))
    def remove(self, spender: int, who: int) -> None:
        """Let somebody in no more, who may have approved what waits."""
        by = self.people[spender][who].who
        self._ask(RemovePerson(by), lambda: self.model.remove(by))

    @rule(n=st.integers(0, SPENDERS + SELLERS + TAKERS - 1), what=doings, day=limits, tea=limits)
    def owner_does(self, n: int, what: str, day: int, tea: int) -> None:
        account, spender = self.accounts[n], n % SPENDERS
        mandate = self.spenders[spender].device.mandate
        if what == "credit":
            unit: Any = Credit(self.world.fresh(), account, "USD", day)
            self._ask(unit, lambda: self.model.credit(account, day))
        elif what == "limits":
            self._ask(
                self._limits(spender, day, tea),
                lambda: self.model.set_terms(spender, day, tea, day != LONELY),
            )
        elif what == "revoke":
            self._ask(self.world.revoke(mandate), lambda: self.model.revoke(spender))
        else:
            unit = SetAccountState(account, None, what, self.world.fresh())
            self._ask(unit, lambda: self.model.freeze(account, what))

    def _limits(self, spender: int, day: int, tea: int) -> Any:
        device = self.spenders[spender].device
        changed = self.world.set_mandate(
            device.owner,
            *budgets(day, tea),
            ident=device.mandate,
            largest=LARGEST,
            ask_above=ASK_ABOVE,
            two_above=None if day == LONELY else TWO_ABOVE,
            ask_seconds=ASK_SECONDS,
            on_timeout="allow" if self.model.terms[spender].allows_in_silence else "refuse",
        )
        return replace(changed, agreed={})  # Both want it so.

    @rule(seed=st.integers(0, 2**32 - 1))
    def be_busy(self, seed: int) -> None:
        """Do much at a time: what takes several steps to come about then comes about."""
        chance = random.Random(seed)
        for _ in range(20):
            n, units = chance.randrange(6), chance.choice([None, None, 1, 3, 8])
            match chance.choice("ppppppsssssssaoc"):
                case "p":
                    amount, hold = chance.choice([2, 3, 7, 12, 16]), chance.choice([0, 5, 60, 4000])
                    payee, category = chance.choice([2, 3, 2, 0, 1]), chance.choice(["", "tea"])
                    self.pay(chance.randrange(SPENDERS), payee, amount, hold, category)
                case "s":
                    who = chance.choice([0, 0, 1, 1, 2, 3])
                    self.settle(n, chance.choice(sorted(FITTING)), units, who)
                case "a":
                    self.pay_again(n)
                case "c":
                    self.cancel_sent(n)
                case "o":
                    what = chance.choice(["credit", "limits", "limits", "frozen", "open"])
                    who = chance.choice([n, n, 4, 5])
                    self.owner_does(who, what, chance.choice([12, 40, 100]), 12)

    @rule()
    def commit(self) -> None:
        self._commit()

    # One millisecond more than whole seconds, so that no end falls within a commit.
    @rule(seconds=waits)
    def wait(self, seconds: int) -> None:
        self._commit()
        self.clock.move(seconds + 0.001)
        self.model.now = (self.clock.now_ns - START_NS) // 10**9 + START_NS // 10**9
        over = set(self._read(lambda tx: holds_over(tx, self.clock.now_ns)))
        late = set(self._read(lambda tx: asks_over(tx, self.clock.now_ns)))
        assert over == set(self.model.expire())
        assert late == set(self.model.lapsed())
        self.asked = [(Expire(ident), lambda: ("expired", "")) for ident in sorted(over)]
        for ident in sorted(late):
            unit = AnswerAsk(ident, None, "lapse")
            self.asked.append((unit, lambda ident=ident: self.model.answer(ident, "lapse")))
        self._commit()

    def _ident(self, n: int, state: str) -> str:
        """Pick one of the payments in this state, and one time in six any."""
        fitting = [i for i, p in self.model.payments.items() if p.state == state]
        if n == 0 or not fitting:
            fitting = [wish.ident for _, wish in self.sent]
        return fitting[-1 - n % len(fitting)] if fitting else ""

    def _ask(self, unit: Any, expected: Callable[[], tuple[str, str]]) -> None:
        self.asked.append((unit, expected))
        if len(self.asked) == BATCH:
            self._commit()

    def _commit(self) -> None:
        asked, self.asked = self.asked, []
        done = self.loop.run_until_complete(self.do_all([unit for unit, _ in asked]))
        for (unit, expected), answer in zip(asked, done, strict=True):
            assert told(answer) == expected(), unit
        self._compare()

    async def do_all(self, units: list[Any]) -> list[Any]:
        return await self.world.do_all(units)

    def _compare(self) -> None:
        self._read(self._compare_all)

    def _compare_all(self, tx: Tx) -> None:
        model = self.model
        assert available(tx, self.accounts) == [model.available(a) for a in self.accounts]
        mandates = [spender.device.mandate for spender in self.spenders]
        for name in ("day", "tea"):
            period = model.period(name)
            expected = [model.used(i, name, period) for i in range(len(mandates))]
            assert used(tx, self.world, mandates, name) == expected
        found = tx.fetch(PAYMENTS, list(model.payments))
        for ident, p in model.payments.items():
            kept = found[ident]
            assert (kept.state, kept.captured, kept.refunded, kept.reason) == (
                p.state, p.captured, p.refunded, p.reason
            )  # fmt: skip
            told = [(f.units, f.returned, f.waived) for f in read_fees(kept.fees)]
            assert told == [(f.units, f.returned, f.waived) for f in p.fees]
            assert [said.who for said in read_said(kept.answers)] == p.said

    def _read(self, look: Callable[[Any], Any]) -> Any:
        return self.loop.run_until_complete(self.world.database.read(look))

    def teardown(self) -> None:
        try:
            if self.spenders:
                self._commit()
                self._read(check_history)
                report = self._read(lambda tx: examine(tx, None, None))
                assert report.text == "ok"
        finally:
            self.loop.run_until_complete(self.world.books.close())
            self.writer.close()
            self.loop.close()
            self.close_database()


def told(answer: Any) -> tuple[str, str]:
    """Say in two words what the hub answered."""
    if isinstance(answer, FarthingError):
        return "error", answer.code
    said = answer.answer
    if isinstance(said, Authorised):
        return said.payment.state.value, said.payment.reason
    if isinstance(said, Payment):
        return said.state.value, said.reason
    if isinstance(said, Refunded):
        return said.refund.state, ""
    if isinstance(said, AccountRecord):
        return said.state, ""
    assert isinstance(said, Mandate | Person)
    return "set", ""
