"""What is usual is decided in one go, and leaves what its plan would have left."""

import random
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from farthing import ids
from farthing.books.memory import LiveView
from farthing.books.sql import SqlBooks
from farthing.core.accounts import ACCOUNTS, SetAccountState
from farthing.core.devices import RevokeDevice, RotateKey
from farthing.core.fees import FeeTerms
from farthing.core.mandates import Budget, RevokeMandate
from farthing.core.offers import OfferRecord, SetOffer
from farthing.core.paying import Authorise
from farthing.core.settling import Capture, Void
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer
from farthing.testing.worlds import HandClock, World
from farthing.threads import Threads
from tests.conftest import SIGNER
from tests.effort import EFFORT
from tests.machines.engines import on_postgres, on_sqlite

ORDERS = 1000
DAY = Budget(name="day", per="day", limit=70)
TABLES = (
    "accounts", "account_records", "transfers", "pendings", "failed_transfers", "leaves", "commits",
    "payments", "asks", "events", "mandates", "devices",
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request) -> str:
    """Both ways are the writer's, wherever it runs."""
    return request.param


@pytest.fixture
def two_worlds(engine, request, readers):
    """Two worlds alike, each with books and a clock of its own."""
    with ExitStack() as stack:
        if engine == "sqlite":
            fresh = on_sqlite(readers)
        else:
            fresh = on_postgres(request.getfixturevalue("postgres_server"), readers)
        worlds = [_world(stack, *fresh()) for _ in range(2)]
        yield worlds


def _world(stack, database, close):
    stack.callback(close)
    clock = HandClock()
    writer = stack.enter_context(Threads(1))
    world = World(SqlBooks(database, lambda: SIGNER, clock, writer), database, clock)
    world.begin()
    return world


@dataclass(frozen=True)
class Planned:
    """A unit whose plan alone decides, for the books do not know it for what it is."""

    unit: Authorise | Capture

    @property
    def reads(self):
        return self.unit.reads

    @property
    def accounts(self):
        return self.unit.accounts

    def plan(self, view):
        return self.unit.plan(view)


class Watched(Authorise, frozen=True):
    """An order that tells when its plan is asked."""

    asked: Any = None

    def plan(self, view):
        if isinstance(view, LiveView):  # Looking ahead is no decision.
            self.asked.add(called(self))
        return super().plan(view)


@dataclass(frozen=True)
class WatchedCapture(Capture):
    """A capture that tells when its plan is asked."""

    asked: Any = None

    def plan(self, view):
        if isinstance(view, LiveView):
            self.asked.add(called(self))
        return Capture(self.payment, self.owner, self.units).plan(view)


def called(unit):
    """Name a unit by what it is and its payment."""
    if isinstance(unit, Capture):
        return "capture", unit.payment
    return "charge" if unit.capture else "hold", unit.name


def planned(unit, _asked):
    return Planned(unit) if isinstance(unit, Authorise | Capture) else unit


def watched(unit, asked):
    if isinstance(unit, Capture):
        return WatchedCapture(unit.payment, unit.owner, unit.units, asked)
    if not isinstance(unit, Authorise):
        return unit
    fields = {f: getattr(unit, f) for f in Authorise.__struct_fields__ if f != "name"}
    return Watched(**fields, asked=asked)


