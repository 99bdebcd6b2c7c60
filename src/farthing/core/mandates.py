"""Mandates: what an owner permits a device, and its budgets, which are accounts in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import (
    ASSETS,
    BUDGET_LEDGERS,
    AccountCode,
    TransferCode,
)
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.ledger import Account, AccountFlags, Transfer, TransferResult, linked
from farthing.core.lines import loosens, need_two_people
from farthing.core.periods import ZoneChange, period_at, within_hours
from farthing.core.records import Read, Table, Write
from farthing.core.refusals import Refusal
from farthing.errors import Conflict, Malformed, Missing, ensure
from farthing.money import UNITS_MAX

BUDGETS_MAX = 16
_ZONE_CHANGES_MAX = 8
_ZONE_MEMORY_SECONDS = 70 * 86400


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A limit per period; empty `payees` and `categories` mean every payment counts.

    Units: `limit` counts smallest units.
    """

    name: str
    per: str
    limit: int
    payees: list[str] = []
    categories: list[str] = []

    def covers(self, payee: str, category: str) -> bool:
        """Tell whether a payment falls under this budget."""
        return (not self.payees or payee in self.payees) and (
            not self.categories or category in self.categories
        )


class Mandate(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's standing permission.

    Units: `largest`, `ask_above` and `two_above` count smallest units; `expires` is Unix seconds,
           0 for never.
    Shape: empty lists allow everything; `ask_above` None never asks the owner; above `two_above`
           two different people have to approve, and None never wants a second one; `proposed` is
           what one of them wants it to be (`core/agreeing.py`), empty where nobody does.
    """

    id: str
    owner: str
    asset: str
    name: str
    largest: int = UNITS_MAX
    budgets: list[Budget] = []
    payees: list[str] = []
    categories: list[str] = []
    hours: list[str] = []
    zones: list[ZoneChange]
    expires: int = 0
    ask_above: int | None = None
    ask_seconds: int = 900
    on_timeout: Literal["refuse", "allow"] = "refuse"
    revision: int = 1
    created_ns: int = 0
    revoked_ns: int = 0
    two_above: int | None = None
    proposed: str = ""

    @property
    def zone(self) -> str:
        """The time zone that hours are read in."""
        return self.zones[-1].zone


MANDATES = Table("mandates", Mandate, "id", free=("name",))


def rule_refusal(
    mandate: Mandate, payee: str, category: str, units: int, now: int
) -> Refusal | None:
    """Check what a mandate says by itself; budgets are the ledger's to check."""
    if mandate.revoked_ns:
        return Refusal.MANDATE_REVOKED
    if mandate.expires and now >= mandate.expires:
        return Refusal.MANDATE_EXPIRED
    if mandate.payees and payee not in mandate.payees:
        return Refusal.MANDATE_PAYEE
    if mandate.categories and category not in mandate.categories:
        return Refusal.MANDATE_CATEGORY
    if not within_hours(mandate.hours, mandate.zone, now):
        return Refusal.MANDATE_HOURS
    if units > mandate.largest:
        return Refusal.MANDATE_LARGEST
    return None


def must_ask(mandate: Mandate, units: int) -> bool:
    """Tell whether the owner wants to be asked about a commitment of this size."""
    return _above(mandate.ask_above, units) or _above(mandate.two_above, units)


def needs_two(mandate: Mandate, units: int) -> bool:
    """Tell whether two different people have to approve a commitment of this size."""
    return _above(mandate.two_above, units)


def _above(line: int | None, units: int) -> bool:
    return line is not None and units > line


class BudgetLine(msgspec.Struct, frozen=True):
    """One budget in one period: the control accounts that count it.

    Shape: `limits` is where it is granted from; each has its own, as an account's turnover is
           bounded and nobody's limit may use up another's.
    """

    name: str
    available: int
    spent: int
    limits: int
    limit: int
    ledger: int

    def accounts(self) -> list[Account]:
        """Describe them: what may still be spent, what was, and where it comes from."""
        flags = AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS
        return [
            Account(self.available, self.ledger, AccountCode.BUDGET, flags=flags),
            Account(self.spent, self.ledger, AccountCode.SPENT),
            Account(self.limits, self.ledger, AccountCode.LIMITS),
        ]


def budget_line(mandate: Mandate, budget: Budget, ledger: int, now: int) -> BudgetLine:
    """Give a budget's accounts for the period that holds this moment."""
    start = period_at(budget.per, mandate.zones, now).start
    available, spent, limits = _trio(mandate.id, budget.name, budget.per, start)
    return BudgetLine(budget.name, available, spent, limits, budget.limit, ledger + BUDGET_LEDGERS)


@lru_cache(maxsize=16_384)
def _trio(mandate: str, budget: str, per: str, start: int) -> tuple[int, int, int]:
    parts = (mandate, budget, per, str(start))
    return (
        ids.derived(start * 1000, "farthing-budget-available-1", *parts),
        ids.derived(start * 1000, "farthing-budget-spent-1", *parts),
        ids.derived(start * 1000, "farthing-budget-limits-1", *parts),
    )


def grant(view: View, line: BudgetLine) -> tuple[list[Account], list[Transfer]]:
    """Open and fill a budget's accounts on first use in a period."""
    if view.account(line.available) is not None:
        return [], []
    filling = Transfer(
        ids.place(line.available, 1),
        line.limits,
        line.available,
        line.limit,
        line.ledger,
        TransferCode.LIMIT,
    )
    return line.accounts(), [filling]


def shortfall(line: BudgetLine, available: Account, spent: Account) -> int:
    """Tell what is wanting of max(0, limit - spent - held): less than 0 where there is more."""
    left = available.credits_posted - available.debits_posted - available.debits_pending
    return max(0, line.limit - spent.credits_posted - available.debits_pending) - left


def adjustment(view: View, line: BudgetLine, ident: int) -> Transfer | None:
    """Set what is available to max(0, limit - spent - held): never a delta of limits."""
    account, spent = view.account(line.available), view.account(line.spent)
    if account is None or spent is None:
        return None  # Not used in this period: the first payment will fill it.
    wanting = shortfall(line, account, spent)
    if not wanting:
        return None
    sides = (line.limits, line.available)
    debit, credit = sides if wanting > 0 else reversed(sides)
    return Transfer(ident, debit, credit, abs(wanting), line.ledger, TransferCode.LIMIT)


@dataclass(frozen=True, slots=True)
class SetMandate:
    """Make a mandate, or change one: the new limits count what was spent this period.

    Shape: `revision` is of the mandate that is to be changed; 0 changes whichever there is. One
           person, or a key, makes two people approve and does not stop it: `agreed` says which two
           did.
    """

    wanted: Mandate
    by: str | None
    change: int
    creates: bool
    revision: int = 0
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()
    agreed: Mapping[str, str] | None = None

    def plan(self, view: View) -> Plan[Mandate]:
        """Set it whole; budgets in use are set to what the new limit leaves."""
        asset = view.get(ASSETS, self.wanted.asset)
        if asset is None:
            raise Missing("unknown-asset", f"this hub does not count {self.wanted.asset}")
        now = view.now_ns // NS
        if 0 < self.wanted.expires <= now:
            detail = "this time is past: give a later one, or leave it out"
            raise Malformed("mandate-expired-already", detail)
        mandate = self._next(view)
        adjustments: list[Transfer] = []
        for i, budget in enumerate(mandate.budgets):
            line = budget_line(mandate, budget, asset.ledger, now)
            transfer = adjustment(view, line, ids.place(self.change, i + 1))
            if transfer is not None:
                adjustments.append(transfer)
        body = body_of(revision=mandate.revision) | dict(self.agreed or {})
        fact = Fact(mandate.owner, Kind.MANDATE_SET, mandate.id, body)

        def then(results: list[list[TransferResult]]) -> Outcome[Mandate]:
            _check_adjusted(results[0] if results else [])
            return state_change(view, mandate, [fact], [Write(MANDATES, mandate)])

        return Plan(then, chains=[linked(adjustments)] if adjustments else [])

    def _next(self, view: View) -> Mandate:
        before = view.get(MANDATES, self.wanted.id)
        if before is None:
            if not self.creates:
                raise Missing("no-such-mandate", "there is no such mandate here")
            return msgspec.structs.replace(self.wanted, created_ns=view.now_ns)
        if self.creates:
            raise Conflict("id-taken", "a mandate has this id already")
        if self.by not in (None, before.owner):
            raise Missing("no-such-mandate", "there is no such mandate here")
        if before.asset != self.wanted.asset:
            raise Conflict("asset-mismatch", f"this mandate is in {before.asset}")
        if self.revision not in (0, before.revision):
            raise Conflict("mandate-changed", "it was changed meanwhile; look at it again")
        if self.agreed is None and loosens(before.two_above, self.wanted.two_above):
            raise need_two_people()
        return msgspec.structs.replace(
            self.wanted,
            owner=before.owner,
            zones=_zones_after(before.zones, self.wanted.zone, view.now_ns // NS),
            revision=before.revision + 1,
            created_ns=before.created_ns,
            revoked_ns=before.revoked_ns,
            proposed="",
        )


def _check_adjusted(results: Sequence[TransferResult]) -> None:
    failed = [r for r in results if r is not TransferResult.CREATED]
    if any(result.name.startswith("OVERFLOWS") for result in failed):
        raise Conflict(
            "budget-changed-too-often", "wait until the budget's period has ended, or ask for less"
        )
    ensure(not failed, "a budget can always be set")


def _zones_after(before: list[ZoneChange], zone: str, now: int) -> list[ZoneChange]:
    if before[-1].zone == zone:
        return before
    recent = [c for c in before if c.at > now - _ZONE_MEMORY_SECONDS]
    older = [c for c in before if c.at <= now - _ZONE_MEMORY_SECONDS][-1:]
    if len(recent) >= _ZONE_CHANGES_MAX:
        raise Conflict("time-zone-changed-too-often", "wait until a budget period has ended")
    return [*older, *recent, ZoneChange(now, zone)]


@dataclass(frozen=True, slots=True)
class RevokeMandate:
    """End a mandate, from the next commit on."""

    mandate: str
    owner: str | None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Mandate]:
        """Revoke it; again is no harm."""
        mandate = view.get(MANDATES, self.mandate)
        if mandate is None or self.owner not in (None, mandate.owner):
            raise Missing("no-such-mandate", "there is no such mandate here")
        if mandate.revoked_ns:
            return Outcome(mandate)
        after = msgspec.structs.replace(mandate, revoked_ns=view.now_ns)
        fact = Fact(mandate.owner, Kind.MANDATE_REVOKED, mandate.id, {})
        return state_change(view, after, [fact], [Write(MANDATES, after)])
