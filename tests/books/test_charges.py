"""The usual charge is decided in one go, and leaves what its plan would have left."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from farthing.books.memory import LiveView
from farthing.books.sql import SqlBooks
from farthing.core.accounts import SetAccountState
from farthing.core.devices import RevokeDevice, RotateKey
from farthing.core.mandates import Budget, RevokeMandate
from farthing.core.paying import Authorise
from farthing.errors import FarthingError
from farthing.keys import Ed25519Signer
from farthing.testing.worlds import HandClock, World
from tests.conftest import SIGNER
from tests.effort import EFFORT
from tests.machines.engines import on_postgres, on_sqlite

ORDERS = 400
TABLES = (
    "accounts", "account_records", "transfers", "pendings", "failed_transfers", "leaves", "commits",
    "payments", "asks", "events", "mandates", "devices",
)  # fmt: skip


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
    writer = stack.enter_context(ThreadPoolExecutor(1))
    world = World(SqlBooks(database, lambda: SIGNER, clock, writer), database, clock)
    world.begin()
    return world


@dataclass(frozen=True)
class Planned:
    """A unit whose plan alone decides, for the books do not know it for a charge."""

    unit: Authorise

    @property
    def reads(self):
        return self.unit.reads

    @property
    def accounts(self):
        return self.unit.accounts

    def plan(self, view):
        return self.unit.plan(view)


@dataclass(frozen=True)
class Watched(Authorise):
    """A charge that tells when its plan is asked."""

    asked: Any = None

    def plan(self, view):
        if isinstance(view, LiveView):  # Looking ahead is no decision.
            self.asked.append(self.name)
        return super().plan(view)


def planned(unit, _asked):
    return Planned(unit) if isinstance(unit, Authorise) else unit


def watched(unit, asked):
    if not isinstance(unit, Authorise):
        return unit
    fields = {f: getattr(unit, f) for f in Authorise.__dataclass_fields__ if f != "name"}
    return Watched(**fields, asked=asked)


class Town:
    """Sellers and devices of every kind, and something random that happens."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.asked: list[str] = []
        self.orders: list[tuple[Any, Any]] = []

    async def settle(self) -> None:
        world = self.world
        day = Budget(name="day", per="day", limit=900)
        self.payees = [await world.account() for _ in range(3)]
        self.terms: list[tuple[list[Budget], dict[str, Any]]] = [
            ([], {}),
            ([day, Budget(name="quick", per="90s", limit=90)], {}),
            ([day, Budget(name="month", per="month", limit=5000)], {}),
            ([day], {"largest": 30}),
            ([day], {"ask_above": 25}),
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
        self.signers = {s.device.id: s for s in self.spenders}

    def order(self) -> Any:
        pick = self.random
        spender = pick.choice(self.spenders)
        if self.orders and pick.random() < 0.1:
            return pick.choice(self.orders)  # Sent again.
        payee = pick.choice([*self.payees, *([spender.account] if pick.random() < 0.05 else [])])
        members: dict[str, Any] = {}
        odd = pick.random()
        if odd < 0.03:
            members["expires"] = self.world.clock.now - pick.choice([0, 1, 50])
        elif odd < 0.05:
            members["hub"] = "another"
        elif odd < 0.07:
            members["asset"] = "EUR"
        elif odd < 0.09 and self.orders:
            members["nonce"] = pick.choice(self.orders)[1].order.nonce
        elif odd < 0.11:
            members["resource"] = pick.choice(["GET /x", "TOPUP nothing"])
        elif odd < 0.13:
            members["challenge"] = "a challenge"
        amount = pick.choice([0, 1, 2, 5, 10, 10, 26, 31, 80])
        made = spender, self.world.order(spender, payee, amount, **members)
        self.orders.append(made)
        return made

    def unit(self) -> Any:
        pick, world = self.random, self.world
        chance = pick.random()
        spender = pick.choice(self.spenders)
        if chance < 0.02:
            return RevokeDevice(spender.device.id, None)
        if chance < 0.025:
            return RevokeMandate(spender.device.mandate, None)
        if chance < 0.04:
            account = pick.choice([*self.payees, spender.account])
            return SetAccountState(
                account, None, pick.choice(["open", "open", "frozen"]), world.fresh()
            )
        if chance < 0.05:
            fresh = Ed25519Signer(pick.randbytes(32))
            key = spender.device.keys[0].public
            return RotateKey(spender.device.id, key, fresh.public, pick.choice([0, 100]))
        if chance < 0.08:
            budgets = [Budget(name="day", per="day", limit=pick.choice([50, 900]))]
            ident = spender.device.mandate
            owner = spender.device.owner
            return world.set_mandate(owner, *budgets, ident=ident)
        who, signed = self.order()
        hold = pick.choice([0, 0, 0, 0, 0, 60])
        unit = world.authorise(who, signed, hold=hold, category=pick.choice(["", "energy"]))
        changed = pick.random()
        if changed < 0.03:
            return altered(unit, only_recorded=True)
        if changed < 0.06:
            return altered(unit, key=Ed25519Signer(pick.randbytes(32)).public)
        return altered(unit, serves=pick.random() < 0.5, claim=pick.choice(["-", "", "me"]))

    async def happen(self, how: Any) -> list[Any]:
        pick = self.random
        self.world.clock.move(pick.choice([0, 0, 0.5, 1, 30, 95, 900]))
        units = [how(self.unit(), self.asked) for _ in range(pick.choice([1, 2, 7, 20]))]
        answers = [said(done) for done in await self.world.do_all(units)]
        if pick.random() < 0.3:
            await self.replace(pick.randrange(len(self.spenders)))
        return answers

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
    fields = {f: getattr(unit, f) for f in Authorise.__dataclass_fields__ if f != "name"}
    return Authorise(**fields | changes)


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
    captured = {row[0] for row in (await one.everything())["payments"] if "captured" in row}
    # Charges went through in one go, and by their plan.
    assert min(len(captured - set(one.asked)), len(captured & set(one.asked))) > ORDERS / 20
