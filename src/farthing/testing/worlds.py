"""A small world to pay in: owners, accounts, devices with mandates, and orders they sign.

Everything goes through the books as it does in a running hub; only the clock is our own, and
stands still until it is moved.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from farthing import ids
from farthing.books.base import Books, Done
from farthing.books.rows import fetch_accounts
from farthing.clock import NS
from farthing.core.accounts import (
    ACCOUNTS,
    ASSETS,
    AccountRecord,
    AssetRecord,
    Credit,
    OpenAccount,
)
from farthing.core.cancelling import Cancel
from farthing.core.decisions import Outcome, Unit, View
from farthing.core.devices import DEVICES, Device, DeviceKey
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.fees import FeeTerms
from farthing.core.ledger import Account
from farthing.core.mandates import (
    MANDATES,
    Budget,
    BudgetLine,
    Mandate,
    RevokeMandate,
    SetMandate,
    budget_line,
)
from farthing.core.orders import Order, SignedOrder
from farthing.core.owners import CreateOwner
from farthing.core.paying import Authorise
from farthing.core.payments import PAYMENTS, Payment
from farthing.core.periods import ZoneChange
from farthing.core.records import Read, Write
from farthing.errors import FarthingError, ensure
from farthing.keys import Ed25519Signer
from farthing.store.database import Database
from farthing.store.queries import one

T = TypeVar("T")

START_NS = 1_800_000_000 * NS
HUB = "testhub".ljust(32, "a")
USD = AssetRecord("USD", 6, 1)


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        """Read it."""
        return self.now_ns

    @property
    def now(self) -> int:
        """Read it in whole seconds."""
        return self.now_ns // NS

    def move(self, seconds: float) -> None:
        """Move it forward."""
        self.now_ns += round(seconds * NS)


@dataclass(frozen=True, slots=True)
class Spender:
    """A device with its private key."""

    device: Device
    signer: Ed25519Signer

    @property
    def account(self) -> str:
        """The account it pays from."""
        return self.device.account


class World:
    """What tests and load generators build and pay with."""

    def __init__(self, books: Books, database: Database, clock: HandClock, seed: int = 0) -> None:
        self.books, self.database, self.clock = books, database, clock
        self.fees: dict[str, FeeTerms] = {}
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def begin(self) -> None:
        """Let the books count dollars."""
        self.database.transact(lambda tx: tx.put(ASSETS, [USD]))

    def fresh(self) -> int:
        """Make a new 128-bit id."""
        return ids.fresh(self.clock.now_ns // 1_000_000, self.random.getrandbits)

    async def do(self, unit: Unit[T]) -> T:
        """Commit one unit and give its answer."""
        return (await self.books.commit_one(unit)).answer

    async def do_all(self, units: list[Any]) -> list[Done[Any] | FarthingError]:
        """Commit units in one call."""
        return await self.books.commit(units)

    async def owner(self, zone: str = "UTC") -> str:
        """Make an owner, and give the id."""
        return (await self.do(CreateOwner(ids.name("own", self.fresh()), "somebody", zone))).id

    async def account(self, owner: str | None = None, units: int = 0) -> str:
        """Open an account, put money in, and give its id."""
        owner = owner or await self.owner()
        ident = ids.name("acc", self.fresh())
        record = await self.do(OpenAccount(ident, owner, "USD", "purse"))
        if units:
            await self.credit(record.id, units)
        return record.id

    async def credit(self, account: str, units: int) -> AccountRecord:
        """Put test money into an account."""
        return await self.do(Credit(self.fresh(), account, "USD", units))

    async def mandate(self, owner: str, *budgets: Budget, **terms: Any) -> Mandate:
        """Set a new mandate."""
        return await self.do(self.set_mandate(owner, *budgets, **terms))

    def set_mandate(
        self, owner: str, *budgets: Budget, ident: str = "", zone: str = "UTC", **terms: Any
    ) -> SetMandate:
        """Make the unit that sets a mandate: a new one, or the one with this id."""
        wanted = Mandate(
            id=ident or ids.name("man", self.fresh()),
            owner=owner,
            asset="USD",
            name="spending",
            budgets=list(budgets),
            zones=[ZoneChange(0, zone)],
            **terms,
        )
        return SetMandate(wanted, owner, self.fresh(), creates=not ident)

    async def device(self, account: str, mandate: str) -> Spender:
        """Enrol a device with a new key, in the record as enrolment leaves it."""
        signer = Ed25519Signer(self.random.randbytes(32))
        record = await self.record(ACCOUNTS, account)
        device = Device(
            ids.name("dev", self.fresh()),
            record.owner,
            account,
            mandate,
            "machine",
            [DeviceKey(signer.public, self.clock.now_ns)],
            self.clock.now_ns,
            0,
        )
        await self.do(Put(device))
        return Spender(device, signer)

    async def spender(self, units: int, *budgets: Budget, **terms: Any) -> Spender:
        """Make an owner with a funded account, a mandate and a device, all at once."""
        owner = await self.owner()
        account = await self.account(owner, units)
        mandate = await self.mandate(owner, *budgets, **terms)
        return await self.device(account, mandate.id)

    def order(self, spender: Spender, payee: str, amount: int, **members: Any) -> SignedOrder:
        """Sign an order with a nonce of its own."""
        terms: dict[str, Any] = {
            "hub": HUB,
            "asset": "USD",
            "nonce": ids.encode(self.fresh()),
            "expires": self.clock.now + 300,
        }
        order = Order(device=spender.device.id, payee=payee, amount=amount, **(terms | members))
        return SignedOrder(order, spender.signer.sign(order.signed_bytes()))

    def pay(
        self,
        spender: Spender,
        payee: str,
        amount: int,
        *,
        hold: int = 0,
        category: str = "",
        offer: str = "",
        place: str = "",
        **members: Any,
    ) -> Authorise:
        """Make the unit of a payment: a charge at once, or a hold of that many seconds."""
        signed = self.order(spender, payee, amount, **members)
        terms = {"category": category, "offer": offer, "place": place}
        return self.authorise(spender, signed, hold=hold, **terms)

    def authorise(
        self,
        spender: Spender,
        signed: SignedOrder,
        *,
        hold: int = 0,
        category: str = "",
        offer: str = "",
        place: str = "",
    ) -> Authorise:
        """Make the unit of an order that was signed before."""
        return Authorise(
            signed,
            spender.signer.public,
            spender.device,
            HUB,
            hold,
            hold == 0,
            category,
            fees=self.fees or None,
            offer=offer,
            place=place,
        )

    def cancel(self, spender: Spender, signed: SignedOrder) -> Cancel:
        """Make the unit that cancels an order."""
        return Cancel(self.authorise(spender, signed))

    def revoke(self, mandate: str) -> RevokeMandate:
        """Make the unit that ends a mandate."""
        return RevokeMandate(mandate, None)

    async def record(self, table: Any, key: Any) -> Any:
        """Read a record that must exist."""
        found: Any = await self.database.read(lambda tx: one(tx, table, key))
        ensure(found is not None, f"{table.name} has {key}")
        return found

    async def payment(self, ident: str) -> Payment:
        """Read a payment."""
        return await self.record(PAYMENTS, ident)

    async def ledger_account(self, ident: int | str) -> Account | None:
        """Read an account's counters."""
        number = ident if isinstance(ident, int) else ids.number("acc", ident)
        return await self.database.read(lambda tx: fetch_accounts(tx, [number]).get(number))

    async def available(self, account: str) -> int:
        """Tell what an account may still spend."""
        return _available(await self.ledger_account(account))

    async def budget(self, mandate: str, name: str) -> tuple[int, int]:
        """Tell what a budget has left in this period, and what was spent or is held."""
        terms: Mandate = await self.record(MANDATES, mandate)
        [line] = [self.line(terms, b) for b in terms.budgets if b.name == name]
        spent = await self.ledger_account(line.spent)
        used = spent.credits_posted + spent.credits_pending if spent is not None else 0
        return _available(await self.ledger_account(line.available)), used

    def line(self, mandate: Mandate, budget: Budget) -> BudgetLine:
        """Give the accounts of a budget in the period that is now."""
        return budget_line(mandate, budget, USD.ledger, self.clock.now)


@dataclass(frozen=True, slots=True)
class Put:
    """State a device's record as its enrolment does, without a code."""

    device: Device
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Device]:
        """Write it."""
        device = self.device
        key = body_of(key=device.keys[0].public)
        fact = Fact(device.owner, Kind.DEVICE_ENROLLED, device.id, key)
        return state_change(view, device, [fact], [Write(DEVICES, device)])


def _available(account: Account | None) -> int:
    if account is None:
        return 0
    return account.credits_posted - account.debits_posted - account.debits_pending
