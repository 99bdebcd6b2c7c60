"""The model's objections to a request, all of them in the documented order: the first is given."""

# The objections stand in one list each, as they are documented.
# ruff: noqa: C901, PLR0912

from collections.abc import Iterator
from typing import NamedTuple

from farthing.core.ledger_types import Account, AccountFlags, AccountResult, Transfer
from farthing.core.ledger_types import TransferFlags as F
from farthing.core.ledger_types import TransferResult as R

MOST = 2**63 - 1
TOP = 2**128 - 1
SECOND = 10**9
ENDS = F.POST_PENDING | F.VOID_PENDING
BALANCES = F.BALANCING_DEBIT | F.BALANCING_CREDIT
CLOSES = F.CLOSING_DEBIT | F.CLOSING_CREDIT
KNOWN = F.LINKED | F.PENDING | ENDS | BALANCES | CLOSES


class Accepted(NamedTuple):
    """One thing that happened; an expiry has no request of its own."""

    ident: int
    request: Transfer | None
    debit: int
    credit: int
    amount: int
    user_data: int
    ends: int
    how: str
    at_ns: int


class Counters(NamedTuple):
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


class Objections:
    """What speaks against a request; `Model` knows what is so."""

    def _against_account(self, a: Account) -> Iterator[AccountResult]:
        no = AccountResult
        if a.timestamp:
            yield no.TIMESTAMP_MUST_BE_ZERO
        if a.flags not in range(8):
            yield no.RESERVED_FLAG
        if a.id == 0:
            yield no.ID_MUST_NOT_BE_ZERO
        if a.id == TOP:
            yield no.ID_MUST_NOT_BE_INT_MAX
        if a.id in self.accounts:
            e = self.accounts[a.id]
            if a.flags != e.flags | (AccountFlags.CLOSED if self.is_closed(a.id) else 0):
                yield no.EXISTS_WITH_DIFFERENT_FLAGS
            if a.user_data != e.user_data:
                yield no.EXISTS_WITH_DIFFERENT_USER_DATA_128
            if a.ledger != e.ledger:
                yield no.EXISTS_WITH_DIFFERENT_LEDGER
            if a.code != e.code:
                yield no.EXISTS_WITH_DIFFERENT_CODE
            yield no.EXISTS
        if a.flags in (6, 7):
            yield no.FLAGS_ARE_MUTUALLY_EXCLUSIVE
        for name in Counters._fields:
            if getattr(a, name):
                yield no[f"{name}_must_be_zero".upper()]
        if not a.ledger:
            yield no.LEDGER_MUST_NOT_BE_ZERO
        if not a.code:
            yield no.CODE_MUST_NOT_BE_ZERO

    def _against(self, t: Transfer) -> Iterator[R]:
        if t.timestamp:
            yield R.TIMESTAMP_MUST_BE_ZERO
        if t.flags & ~KNOWN:
            yield R.RESERVED_FLAG
        if t.id == 0:
            yield R.ID_MUST_NOT_BE_ZERO
        if t.id == TOP:
            yield R.ID_MUST_NOT_BE_INT_MAX
        if self.found(t.id):
            yield from self._against_again(t, self.found(t.id))
        if t.id in self.failed:
            yield R.ID_ALREADY_FAILED
        yield from self._against_end(t) if t.flags & ENDS else self._against_start(t)

    def _against_again(self, t: Transfer, it: Accepted) -> Iterator[R]:
        e = it.request
        for name in ("flags", "pending_id", "timeout"):
            if getattr(t, name) != getattr(e, name):
                yield R[f"exists_with_different_{name}".upper()]
        ended = self.found(it.ends)
        for name, first in (("debit_account_id", it.debit), ("credit_account_id", it.credit)):
            given = getattr(t, name)
            if given != first and not (ended and given == 0):
                yield R[f"exists_with_different_{name}".upper()]
        if ended:
            if self._meant(t, ended) != it.amount:
                yield R.EXISTS_WITH_DIFFERENT_AMOUNT
            if (t.user_data or ended.user_data) != it.user_data:
                yield R.EXISTS_WITH_DIFFERENT_USER_DATA_128
        else:
            if t.amount < it.amount or (t.amount > it.amount and not t.flags & BALANCES):
                yield R.EXISTS_WITH_DIFFERENT_AMOUNT
            if t.user_data != it.user_data:
                yield R.EXISTS_WITH_DIFFERENT_USER_DATA_128
        original = ended.request if ended else e
        for name in ("ledger", "code"):
            given = getattr(t, name)
            if given != getattr(original, name) and not (ended and given == 0):
                yield R[f"exists_with_different_{name}".upper()]
        yield R.EXISTS

    def _against_start(self, t: Transfer) -> Iterator[R]:
        for name in ("debit_account_id", "credit_account_id"):
            if getattr(t, name) == 0:
                yield R[f"{name}_must_not_be_zero".upper()]
            if getattr(t, name) == TOP:
                yield R[f"{name}_must_not_be_int_max".upper()]
        if t.debit_account_id == t.credit_account_id:
            yield R.ACCOUNTS_MUST_BE_DIFFERENT
        if t.pending_id:
            yield R.PENDING_ID_MUST_BE_ZERO
        if t.timeout and not t.flags & F.PENDING:
            yield R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER
        if t.flags & CLOSES and not t.flags & F.PENDING:
            yield R.CLOSING_TRANSFER_MUST_BE_PENDING
        if not t.ledger:
            yield R.LEDGER_MUST_NOT_BE_ZERO
        if not t.code:
            yield R.CODE_MUST_NOT_BE_ZERO
        if t.debit_account_id not in self.accounts:
            yield R.DEBIT_ACCOUNT_NOT_FOUND
        if t.credit_account_id not in self.accounts:
            yield R.CREDIT_ACCOUNT_NOT_FOUND
        yield from self._against_accounts(t)

    def _against_accounts(self, t: Transfer) -> Iterator[R]:
        dr, cr = self.accounts[t.debit_account_id], self.accounts[t.credit_account_id]
        if dr.ledger != cr.ledger:
            yield R.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER
        if dr.ledger != t.ledger:
            yield R.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS
        if self.is_closed(dr.id):
            yield R.DEBIT_ACCOUNT_ALREADY_CLOSED
        if self.is_closed(cr.id):
            yield R.CREDIT_ACCOUNT_ALREADY_CLOSED
        d, c, amount = self.counters(dr.id), self.counters(cr.id), self._cut(t)
        if t.flags & F.PENDING and d.debits_pending + amount > MOST:
            yield R.OVERFLOWS_DEBITS_PENDING
        if t.flags & F.PENDING and c.credits_pending + amount > MOST:
            yield R.OVERFLOWS_CREDITS_PENDING
        if d.debits_posted + amount > MOST:
            yield R.OVERFLOWS_DEBITS_POSTED
        if c.credits_posted + amount > MOST:
            yield R.OVERFLOWS_CREDITS_POSTED
        if d.debits_posted + d.debits_pending + amount > MOST:
            yield R.OVERFLOWS_DEBITS
        if c.credits_posted + c.credits_pending + amount > MOST:
            yield R.OVERFLOWS_CREDITS
        if self.clock_ns + t.timeout * SECOND > MOST:
            yield R.OVERFLOWS_TIMEOUT
        if dr.flags & 2 and d.debits_posted + d.debits_pending + amount > d.credits_posted:
            yield R.EXCEEDS_CREDITS
        if cr.flags & 4 and c.credits_posted + c.credits_pending + amount > c.debits_posted:
            yield R.EXCEEDS_DEBITS

    def _against_end(self, t: Transfer) -> Iterator[R]:
        if (t.flags & ENDS) == ENDS or t.flags & (F.PENDING | BALANCES | CLOSES):
            yield R.FLAGS_ARE_MUTUALLY_EXCLUSIVE
        if t.pending_id == 0:
            yield R.PENDING_ID_MUST_NOT_BE_ZERO
        if t.pending_id == TOP:
            yield R.PENDING_ID_MUST_NOT_BE_INT_MAX
        if t.pending_id == t.id:
            yield R.PENDING_ID_MUST_BE_DIFFERENT
        if t.timeout:
            yield R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER
        p = self.found(t.pending_id)
        if p is None:
            yield R.PENDING_TRANSFER_NOT_FOUND
        if p.how != "held":
            yield R.PENDING_TRANSFER_NOT_PENDING
        for name in ("debit_account_id", "credit_account_id", "ledger", "code"):
            if getattr(t, name) and getattr(t, name) != getattr(p.request, name):
                yield R[f"pending_transfer_has_different_{name}".upper()]
        if self._meant(t, p) > p.amount:
            yield R.EXCEEDS_PENDING_TRANSFER_AMOUNT
        if t.flags & F.VOID_PENDING and self._meant(t, p) != p.amount:
            yield R.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT
        said = {
            "posted": R.PENDING_TRANSFER_ALREADY_POSTED,
            "voided": R.PENDING_TRANSFER_ALREADY_VOIDED,
            "expired": R.PENDING_TRANSFER_EXPIRED,
        }
        if self.ending(p.ident):
            yield said[self.ending(p.ident)]
        if t.flags & F.POST_PENDING and self.is_closed(p.debit):
            yield R.DEBIT_ACCOUNT_ALREADY_CLOSED
        if t.flags & F.POST_PENDING and self.is_closed(p.credit):
            yield R.CREDIT_ACCOUNT_ALREADY_CLOSED
