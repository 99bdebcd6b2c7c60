"""Accounts as owners know them, and the system accounts that money comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from farthing import ids
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.ledger import (
    Account,
    AccountFlags,
    Transfer,
    TransferFlags,
    TransferResult,
    linked,
)
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Forbidden, Missing, present

_OPERATOR = "operator"
BUDGET_LEDGERS = 1_000_000
"""A budget in the asset with ledger n is counted in its own control ledger, n + this."""


class AssetRecord(msgspec.Struct, frozen=True):
    """An asset this hub counts; its scale and ledger number never change."""

    code: str
    scale: int
    ledger: int


class AccountRecord(msgspec.Struct, frozen=True):
    """Who an account belongs to.

    Shape: `state` is `open`, `frozen` or `closed`; `frozen_by` is `owner`, `operator` or empty.
    """

    id: str
    owner: str
    asset: str
    ledger: int
    name: str
    state: str
    latch: str
    created_ns: int
    frozen_by: str = ""


ASSETS = Table("assets", AssetRecord, "code", free=())
ACCOUNTS = Table("account_records", AccountRecord, "id", free=("name",))


class AccountCode:
    """What a ledger account is for."""

    CLEARING = 1
    OWNER = 10
    BUDGET = 20
    SPENT = 21
    LIMITS = 22


class TransferCode:
    """What a transfer is for."""

    CREDIT = 1
    LATCH = 3
    PAYMENT = 10
    REFUND = 11
    FEE = 12
    FEE_BACK = 13
    BUDGET = 20
    LIMIT = 21
    TOP_UP = 30
    PAYOUT = 31


def system_account(role: str, ledger: int) -> int:
    """Give the id of the hub's own account for a role in a ledger."""
    return ids.derived(0, "farthing-system-account-1", role, str(ledger))


def clearing_account(ledger: int) -> Account:
    """Describe where test money comes from: it may owe without limit."""
    return Account(system_account("clearing", ledger), ledger, AccountCode.CLEARING)


def missing_accounts(view: View, wanted: Sequence[Account]) -> list[Account]:
    """List those of the accounts that are not open yet."""
    return [account for account in wanted if view.account(account.id) is None]


def require_account(view: View, ident: str, owner: str | None) -> AccountRecord:
    """Get an account that this owner may act on; the operator (None) may act on all.

    Raises: Missing.
    """
    record = view.get(ACCOUNTS, ident)
    if record is None or owner not in (None, record.owner):
        raise Missing("no-such-account", "there is no such account here")
    return record


def require_unfrozen(view: View, *idents: str) -> None:
    """Stop where an account takes part in nothing now.

    Shape: for what can be tried again later, asked before the ledger is: a transfer that a closed
           account stops has used its id up.
    Raises: Conflict `account-frozen`.
    """
    for ident in idents:
        account = view.account(ids.number("acc", ident))
        if account is not None and account.flags & AccountFlags.CLOSED:
            raise Conflict("account-frozen", f"{ident} is frozen; unfreeze it first")


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """Open an account in one asset for an owner."""

    id: str
    owner: str
    asset: str
    name: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Plan[AccountRecord]:
        """Open it once; the id was made by who asked."""
        asset = view.get(ASSETS, self.asset)
        if asset is None:
            raise Missing("unknown-asset", f"this hub does not count {self.asset}; see [assets]")
        if view.get(ACCOUNTS, self.id) is not None:
            raise Conflict("id-taken", "an account has this id already")
        record = AccountRecord(
            self.id, self.owner, asset.code, asset.ledger, self.name, "open", "", view.now_ns
        )
        opened = Account(
            ids.number("acc", self.id),
            asset.ledger,
            AccountCode.OWNER,
            flags=AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS,
        )
        fact = Fact(self.owner, Kind.ACCOUNT_OPENED, self.id, body_of(asset=asset.code))

        def then(_results: list[list[TransferResult]]) -> Outcome[AccountRecord]:
            writes = [Write(ACCOUNTS, record)]
            return state_change(view, record, [fact], writes, relied_on=[Write(ASSETS, asset)])

        return Plan(then, [opened])


