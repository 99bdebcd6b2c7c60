"""What the wallet shows, read from the books: balances, payments, devices and what they may."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, AccountRecord
from farthing.core.agreeing import proposed_of
from farthing.core.devices import DEVICES, Device
from farthing.core.ledger import Account
from farthing.core.mandates import MANDATES, Mandate
from farthing.core.owners import OWNERS, OwnerRecord
from farthing.core.payments import PAYMENTS, Payment, State
from farthing.core.people import PEOPLE
from farthing.core.said import read_said
from farthing.services.context import Context
from farthing.store.accounts import account_counters
from farthing.store.database import Tx
from farthing.store.queries import newest_event, page
from farthing.web.pages.lines import Line

ROWS = 30
SALES = 12
ASKS_MAX = 20
_ACCOUNTS_MAX, _DEVICES_MAX = 100, 100


@dataclass(slots=True)
class Balance:
    """What an owner has of one asset. Units: smallest units. Shape: `account` is the oldest."""

    asset: str
    available: int = 0
    held: int = 0
    incoming: int = 0
    account: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A device with its mandate and the account it pays from.

    Shape: `shared` names other devices that the same account pays for: they stop with it; `waits`
           says that somebody wants a change of the mandate that another person agrees to or not.
    """

    device: Device
    mandate: Mandate
    account: AccountRecord
    shared: Sequence[str] = ()
    waits: bool = False

    @property
    def is_frozen(self) -> bool:
        """Whether nothing moves now."""
        return self.account.state == "frozen"


@dataclass(slots=True)
class Wallet:
    """Everything that the first page shows."""

    balances: list[Balance] = field(default_factory=list[Balance])
    asks: list[Line] = field(default_factory=list[Line])
    lines: list[Line] = field(default_factory=list[Line])
    machines: list[Machine] = field(default_factory=list[Machine])


