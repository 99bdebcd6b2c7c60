"""The audit's arithmetic: recompute every balance from history alone, row by row.

It shares no code with the decision, so that a mistake there does not hide itself here. Memory goes
by the number of accounts and of holds still outstanding, never by the number of transfers; that
ids are unique is for the books to check.
"""

from collections.abc import Iterable
from typing import NamedTuple

from farthing.clock import NS
from farthing.core.ledger_types import Account, AccountFlags, Transfer, TransferFlags
from farthing.errors import InvariantBroken
from farthing.money import UNITS_MAX

_PENDING = int(TransferFlags.PENDING)
_POST = int(TransferFlags.POST_PENDING)
_VOID = int(TransferFlags.VOID_PENDING)
_EXPIRED = int(TransferFlags.EXPIRED)
_CLOSING_DEBIT = int(TransferFlags.CLOSING_DEBIT)
_CLOSING_CREDIT = int(TransferFlags.CLOSING_CREDIT)
_ENDINGS = (_POST, _VOID, _EXPIRED)
_CLOSED = int(AccountFlags.CLOSED)
_DEBITS_LIMITED = int(AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS)
_CREDITS_LIMITED = int(AccountFlags.CREDITS_MUST_NOT_EXCEED_DEBITS)


class HistoryBroken(InvariantBroken):
    """History, or what is kept beside it, breaks a rule of the ledger.

    Shape: `row` counts history's rows from 1, accounts and transfers together; it is 0 where no
           row but a stored balance or hold is wrong. `subject` is the id of what is wrong.
    """

    title = "The history does not add up"

    def __init__(self, row: int, subject: int, what: str) -> None:
        where = f"row {row}, " if row else ""
        super().__init__("history-broken", f"{where}id {subject:032x}: {what}")
        self.row, self.subject, self.what = row, subject, what


class Hold(NamedTuple):
    """What is needed of a pending transfer to end it; the whole row is not kept."""

    debit_account_id: int
    credit_account_id: int
    amount: int
    flags: int
    due_ns: int


