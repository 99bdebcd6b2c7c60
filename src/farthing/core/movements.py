"""Top-ups and payouts: money that a rail moves in or out, as far as the hub knows.

Intend, act, record: what the rail is to do is written down before it is asked, and what it says is
written down afterwards. Money moves in the ledger only, and only by what the rail has said: a
payout is held while it is under way, a top-up is credited once it is settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import (
    ACCOUNTS,
    AccountCode,
    AccountRecord,
    TransferCode,
    missing_accounts,
    require_account,
    system_account,
)
from farthing.core.bounds import UNBOUNDED, Bounds
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.ledger import Account, AccountFlags, Transfer, TransferFlags, TransferResult
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, ensure, present
from farthing.money import UNITS_MAX

FIRST_LOOK_SECONDS = 10
"""Whoever began it asks the rail at once; somebody else looks after it only later."""

HOLD, END = 1, 2
"""Places of a movement's transfers: a top-up's only one or a payout's hold, and the hold's end."""


class Direction(StrEnum):
    """In or out."""

    TOP_UP = "top"
    PAYOUT = "out"


class Said(StrEnum):
    """What is known of a movement: `intended` before the rail has said anything."""

    INTENDED = "intended"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SETTLED = "settled"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether the rail will not say anything else."""
        return self in (Said.SETTLED, Said.FAILED)


class Movement(msgspec.Struct, frozen=True):
    """One top-up or payout.

    Shape: `place` is where the money comes from or goes to, in the rail's own words; `booked` tells
           whether the ledger has what the rail said.
    """

    id: str
    direction: Direction
    owner: str
    account: str
    rail: str
    asset: str
    ledger: int
    units: int
    place: str
    state: Said
    reason: str
    rail_reference: str
    booked: bool
    created_ns: int
    changed_ns: int


class Look(msgspec.Struct, frozen=True):
    """When the rail is asked about a movement next. Shape: `over` once everything is booked."""

    id: str
    attempts: int
    next_ns: int
    over: bool


MOVEMENTS = Table("movements", Movement, "id", free=("place",))
LOOKS = Table("movement_looks", Look, "id")


def rail_account(rail: str, ledger: int) -> Account:
    """Describe what a rail owes us or we owe it: the other side of all that it moves."""
    return Account(system_account(f"rail:{rail}", ledger), ledger, AccountCode.CLEARING)


def number_of(movement: Movement) -> int:
    """Give the number in a movement's id."""
    return ids.number(movement.direction.value, movement.id)


def first_transfer(movement: Movement) -> Transfer:
    """Write the transfer that credits a top-up, or holds a payout."""
    number, rail = number_of(movement), rail_account(movement.rail, movement.ledger).id
    account, out = ids.number("acc", movement.account), movement.direction is Direction.PAYOUT
    return Transfer(
        ids.place(number, HOLD),
        account if out else rail,
        rail if out else account,
        movement.units,
        movement.ledger,
        TransferCode.PAYOUT if out else TransferCode.TOP_UP,
        TransferFlags.PENDING if out else 0,
        user_data=number,
    )


def ending(movement: Movement, said: Said) -> Transfer:
    """Write the transfer that posts a payout's hold, or releases it."""
    number, posts = number_of(movement), said is Said.SETTLED
    return Transfer(
        ids.place(number, END),
        0,
        0,
        movement.units if posts else 0,
        0,
        0,
        TransferFlags.POST_PENDING if posts else TransferFlags.VOID_PENDING,
        pending_id=ids.place(number, HOLD),
    )


def chain_of(movement: Movement, said: Said) -> list[Transfer]:
    """Give what the ledger has to do once the rail has said its last word."""
    if movement.direction is Direction.PAYOUT:
        return [ending(movement, said)]
    return [first_transfer(movement)] if said is Said.SETTLED else []


_KINDS = {
    (Direction.TOP_UP, "begun"): Kind.TOP_UP_BEGUN,
    (Direction.TOP_UP, "settled"): Kind.TOP_UP_SETTLED,
    (Direction.TOP_UP, "failed"): Kind.TOP_UP_FAILED,
    (Direction.TOP_UP, "waits"): Kind.TOP_UP_WAITS,
    (Direction.PAYOUT, "begun"): Kind.PAYOUT_BEGUN,
    (Direction.PAYOUT, "settled"): Kind.PAYOUT_SETTLED,
    (Direction.PAYOUT, "failed"): Kind.PAYOUT_FAILED,
    (Direction.PAYOUT, "waits"): Kind.PAYOUT_WAITS,
}


def _fact(movement: Movement, what: str) -> Fact:
    body = body_of(
        account=movement.account,
        asset=movement.asset,
        rail=movement.rail,
        reason=movement.reason or None,
        state=movement.state.value,
        units=movement.units,
    )
    return Fact(movement.owner, _KINDS[movement.direction, what], movement.id, body)


