"""What two accounts have against a transfer between them: ledger, closure, overflow and limits."""

from farthing.clock import NS
from farthing.core.ledger_checks import (
    BALANCING_CREDIT,
    BALANCING_DEBIT,
    CLOSED,
    CREDITS_LIMITED,
    DEBITS_LIMITED,
    PENDING,
)
from farthing.core.ledger_types import Account, Transfer, TransferResult
from farthing.money import UNITS_MAX

R = TransferResult


def balanced_amount(dr: Account, cr: Account, amount: int, flags: int) -> int:
    """Cut the amount to what the sides still have, never below zero."""
    if flags & BALANCING_DEBIT:
        left = dr.credits_posted - dr.debits_posted - dr.debits_pending
        amount = min(amount, max(left, 0))
    if flags & BALANCING_CREDIT:
        left = cr.debits_posted - cr.credits_posted - cr.credits_pending
        amount = min(amount, max(left, 0))
    return amount


def stands_against(
    t: Transfer, dr: Account, cr: Account, amount: int, now_ns: int
) -> TransferResult | None:
    """Find what the accounts have against the transfer, in order of precedence."""
    dr_flags, cr_flags = dr.flags, cr.flags
    if not dr.ledger == cr.ledger == t.ledger or (dr_flags | cr_flags) & CLOSED:
        return _unfit(t, dr, cr)
    debited = dr.debits_pending + dr.debits_posted + amount
    credited = cr.credits_pending + cr.credits_posted + amount
    if debited > UNITS_MAX or credited > UNITS_MAX:
        return _overflow(dr, cr, amount, int(t.flags))
    if now_ns + t.timeout * NS > UNITS_MAX:
        return R.OVERFLOWS_TIMEOUT
    if dr_flags & DEBITS_LIMITED and debited > dr.credits_posted:
        return R.EXCEEDS_CREDITS
    if cr_flags & CREDITS_LIMITED and credited > cr.debits_posted:
        return R.EXCEEDS_DEBITS
    return None


def _unfit(t: Transfer, dr: Account, cr: Account) -> TransferResult:
    """Say why two accounts known not to take this transfer do not."""
    if dr.ledger != cr.ledger:
        return R.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER
    if t.ledger != dr.ledger:
        return R.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS
    if dr.flags & CLOSED:
        return R.DEBIT_ACCOUNT_ALREADY_CLOSED
    return R.CREDIT_ACCOUNT_ALREADY_CLOSED


def _overflow(dr: Account, cr: Account, amount: int, flags: int) -> TransferResult:
    """Name the counter that an amount known not to fit would make too large."""
    if flags & PENDING and dr.debits_pending + amount > UNITS_MAX:
        return R.OVERFLOWS_DEBITS_PENDING
    if flags & PENDING and cr.credits_pending + amount > UNITS_MAX:
        return R.OVERFLOWS_CREDITS_PENDING
    if dr.debits_posted + amount > UNITS_MAX:
        return R.OVERFLOWS_DEBITS_POSTED
    if cr.credits_posted + amount > UNITS_MAX:
        return R.OVERFLOWS_CREDITS_POSTED
    if dr.debits_pending + dr.debits_posted + amount > UNITS_MAX:
        return R.OVERFLOWS_DEBITS
    return R.OVERFLOWS_CREDITS