class Replay:
    """Balances as history makes them.

    Shape: feed rows to `account` and `transfer` in the order of their timestamps, then ask
           `finish`, `check_balances` and `check_holds`. `accounts` and `holds` are the result.
    Raises: HistoryBroken, from every method, naming the first row that breaks a rule.
    """

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.holds: dict[int, Hold] = {}
        self.rows = 0
        self.last_ns = 0

    def account(self, row: Account) -> None:
        """Take the next row, an account; its counters are not looked at."""
        self._next(row.id, row.timestamp)
        self._check(row.id not in self.accounts, row.id, "this account was opened before")
        limits = row.flags & (_DEBITS_LIMITED | _CREDITS_LIMITED)
        both = limits == _DEBITS_LIMITED | _CREDITS_LIMITED
        self._check(not both, row.id, "an account has one limit, not both")
        self.accounts[row.id] = Account(
            row.id, row.ledger, row.code, row.flags & ~_CLOSED, row.user_data, row.timestamp
        )

    def transfer(self, row: Transfer) -> None:
        """Take the next row, a transfer."""
        self._next(row.id, row.timestamp)
        ident = row.id
        self._check(0 <= row.amount <= UNITS_MAX, ident, "the amount is not one")
        dr = self._side(ident, row.debit_account_id, row.ledger)
        cr = self._side(ident, row.credit_account_id, row.ledger)
        self._check(dr is not cr, ident, "an account cannot pay itself")
        kind = row.flags & (_POST | _VOID | _EXPIRED)
        if kind:
            self._end(row, kind, dr, cr)
        else:
            self._begin(row, dr, cr)
        self._keeps_limits(ident, dr)
        self._keeps_limits(ident, cr)

    def finish(self) -> None:
        """Check that in every ledger debits and credits are equal."""
        sums: dict[int, list[int]] = {}
        for account in self.accounts.values():
            counted = sums.setdefault(account.ledger, [0, 0, 0, 0])
            for i, units in enumerate(counters(account)):
                counted[i] += units
        for ledger, (debits_held, debits, credits_held, credited) in sums.items():
            equal = debits == credited and debits_held == credits_held
            self._check(equal, ledger, "debits and credits of this ledger differ", at_row=False)

    def check_balances(self, stored: Iterable[Account]) -> None:
        """Check that the stored accounts are history's, each with its counters and flags."""
        seen = 0
        for account in stored:
            own = self.accounts.get(account.id)
            if own is None:
                raise HistoryBroken(0, account.id, "this account is not in history")
            seen += 1
            self._same(own, account)
        self._check(
            seen == len(self.accounts), 0, "an account of history is not stored", at_row=False
        )

    def check_holds(self, stored: Iterable[int]) -> None:
        """Check that exactly the outstanding holds are stored as pending."""
        seen = 0
        for ident in stored:
            self._check(ident in self.holds, ident, "this hold was ended before", at_row=False)
            seen += 1
        self._check(
            seen == len(self.holds), 0, "an outstanding hold is not stored as one", at_row=False
        )

    def _check(self, holds: bool, subject: int, what: str, *, at_row: bool = True) -> None:
        if not holds:
            raise HistoryBroken(self.rows if at_row else 0, subject, what)

    def _next(self, ident: int, timestamp: int) -> None:
        self.rows += 1
        self._check(timestamp > self.last_ns, ident, "time does not go forward")
        self.last_ns = timestamp

    def _side(self, ident: int, account_id: int, ledger: int) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            raise HistoryBroken(self.rows, ident, f"there is no account {account_id:032x}")
        self._check(account.ledger == ledger, ident, "an account is in another ledger")
        return account

    def _begin(self, row: Transfer, dr: Account, cr: Account) -> None:
        self._check(not (dr.flags | cr.flags) & _CLOSED, row.id, "an account is closed")
        self._check(row.pending_id == 0, row.id, "only what ends a hold names one")
        if not row.flags & _PENDING:
            self._check(row.timeout == 0, row.id, "only a hold has a timeout")
            dr.debits_posted += row.amount
            cr.credits_posted += row.amount
            return
        dr.debits_pending += row.amount
        cr.credits_pending += row.amount
        self.holds[row.id] = Hold(
            dr.id,
            cr.id,
            row.amount,
            row.flags,
            row.timestamp + row.timeout * NS if row.timeout else 0,
        )
        self._close(row.flags, dr, cr, _CLOSED)

    def _end(self, row: Transfer, kind: int, dr: Account, cr: Account) -> None:
        ident = row.id
        self._check(kind in _ENDINGS, ident, "a hold ends in one way only")
        hold = self.holds.pop(row.pending_id, None)
        if hold is None:
            raise HistoryBroken(self.rows, ident, "what it ends is no outstanding hold")
        same = (hold.debit_account_id, hold.credit_account_id) == (dr.id, cr.id)
        self._check(same, ident, "the hold is between other accounts")
        due = 0 < hold.due_ns <= row.timestamp
        if kind == _EXPIRED:
            self._check(due, ident, "the hold had not run out yet")
        else:
            self._check(not due, ident, "the hold had run out")
        dr.debits_pending -= hold.amount
        cr.credits_pending -= hold.amount
        if kind == _POST:
            self._check(row.amount <= hold.amount, ident, "more is posted than was held")
            self._check(not (dr.flags | cr.flags) & _CLOSED, ident, "an account is closed")
            dr.debits_posted += row.amount
            cr.credits_posted += row.amount
        else:
            self._check(row.amount == hold.amount, ident, "not all that was held is released")
            self._close(hold.flags, dr, cr, 0)

    @staticmethod
    def _close(flags: int, dr: Account, cr: Account, closed: int) -> None:
        if flags & _CLOSING_DEBIT:
            dr.flags = dr.flags & ~_CLOSED | closed
        if flags & _CLOSING_CREDIT:
            cr.flags = cr.flags & ~_CLOSED | closed

    def _keeps_limits(self, ident: int, a: Account) -> None:
        debited = a.debits_pending + a.debits_posted
        credited = a.credits_pending + a.credits_posted
        self._check(debited <= UNITS_MAX, ident, "an account's debits overflow")
        self._check(credited <= UNITS_MAX, ident, "an account's credits overflow")
        if a.flags & _DEBITS_LIMITED:
            self._check(debited <= a.credits_posted, ident, "debits exceed credits")
        if a.flags & _CREDITS_LIMITED:
            self._check(credited <= a.debits_posted, ident, "credits exceed debits")

    def _same(self, own: Account, stored: Account) -> None:
        if own != stored:
            same = counters(own) == counters(stored)
            what = "the stored account's fixed fields or flags are not history's"
            if not same:
                what = f"stored balance {counters(stored)} is not history's {counters(own)}"
            raise HistoryBroken(0, stored.id, what)


def counters(account: Account) -> tuple[int, int, int, int]:
    """Give debits pending, debits posted, credits pending, credits posted."""
    return (
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
    )