@dataclass(frozen=True, slots=True)
class Credit:
    """Put test money into an account, from clearing: until rails exist, money enters so."""

    id: int
    account: str
    asset: str
    units: int

    @property
    def reads(self) -> Sequence[Read]:
        """The account's record."""
        return [Read(ACCOUNTS, self.account)]

    @property
    def accounts(self) -> Sequence[int]:
        """The account itself."""
        return [ids.number("acc", self.account)]

    def plan(self, view: View) -> Plan[AccountRecord]:
        """Post from clearing to the account."""
        record = require_account(view, self.account, None)
        if record.asset != self.asset:
            raise Conflict("asset-mismatch", f"this account counts {record.asset}")
        clearing = clearing_account(record.ledger)
        transfer = Transfer(
            ids.place(self.id, 1),
            clearing.id,
            ids.number("acc", self.account),
            self.units,
            record.ledger,
            TransferCode.CREDIT,
            user_data=self.id,
        )

        def then(results: list[list[TransferResult]]) -> Outcome[AccountRecord]:
            if results[0][0] is not TransferResult.CREATED:
                raise Conflict("credit-impossible", _why(results[0][0]))
            body = body_of(units=self.units, asset=self.asset, test_money=True)
            fact = Fact(record.owner, Kind.ACCOUNT_CREDITED, self.account, body)
            return state_change(view, record, [fact], [])

        return Plan(then, missing_accounts(view, [clearing]), [[transfer]])


def _why(result: TransferResult) -> str:
    if result is TransferResult.CREDIT_ACCOUNT_ALREADY_CLOSED:
        return "this account is frozen or closed"
    return f"the ledger says {result.name.lower().replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class SetAccountState:
    """Freeze, unfreeze or close an account: nothing moves while the ledger's latch is on.

    Shape: `to` is `open`, `frozen` or `closed`; `latch` is a fresh id.
    """

    account: str
    owner: str | None
    to: str
    latch: int

    @property
    def reads(self) -> Sequence[Read]:
        """The account's record."""
        return [Read(ACCOUNTS, self.account)]

    @property
    def accounts(self) -> Sequence[int]:
        """The account itself."""
        return [ids.number("acc", self.account)]

    def plan(self, view: View) -> Plan[AccountRecord] | Outcome[AccountRecord]:
        """Put the latch on or take it off; closing needs an empty account."""
        record = require_account(view, self.account, self.owner)
        if record.state == self.to and not self._takes_over(record):
            return Outcome(record)
        if record.state == "closed":
            raise Conflict("account-closed", "a closed account stays closed")
        if record.frozen_by == _OPERATOR and self.owner is not None:
            raise Forbidden("frozen-by-operator", "the operator froze this account; ask there")
        if self._takes_over(record):
            return self._done(view, record, record.latch)
        ledger_account = present(
            view.account(ids.number("acc", self.account)), "an account is in the ledger"
        )
        if self.to == "closed" and _worth(ledger_account):
            raise Conflict("account-not-empty", "pay the balance out before you close the account")
        if record.state == "frozen" and self.to == "closed":
            return self._done(view, record, record.latch)  # The latch is on already.
        clearing = clearing_account(record.ledger)
        latch = self._latch(record, clearing.id)

        def then(results: list[list[TransferResult]]) -> Outcome[AccountRecord]:
            if results[0][0] is not TransferResult.CREATED:
                raise Conflict("account-state-impossible", _why(results[0][0]))
            return self._done(view, record, "" if self.to == "open" else ids.encode(self.latch))

        return Plan(then, missing_accounts(view, [clearing]), [linked([latch])])

    def _takes_over(self, record: AccountRecord) -> bool:
        """Tell whether the operator freezes what the owner had frozen already."""
        theirs = record.state == self.to == "frozen" and record.frozen_by != _OPERATOR
        return theirs and self.owner is None

    def _latch(self, record: AccountRecord, clearing: int) -> Transfer:
        account = ids.number("acc", self.account)
        if self.to == "open":
            return Transfer(
                ids.place(self.latch, 1),
                0,
                0,
                0,
                0,
                0,
                TransferFlags.VOID_PENDING,
                pending_id=ids.place(ids.decode(record.latch), 1),
            )
        flags = TransferFlags.PENDING | TransferFlags.CLOSING_DEBIT
        return Transfer(
            ids.place(self.latch, 1), account, clearing, 0, record.ledger, TransferCode.LATCH, flags
        )

    def _done(self, view: View, record: AccountRecord, latch: str) -> Outcome[AccountRecord]:
        by = (_OPERATOR if self.owner is None else "owner") if self.to == "frozen" else ""
        after = msgspec.structs.replace(record, state=self.to, latch=latch, frozen_by=by)
        kinds = {
            "open": Kind.ACCOUNT_UNFROZEN,
            "frozen": Kind.ACCOUNT_FROZEN,
            "closed": Kind.ACCOUNT_CLOSED,
        }
        fact = Fact(record.owner, kinds[self.to], self.account, {})
        return state_change(view, after, [fact], [Write(ACCOUNTS, after)])


def _worth(account: Account) -> int:
    return account.credits_posted - account.debits_posted + account.credits_pending


def balances(account: Account) -> dict[str, Any]:
    """Give an account's counters as an owner reads them."""
    return {
        "available": str(account.credits_posted - account.debits_posted - account.debits_pending),
        "held": str(account.debits_pending),
        "incoming": str(account.credits_pending),
        "received": str(account.credits_posted),
        "spent": str(account.debits_posted),
    }
