"""The working set of one commit: what it has made and changed, and how to take it back.

The rows made are their own undo log: walking them in reverse restores every counter.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple, cast

from farthing.core.ledger_checks import (
    CLOSED,
    CLOSING,
    CLOSING_CREDIT,
    CLOSING_DEBIT,
    EXPIRED,
    PENDING,
    POST,
    RESOLVING,
    VOID,
)
from farthing.core.ledger_types import Account, PendingState, Source, Transfer
from farthing.errors import InvariantBroken

_ENDING = RESOLVING | EXPIRED
_PENDING = PendingState.PENDING
_STATE_OF = {
    POST: PendingState.POSTED,
    VOID: PendingState.VOIDED,
    EXPIRED: PendingState.EXPIRED,
}

# What `copy.copy` would find, without looking for it on every transfer.
_copy = cast(Callable[[Account], Account], attrgetter("__copy__")(Account))


class Mark(NamedTuple):
    """How far a ledger had come: what `rollback` goes back to."""

    made: int
    opened: int
    changed: int
    pendings: int
    failed: int
    last_ns: int


class WorkingSet:
    """Accounts and transfers as they stand in one commit, over what the books hold.

    Shape: `made` are the new rows in order; `opened` the new accounts as they were opened;
           `changed` the accounts whose counters or flags moved, as they stand now; `pendings`
           the new states of pending transfers; `failed` the ids that may never be used again.
           Objects of the source are never changed.
    """

    def __init__(self, source: Source, clock_ns: int, last_ns: int) -> None:
        self.made: list[Transfer] = []
        self.changed: dict[int, Account] = {}
        self.pendings: dict[int, PendingState] = {}
        self.last_ns = last_ns
        self._clock_ns = clock_ns
        self._source = source
        self._opened: dict[int, Account] = {}
        self._made: dict[int, Transfer] = {}
        self._failed: dict[int, None] = {}

    @property
    def opened(self) -> list[Account]:
        """Give the accounts opened in this commit, in order, without what moved since."""
        return list(self._opened.values())

    def opened_since(self, count: int) -> list[Account]:
        """Give the accounts opened after the first `count` of them."""
        return self.opened[count:] if len(self._opened) > count else []

    @property
    def failed(self) -> list[int]:
        """Give the ids that failed in this commit for a reason that could pass."""
        return list(self._failed)

    @property
    def now_ns(self) -> int:
        """Tell the timestamp that the next event would get: later than every one before."""
        last, clock = self.last_ns, self._clock_ns
        return clock if clock > last else last + 1

    def account(self, ident: int) -> Account | None:
        """Look an account up as it stands now; do not change what you get."""
        return self.changed.get(ident) or self._opened.get(ident) or self._source.account(ident)

    def transfer(self, ident: int) -> Transfer | None:
        """Look a transfer up, this commit's included."""
        return self._made.get(ident) or self._source.transfer(ident)

    def pending(self, ident: int) -> PendingState | None:
        """Tell what has become of a pending transfer; None if there is no such one."""
        return self.pendings.get(ident) or self._source.pending(ident)

    def has_failed(self, ident: int) -> bool:
        """Tell whether a transfer id may no longer be used, though no transfer has it."""
        return ident in self._failed or self._source.has_failed(ident)

    def mark(self) -> Mark:
        """Remember this point, to come back to with `rollback`."""
        return Mark(
            len(self.made),
            len(self._opened),
            len(self.changed),
            len(self.pendings),
            len(self._failed),
            self.last_ns,
        )

    def rollback(self, mark: Mark) -> None:
        """Undo everything since the mark: rows, accounts, failed ids and time."""
        for row in reversed(self.made[mark.made :]):
            self._undo(row)
            del self._made[row.id]
        del self.made[mark.made :]
        # Dicts keep the order of insertion, so what came after the mark is at their ends.
        _shorten(self._opened, mark.opened)
        _shorten(self.changed, mark.changed)
        _shorten(self.pendings, mark.pendings)
        _shorten(self._failed, mark.failed)
        self.last_ns = mark.last_ns

    def redo(self, opened: Sequence[Account], made: Sequence[Transfer]) -> None:
        """Open accounts and make rows that were decided before, in their order."""
        for account in opened:
            self._opened[account.id] = account
            self.last_ns = max(self.last_ns, account.timestamp)
        for row in made:
            if row.flags & _ENDING:
                self._end(row, self._known(row.pending_id), _STATE_OF[row.flags & _ENDING])
            else:
                self._begin(row, *self._sides(row))
            self.last_ns = max(self.last_ns, row.timestamp)

    def use_up(self, idents: Iterable[int]) -> None:
        """Note ids that failed when they were decided before."""
        self._failed.update(dict.fromkeys(idents))

    def _known(self, ident: int) -> Transfer:
        found = self.transfer(ident)
        if found is None:
            raise InvariantBroken("invariant-broken", "what was decided to be ended is known")
        return found

    def _mine(self, found: Account) -> Account:
        """Give this commit's own copy of an account, which may be changed."""
        mine = self.changed.get(found.id)
        if mine is None:
            mine = self.changed[found.id] = _copy(found)
        return mine

    def _sides(self, p: Transfer) -> tuple[Account, Account]:
        dr, cr = self.account(p.debit_account_id), self.account(p.credit_account_id)
        if dr is None or cr is None:
            raise InvariantBroken("invariant-broken", "the accounts of a recorded transfer exist")
        return dr, cr

    def _begin(self, row: Transfer, dr: Account, cr: Account) -> None:
        """Apply a transfer that moves money at once or holds it."""
        changed = self.changed  # Not `_mine`: this is the ledger's busiest place.
        if dr is not changed.get(dr.id):
            dr = changed[dr.id] = _copy(dr)
        if cr is not changed.get(cr.id):
            cr = changed[cr.id] = _copy(cr)
        amount, flags = row.amount, row.flags
        if flags & PENDING:
            dr.debits_pending += amount
            cr.credits_pending += amount
            self.pendings[row.id] = _PENDING
            if flags & CLOSING:
                _close(row, dr, cr)
        else:
            dr.debits_posted += amount
            cr.credits_posted += amount
        self.made.append(row)
        self._made[row.id] = row
        self.last_ns = row.timestamp

    def _end(self, row: Transfer, p: Transfer, state: PendingState) -> None:
        """Apply the post, void or expiry of a pending transfer."""
        dr, cr = map(self._mine, self._sides(p))
        dr.debits_pending -= p.amount
        cr.credits_pending -= p.amount
        if state is PendingState.POSTED:
            dr.debits_posted += row.amount
            cr.credits_posted += row.amount
        elif p.flags & CLOSING:
            _reopen(p, dr, cr)
        self.pendings[p.id] = state
        self.made.append(row)
        self._made[row.id] = row
        self.last_ns = row.timestamp

    def _undo(self, row: Transfer) -> None:
        dr, cr = self.changed[row.debit_account_id], self.changed[row.credit_account_id]
        amount, flags = row.amount, row.flags
        if flags & PENDING:
            dr.debits_pending -= amount
            cr.credits_pending -= amount
            _reopen(row, dr, cr)
        elif flags & _ENDING:
            self._undo_end(row, dr, cr)
        else:
            dr.debits_posted -= amount
            cr.credits_posted -= amount

    def _undo_end(self, row: Transfer, dr: Account, cr: Account) -> None:
        p = self.transfer(row.pending_id)
        if p is None:
            raise InvariantBroken("invariant-broken", "what was ended in this commit is known")
        dr.debits_pending += p.amount
        cr.credits_pending += p.amount
        if row.flags & POST:
            dr.debits_posted -= row.amount
            cr.credits_posted -= row.amount
        else:
            _close(p, dr, cr)
        self.pendings[p.id] = _PENDING


def _close(p: Transfer, dr: Account, cr: Account) -> None:
    if p.flags & CLOSING_DEBIT:
        dr.flags |= CLOSED
    if p.flags & CLOSING_CREDIT:
        cr.flags |= CLOSED


def _reopen(p: Transfer, dr: Account, cr: Account) -> None:
    if p.flags & CLOSING_DEBIT:
        dr.flags &= ~CLOSED
    if p.flags & CLOSING_CREDIT:
        cr.flags &= ~CLOSED


def _shorten(gathered: dict[int, Account] | dict[int, PendingState] | dict[int, None], to: int):
    while len(gathered) > to:
        gathered.popitem()