class Town:
    """Sellers and devices of every kind, and something random that happens."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.bits = self.random.getrandbits
        self.asked: set[tuple[str, str]] = set()
        self.at_once: set[tuple[str, str]] = set()
        self.holds: list[Authorise] = []
        self.orders: list[tuple[Any, Any]] = []

    async def settle(self) -> None:
        world = self.world
        day = Budget(name="day", per="day", limit=900)
        self.payees = [await world.account() for _ in range(3)]
        found = [await world.record(ACCOUNTS, payee) for payee in self.payees]
        self.owners = [record.owner for record in found]
        self.terms: list[tuple[list[Budget], dict[str, Any]]] = [
            ([], {}),
            ([day, Budget(name="quick", per="90s", limit=90)], {}),
            ([day, Budget(name="month", per="month", limit=5000)], {}),
            ([day], {"largest": 30}),
            ([day], {"ask_above": 25}),
            ([day], {"two_above": 25}),
            ([day], {"payees": self.payees[:2]}),
            ([day], {"categories": ["energy"]}),
            ([Budget(name="some", per="day", limit=60, payees=self.payees[:1])], {}),
            ([day], {"hours": ["08:02-08:20", "09:05-23:00"]}),
            ([day], {"expires": world.clock.now + 100}),
            ([Budget(name="berlin", per="day", limit=200)], {"zone": "Europe/Berlin"}),
        ]
        self.spenders = [
            await world.spender(5000, *budgets, **more) for budgets, more in self.terms
        ]
        self.spenders.append(await world.spender(70, day))
        self.till = await world.account()
        terms = FeeTerms(of="hub", account=self.till, ppm=50_000, flat=1)
        self.fees = {"USD": terms}
        self.offer = ids.name("off", world.fresh())
        await world.do(SetOffer(self._record(terms), None, creates=True))

    def _record(self, terms: FeeTerms) -> OfferRecord:
        return OfferRecord(
            id=self.offer,
            owner="",
            payee=self.payees[0],
            method="GET",
            path="/a",
            asset="USD",
            amount=1,
            fee=msgspec.structs.replace(terms, of=self.offer),
        )

    def order(self) -> Any:
        pick = self.random
        spender = pick.choice(self.spenders)
        if self.orders and pick.random() < 0.2:
            return pick.choice(self.orders[-30:])  # Sent again.
        payee = pick.choice([*self.payees, *([spender.account] if pick.random() < 0.05 else [])])
        odd: list[dict[str, Any]] = [
            {"expires": self.world.clock.now - pick.choice([0, 1, 50, -5000])},
            {"hub": "another"},
            {"asset": "EUR"},
            {"nonce": pick.choice(self.orders)[1].order.nonce if self.orders else "0" * 26},
            {"resource": pick.choice(["GET /x", "TOPUP nothing"])},
            {"challenge": "a challenge"},
            {"nonce": self.nonce(pick.choice([-4_000_000, 90_000]))},
        ]
        members = pick.choice(odd) if pick.random() < 0.2 else {}
        amount = pick.choice([0, 1, 2, 5, 10, 10, 26, 31, 80])
        made = spender, self.world.order(spender, payee, amount, **members)
        self.orders.append(made)
        return made

    def nonce(self, off_ms: int) -> str:
        """Make a nonce by a clock that is so much off."""
        return ids.encode(ids.fresh(self.world.clock.now_ns // 1_000_000 + off_ms, self.bits))

    def unit(self) -> Any:
        chance = self.random.random()
        if chance < 0.08:
            return self.change()
        return self.end() if chance < 0.35 and self.holds else self.charge()

    def end(self) -> Any:
        """Capture what was held lately, mostly all of it; or release it."""
        pick = self.random
        held = pick.choice(self.holds[-4:])
        amount = held.signed.order.amount
        if pick.random() < 0.1:
            return Void(held.name, None, "not wanted")
        part = pick.choice([0, 1, amount - 1, amount + 1])
        units = pick.choice([None, None, None, amount, amount, part])
        payee = held.signed.order.payee
        owner = dict(zip(self.payees, self.owners, strict=True)).get(payee)
        owner = pick.choice([None, owner, owner, pick.choice(self.owners)])
        return Capture(held.name, owner, units)

    def change(self) -> Any:
        """Change what a device may do, or an account."""
        pick, world = self.random, self.world
        spender = pick.choice(self.spenders)
        device, mandate = spender.device, spender.device.mandate
        chance = pick.random()
        if chance < 0.2:
            return RevokeDevice(device.id, None)
        if chance < 0.3:
            return RevokeMandate(mandate, None)
        if chance < 0.5:
            account = pick.choice([self.payees[2], spender.account])
            to = pick.choice(["open", "open", "frozen"])
            return SetAccountState(account, None, to, world.fresh())
        if chance < 0.6:
            fresh = Ed25519Signer(pick.randbytes(32))
            key = device.keys[0].public
            return RotateKey(device.id, key, fresh.public, pick.choice([0, 100]))
        budgets = [Budget(name="day", per="day", limit=pick.choice([50, 900]))]
        zone = pick.choice(["UTC", "UTC", "Asia/Tokyo"])
        return world.set_mandate(device.owner, *budgets, ident=mandate, zone=zone)

    def charge(self) -> Authorise:
        """Charge or hold, mostly plainly."""
        unit = self.plain_or_odd()
        if not unit.capture and self.random.random() < 0.2:
            self.holds.append(unit)  # Ended in its own commit, perhaps, or never held.
        return unit

    def plain_or_odd(self) -> Authorise:
        pick = self.random
        who, signed = self.order()
        hold = pick.choice([0, 0, 0, 1, 60, 60, 5000])
        unit = self.world.authorise(who, signed, hold=hold, category=pick.choice(["", "energy"]))
        odd: list[dict[str, Any]] = [
            {"only_recorded": True},
            {"key": Ed25519Signer(pick.randbytes(32)).public},
            {"fees": self.fees},
            {"offer": self.offer},
            {"deposit": True},
            {"capture": False, "hold_seconds": 0},
            {"capture": False, "hold_seconds": 2**32},
        ]
        if pick.random() < 0.2:
            return altered(unit, **pick.choice(odd))
        return altered(unit, serves=pick.random() < 0.5, claim=pick.choice(["-", "", "me"]))

    async def happen(self, how: Any) -> list[Any]:
        pick = self.random
        self.world.clock.move(pick.choice([0, 0, 0.5, 1, 30, 95, 900]))
        units = [self.unit() for _ in range(pick.choice([1, 2, 7, 20]))]
        done = await self.world.do_all([how(unit, self.asked) for unit in units])
        self.note([unit for unit, its in zip(units, done, strict=True) if moved(unit, its)])
        answers = [said(its) for its in done]
        if pick.random() < 0.3:
            await self.replace(pick.randrange(len(self.spenders)))
        return answers

    def note(self, units: list[Any]) -> None:
        self.at_once |= {called(unit) for unit in units} - self.asked
        self.holds += [u for u in units if isinstance(u, Authorise) and not u.capture]

    async def replace(self, place: int) -> None:
        budgets, more = self.terms[place % len(self.terms)]
        if "expires" in more:
            more = {"expires": self.world.clock.now + 100}
        self.spenders[place] = await self.world.spender(5000, *budgets, **more)

    async def everything(self) -> dict[str, list[Any]]:
        def look(tx):
            return {name: sorted(tx.rows(f"SELECT * FROM {name}")) for name in TABLES}

        return await self.world.database.read(look)


def altered(unit: Authorise, **changes: Any) -> Authorise:
    fields = {f: getattr(unit, f) for f in Authorise.__struct_fields__ if f != "name"}
    return Authorise(**fields | changes)


def moved(unit: Any, done: Any) -> bool:
    """Tell whether this was a charge, a hold or a capture that went through."""
    if isinstance(done, FarthingError) or not isinstance(unit, Authorise | Capture):
        return False
    payment = done.answer if isinstance(unit, Capture) else done.answer.payment
    return payment.state in ("held", "captured")


def said(done):
    if isinstance(done, FarthingError):
        return type(done).__name__, done.code, done.detail
    return msgspec.to_builtins(done.proof), done.answer


@pytest.mark.parametrize("seed", range(2 * EFFORT))
async def test_both_ways_leave_the_same_books(seed, two_worlds):
    one, other = (Town(world, seed) for world in two_worlds)
    await one.settle()
    await other.settle()
    while len(one.orders) < ORDERS:
        assert await one.happen(watched) == await other.happen(planned)
    assert await one.everything() == await other.everything()
    for kind in ("charge", "hold", "capture"):
        at_once = [name for what, name in one.at_once if what == kind]
        asked = [name for what, name in one.asked if what == kind]
        assert min(len(at_once), len(asked)) > ORDERS / 60


async def test_what_was_refused_stays_refused_when_it_comes_again(world):
    spender, payee = await world.spender(1000, DAY, largest=20), await world.account()
    await world.do(world.pay(spender, payee, 1))
    unit = world.pay(spender, payee, 21)  # Refused by a rule: the ledger never hears of it.
    again = world.pay(spender, payee, 22)
    more = Budget(name="day", per="day", limit=900)
    owner, mandate = spender.device.owner, spender.device.mandate
    grant = world.set_mandate(owner, more, ident=mandate)
    in_one = await world.do_all([unit, again, grant, unit, world.pay(spender, payee, 1)])
    states = [done.answer.payment.state for place, done in enumerate(in_one) if place != 2]
    assert states == ["refused", "refused", "refused", "captured"]
    assert (await world.do(again)).payment.state == "refused"
    assert await world.available(payee) == 2


async def test_what_comes_back_after_a_limit_was_lowered_is_not_spent(world):
    spender, payee = await world.spender(1000, DAY), await world.account()
    held = await world.do(world.pay(spender, payee, 50, hold=60))
    owner, mandate = spender.device.owner, spender.device.mandate
    lower = Budget(name="day", per="day", limit=40)
    await world.do(world.set_mandate(owner, lower, ident=mandate))
    await world.do(Void(held.payment.id, None, "not wanted"))
    assert (await world.do(world.pay(spender, payee, 45))).payment.state == "refused"
    assert (await world.do(world.pay(spender, payee, 40))).payment.state == "captured"