@dataclass(frozen=True, slots=True)
class Intend:
    """Write down that a rail is to move money, and hold what goes out."""

    id: str
    owner: str | None
    direction: Direction
    account: str
    asset: str
    units: int
    rail: str
    place: str
    bounds: Bounds = UNBOUNDED

    @property
    def reads(self) -> Sequence[Read]:
        """The account's record."""
        return [Read(ACCOUNTS, self.account)]

    @property
    def accounts(self) -> Sequence[int]:
        """The account itself."""
        return [ids.number("acc", self.account)]

    def plan(self, view: View) -> Plan[Movement] | Outcome[Movement]:
        """Do it for an account that is open and counts this asset."""
        record = require_account(view, self.account, self.owner)
        if record.asset != self.asset:
            raise Conflict("asset-mismatch", f"this account counts {record.asset}")
        if record.state != "open":
            raise Conflict("account-frozen", "this account is frozen or closed")
        movement = self._begun(record, view.now_ns)
        if self.direction is Direction.TOP_UP:
            self.bounds.check(self.units, view.account(rail_account(self.rail, record.ledger).id))
            if not _fits(view, movement):
                raise Conflict("credit-impossible", "that is more than can be counted here")
            return self._written(view, movement)

        def then(results: list[list[TransferResult]]) -> Outcome[Movement]:
            if results[0][0] is not TransferResult.CREATED:
                raise Conflict("insufficient-balance", "the account has less than that to pay out")
            return self._written(view, movement)

        clearing = missing_accounts(view, [rail_account(self.rail, record.ledger)])
        return Plan(then, clearing, [[first_transfer(movement)]])

    def _begun(self, record: AccountRecord, now_ns: int) -> Movement:
        return Movement(
            self.id,
            self.direction,
            record.owner,
            self.account,
            self.rail,
            record.asset,
            record.ledger,
            self.units,
            self.place,
            Said.INTENDED,
            "",
            "",
            False,
            now_ns,
            now_ns,
        )

    def _written(self, view: View, movement: Movement) -> Outcome[Movement]:
        made = state_change(
            view, movement, [_fact(movement, "begun")], [Write(MOVEMENTS, movement)]
        )
        look = Look(self.id, 0, view.now_ns + FIRST_LOOK_SECONDS * NS, over=False)
        return msgspec.structs.replace(made, writes=[*made.writes, Write(LOOKS, look)])


def _fits(view: View, movement: Movement) -> bool:
    """Tell whether a top-up could be booked now: what comes in is counted in 63 bits."""
    account = present(view.account(ids.number("acc", movement.account)), "an account stays")
    rail = view.account(rail_account(movement.rail, movement.ledger).id)
    owed = 0 if rail is None else rail.debits_posted + rail.debits_pending
    largest = max(owed, account.credits_posted + account.credits_pending)
    return largest + movement.units <= UNITS_MAX


@dataclass(frozen=True, slots=True)
class Conclude:
    """Record what a rail said, and let the ledger follow where it is the last word.

    Units: `again_seconds` is when to ask next, if it is not.
    """

    id: str
    said: Said
    rail_reference: str
    reason: str
    again_seconds: int
    accounts: Sequence[int] = ()

    @property
    def reads(self) -> Sequence[Read]:
        """The movement."""
        return [Read(MOVEMENTS, self.id), Read(LOOKS, self.id)]

    def plan(self, view: View) -> Plan[Movement] | Outcome[Movement]:
        """Record it once; what a rail says after its last word changes nothing."""
        movement = present(view.get(MOVEMENTS, self.id), "a movement is kept")
        if movement.booked:
            return Outcome(movement)
        said = movement.state if movement.state.final else self.said
        after = self._after(movement, said, view.now_ns)
        chain = chain_of(movement, said) if said.final else []
        if not said.final or (chain and said is Said.SETTLED and self._closed(view, movement)):
            return self._waits(view, movement, after)

        def then(results: list[list[TransferResult]]) -> Outcome[Movement]:
            if any(one.name.startswith("OVERFLOWS") for each in results for one in each):
                return self._waits(view, movement, after)  # Until there is room for it.
            made = all(one is TransferResult.CREATED for each in results for one in each)
            ensure(made, f"the ledger takes what the rail said of {self.id}")
            booked = msgspec.structs.replace(after, booked=True)
            return self._written(view, booked, said.value, over=True)

        opened = missing_accounts(view, [rail_account(movement.rail, movement.ledger)])
        return Plan(then, opened if chain else [], [chain] if chain else [])

    def _after(self, movement: Movement, said: Said, now_ns: int) -> Movement:
        if said is movement.state:
            return movement
        return msgspec.structs.replace(
            movement,
            state=said,
            reason=self.reason,
            rail_reference=self.rail_reference or movement.rail_reference,
            changed_ns=now_ns,
        )

    def _closed(self, view: View, movement: Movement) -> bool:
        account = present(view.account(ids.number("acc", movement.account)), "an account stays")
        return bool(account.flags & AccountFlags.CLOSED)

    def _waits(self, view: View, movement: Movement, after: Movement) -> Outcome[Movement]:
        """Ask again later, or book later where the account cannot take it now."""
        if after is movement:
            return Outcome(movement, [self._look(view, over=False)])
        return self._written(view, after, "waits", over=False)

    def _written(self, view: View, after: Movement, what: str, *, over: bool) -> Outcome[Movement]:
        made = state_change(view, after, [_fact(after, what)], [Write(MOVEMENTS, after)])
        return msgspec.structs.replace(made, writes=[*made.writes, self._look(view, over=over)])

    def _look(self, view: View, *, over: bool) -> Write:
        look = present(view.get(LOOKS, self.id), "a movement is looked after")
        next_ns = view.now_ns + self.again_seconds * NS
        return Write(LOOKS, Look(self.id, look.attempts + 1, next_ns, over))