class Book:
    """Reads for one owner: nothing of anybody else's but the name of who was paid."""

    def __init__(self, ctx: Context, owner: str) -> None:
        self._ctx, self._owner = ctx, owner

    async def newest(self) -> int:
        """Give the number of the newest event: whoever listens from there on misses nothing that
        is not in what is read afterwards.
        """
        return await self._ctx.database.read(newest_event)

    async def wallet(self) -> Wallet:
        """Read the first page at one moment."""
        now_ns = self._ctx.clock()
        return await self._ctx.database.read(lambda tx: self._wallet(tx, now_ns))

    def _wallet(self, tx: Tx, now_ns: int) -> Wallet:
        where = {"owner": self._owner, "state": State.AWAITING.value}
        asks = page(tx, PAYMENTS, where, limit=ASKS_MAX)
        return Wallet(
            self._balances(tx),
            self._lines(tx, asks, now_ns),
            self._lines(tx, self._newest(tx), now_ns),
            self._machines(tx),
        )

    async def open_accounts(self) -> list[AccountRecord]:
        """Read the accounts that a device could pay from."""
        where = {"owner": self._owner, "state": "open"}
        return await self._ctx.database.read(
            lambda tx: page(tx, ACCOUNTS, where, limit=_ACCOUNTS_MAX)
        )

    async def tills(self) -> list[AccountRecord]:
        """Read the open accounts that can be paid by any device: those that none pays from."""
        spent = {one.account.id for one in await self.machines() if not one.device.revoked_ns}
        return [one for one in await self.open_accounts() if one.id not in spent]

    async def balances(self) -> list[Balance]:
        """Read what the owner has."""
        return await self._ctx.database.read(self._balances)

    def _balances(self, tx: Tx) -> list[Balance]:
        found: dict[str, Balance] = {}
        for record in page(tx, ACCOUNTS, {"owner": self._owner}, limit=_ACCOUNTS_MAX):
            counters = account_counters(tx, ids.number("acc", record.id))
            if counters is not None:
                balance = found.setdefault(record.asset, Balance(record.asset))
                balance.account = record.id
                _add(balance, counters)
        return sorted(found.values(), key=lambda one: -one.available)

    def _newest(self, tx: Tx) -> list[Payment]:
        found: dict[str, Payment] = {}
        for side in ("owner", "payee_owner"):
            for row in page(tx, PAYMENTS, {side: self._owner}, limit=ROWS):
                found[row.id] = row
        newest = sorted(found.values(), key=lambda row: row.id, reverse=True)[:ROWS]
        return [
            row for row in newest if row.state is not State.AWAITING or row.owner != self._owner
        ]

    async def some(self, idents: Sequence[str]) -> list[Line]:
        """Read these payments, those that are the owner's."""
        now_ns = self._ctx.clock()

        def work(tx: Tx) -> list[Line]:
            rows = tx.fetch(PAYMENTS, list(idents))
            ours = [rows[ident] for ident in idents if ident in rows]
            ours = [row for row in ours if self._owner in (row.owner, row.payee_owner)]
            return self._lines(tx, ours, now_ns)

        return await self._ctx.database.read(work)

    def _lines(self, tx: Tx, payments: Sequence[Payment], now_ns: int) -> list[Line]:
        devices = tx.fetch(DEVICES, list({row.device for row in payments}))
        owners = tx.fetch(OWNERS, list({row.payee_owner for row in payments}))
        accounts = tx.fetch(ACCOUNTS, list({row.payee for row in payments}))
        lines = [self._line(row, devices, owners, accounts, now_ns) for row in payments]
        asks = [row.device for row in payments if self._asks(row)]
        under = {ident: devices[ident].mandate for ident in asks if ident in devices}
        mandates = tx.fetch(MANDATES, list(set(under.values()))) if under else {}
        return [
            self._asked(tx, line, mandates.get(under.get(line.payment.device, "")))
            for line in lines
        ]

    def _asks(self, row: Payment) -> bool:
        return row.state is State.AWAITING and row.owner == self._owner

    def _asked(self, tx: Tx, line: Line, mandate: Mandate | None) -> Line:
        """Add to what waits what it was asked by, and who has approved it already."""
        if not self._asks(line.payment):
            return line
        people = tx.fetch(PEOPLE, [said.who for said in read_said(line.payment.answers)])
        here = {who: one.name for who, one in people.items() if not one.removed_ns}
        return replace(line, approved=here, mandate=mandate)

    def _line(
        self,
        row: Payment,
        devices: dict[str, Device],
        owners: dict[str, OwnerRecord],
        accounts: dict[str, AccountRecord],
        now_ns: int,
    ) -> Line:
        mine = "both" if row.owner == row.payee_owner else "out"
        if row.owner != self._owner:
            mine = "in"
        device, payee = devices.get(row.device), owners.get(row.payee_owner)
        account = accounts.get(row.payee)
        machine = device.name if device is not None and mine != "in" else ""
        other = ""
        if mine != "in" and payee is not None:
            other = payee.name if mine == "out" else (account.name if account else "")
        return Line(row, mine, other or ("" if mine == "in" else row.payee), machine, now_ns)

    async def machines(self) -> list[Machine]:
        """Read the owner's devices that still may pay, and those that were revoked last."""
        return await self._ctx.database.read(self._machines)

    def _machines(self, tx: Tx) -> list[Machine]:
        devices = page(tx, DEVICES, {"owner": self._owner}, limit=_DEVICES_MAX)
        accounts = tx.fetch(ACCOUNTS, list({device.account for device in devices}))
        mandates = tx.fetch(MANDATES, list({device.mandate for device in devices}))
        now_ns = self._ctx.clock()
        return [
            Machine(
                device,
                mandates[device.mandate],
                accounts[device.account],
                [
                    other.name or other.id
                    for other in devices
                    if other.account == device.account
                    and other.id != device.id
                    and not other.revoked_ns
                ],
                proposed_of(mandates[device.mandate], now_ns) is not None,
            )
            for device in sorted(devices, key=lambda one: (one.revoked_ns > 0, one.name))
        ]

    async def machine(self, ident: str) -> Machine | None:
        """Read one of the owner's devices."""
        found = await self.machines()
        return next((machine for machine in found if machine.device.id == ident), None)

    async def line(self, ident: str) -> Line | None:
        """Read one of the owner's payments."""
        found = await self.some([ident])
        return found[0] if found else None

    async def lines_of(self, device: str) -> list[Line]:
        """Read the newest payments of one device."""
        now_ns = self._ctx.clock()
        where = {"owner": self._owner, "device": device}
        return await self._ctx.database.read(
            lambda tx: self._lines(tx, page(tx, PAYMENTS, where, limit=ROWS), now_ns)
        )

    async def sales(self) -> list[Line]:
        """Read the newest payments that the owner was paid, or would be."""
        now_ns, where = self._ctx.clock(), {"payee_owner": self._owner}
        return await self._ctx.database.read(
            lambda tx: self._lines(tx, page(tx, PAYMENTS, where, limit=SALES), now_ns)
        )

    async def guardians(self) -> int:
        """Count who may approve for the owner."""
        where = {"owner": self._owner, "removed_ns": 0}
        found = await self._ctx.database.read(
            lambda tx: page(tx, PEOPLE, where, limit=_ACCOUNTS_MAX)
        )
        return sum(not person.is_ward for person in found)


def seconds_between(start_ns: int, end_ns: int) -> int:
    """Count whole seconds from one moment to another, at least 0."""
    return max(0, (end_ns - start_ns) // NS)


def _add(balance: Balance, counters: Account) -> None:
    posted = counters.credits_posted - counters.debits_posted
    balance.available += posted - counters.debits_pending
    balance.held += counters.debits_pending
    balance.incoming += counters.credits_pending
