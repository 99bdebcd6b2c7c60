"""The ledger's checks on one request, in their order of precedence; the first that fits answers.

Each table is walked only after a cheap test in `core/ledger.py` has said that something is wrong,
so that a good transfer does not pay for the explanation of a bad one.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from farthing.clock import NS
from farthing.core.ledger_types import (
    AMOUNT_MAX,
    ID_MAX,
    Account,
    AccountFlags,
    AccountResult,
    Transfer,
    TransferFlags,
    TransferResult,
)
from farthing.errors import Malformed
from farthing.money import UNITS_MAX

A = AccountResult
R = TransferResult
T = TypeVar("T")
E = TypeVar("E")

_U16, _U32 = 2**16 - 1, 2**32 - 1

# Plain integers: arithmetic on flag members costs ten times as much.
LINKED = int(TransferFlags.LINKED)
PENDING = int(TransferFlags.PENDING)
POST = int(TransferFlags.POST_PENDING)
VOID = int(TransferFlags.VOID_PENDING)
RESOLVING = POST | VOID
BALANCING_DEBIT = int(TransferFlags.BALANCING_DEBIT)
BALANCING_CREDIT = int(TransferFlags.BALANCING_CREDIT)
BALANCING = BALANCING_DEBIT | BALANCING_CREDIT
CLOSING_DEBIT = int(TransferFlags.CLOSING_DEBIT)
CLOSING_CREDIT = int(TransferFlags.CLOSING_CREDIT)
CLOSING = CLOSING_DEBIT | CLOSING_CREDIT
EXPIRED = int(TransferFlags.EXPIRED)
TRANSFER_FLAGS_TAKEN = LINKED | PENDING | RESOLVING | BALANCING | CLOSING

DEBITS_LIMITED = int(AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS)
CREDITS_LIMITED = int(AccountFlags.CREDITS_MUST_NOT_EXCEED_DEBITS)
CLOSED = int(AccountFlags.CLOSED)
ACCOUNT_FLAGS_TAKEN = LINKED | DEBITS_LIMITED | CREDITS_LIMITED

Rule = tuple[E, Callable[[T], bool]]


def first(rules: Sequence[Rule[E, T]], request: T) -> E | None:
    """Give the result of the first rule that fits."""
    return next((result for result, fits in rules if fits(request)), None)


def ensure_transfer_fits(t: Transfer) -> None:
    """Stop what no field of the ledger can hold, before anything is decided.

    Raises: Malformed `malformed-transfer`.
    """
    if not (
        0 <= t.amount <= UNITS_MAX
        and 0 <= t.id <= ID_MAX
        and 0 <= t.debit_account_id <= ID_MAX
        and 0 <= t.credit_account_id <= ID_MAX
        and 0 <= t.pending_id <= ID_MAX
        and 0 <= t.user_data <= ID_MAX
        and 0 <= t.timeout <= _U32
        and 0 <= t.ledger <= _U32
        and 0 <= t.code <= _U16
        and 0 <= t.flags <= _U16
    ):
        raise Malformed("malformed-transfer", "a field of the transfer is outside its range")


def ensure_account_fits(a: Account) -> None:
    """Stop what no field of the ledger can hold, before anything is decided.

    Raises: Malformed `malformed-account`.
    """
    if not (
        0 <= a.id <= ID_MAX
        and 0 <= a.user_data <= ID_MAX
        and 0 <= a.ledger <= _U32
        and 0 <= a.code <= _U16
        and 0 <= a.flags <= _U16
    ):
        raise Malformed("malformed-account", "a field of the account is outside its range")


def account_exists(a: Account, e: Account) -> AccountResult:
    """Compare a request with the account that has its id."""
    if a.flags != e.flags:
        return A.EXISTS_WITH_DIFFERENT_FLAGS
    if a.user_data != e.user_data:
        return A.EXISTS_WITH_DIFFERENT_USER_DATA_128
    if a.ledger != e.ledger:
        return A.EXISTS_WITH_DIFFERENT_LEDGER
    return A.EXISTS if a.code == e.code else A.EXISTS_WITH_DIFFERENT_CODE


HEAD_OF_ACCOUNT: Sequence[Rule[AccountResult, Account]] = (
    (A.TIMESTAMP_MUST_BE_ZERO, lambda a: a.timestamp != 0),
    (A.RESERVED_FLAG, lambda a: bool(int(a.flags) & ~ACCOUNT_FLAGS_TAKEN)),
    (A.ID_MUST_NOT_BE_ZERO, lambda a: a.id == 0),
    (A.ID_MUST_NOT_BE_INT_MAX, lambda a: a.id == ID_MAX),
)
_LIMITED = DEBITS_LIMITED | CREDITS_LIMITED
BODY_OF_ACCOUNT: Sequence[Rule[AccountResult, Account]] = (
    (A.FLAGS_ARE_MUTUALLY_EXCLUSIVE, lambda a: int(a.flags) & _LIMITED == _LIMITED),
    (A.DEBITS_PENDING_MUST_BE_ZERO, lambda a: a.debits_pending != 0),
    (A.DEBITS_POSTED_MUST_BE_ZERO, lambda a: a.debits_posted != 0),
    (A.CREDITS_PENDING_MUST_BE_ZERO, lambda a: a.credits_pending != 0),
    (A.CREDITS_POSTED_MUST_BE_ZERO, lambda a: a.credits_posted != 0),
    (A.LEDGER_MUST_NOT_BE_ZERO, lambda a: a.ledger == 0),
    (A.CODE_MUST_NOT_BE_ZERO, lambda a: a.code == 0),
)

HEAD: Sequence[Rule[TransferResult, Transfer]] = (
    (R.TIMESTAMP_MUST_BE_ZERO, lambda t: t.timestamp != 0),
    (R.RESERVED_FLAG, lambda t: bool(int(t.flags) & ~TRANSFER_FLAGS_TAKEN)),
    (R.ID_MUST_NOT_BE_ZERO, lambda t: t.id == 0),
    (R.ID_MUST_NOT_BE_INT_MAX, lambda t: t.id == ID_MAX),
)
MOVING: Sequence[Rule[TransferResult, Transfer]] = (
    (R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, lambda t: t.debit_account_id == 0),
    (R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, lambda t: t.debit_account_id == ID_MAX),
    (R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, lambda t: t.credit_account_id == 0),
    (R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, lambda t: t.credit_account_id == ID_MAX),
    (R.ACCOUNTS_MUST_BE_DIFFERENT, lambda t: t.debit_account_id == t.credit_account_id),
    (R.PENDING_ID_MUST_BE_ZERO, lambda t: t.pending_id != 0),
    (
        R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER,
        lambda t: t.timeout != 0 and not int(t.flags) & PENDING,
    ),
    (
        R.CLOSING_TRANSFER_MUST_BE_PENDING,
        lambda t: bool(int(t.flags) & CLOSING) and not int(t.flags) & PENDING,
    ),
    (R.LEDGER_MUST_NOT_BE_ZERO, lambda t: t.ledger == 0),
    (R.CODE_MUST_NOT_BE_ZERO, lambda t: t.code == 0),
)
_ALONE = (POST, VOID)
ENDING: Sequence[Rule[TransferResult, Transfer]] = (
    (R.FLAGS_ARE_MUTUALLY_EXCLUSIVE, lambda t: int(t.flags) & ~LINKED not in _ALONE),
    (R.PENDING_ID_MUST_NOT_BE_ZERO, lambda t: t.pending_id == 0),
    (R.PENDING_ID_MUST_NOT_BE_INT_MAX, lambda t: t.pending_id == ID_MAX),
    (R.PENDING_ID_MUST_BE_DIFFERENT, lambda t: t.pending_id == t.id),
    (R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER, lambda t: t.timeout != 0),
)


def ended_amount(t: Transfer, p: Transfer) -> int:
    """Tell what a post or void means by its amount: AMOUNT_MAX posts all, zero voids all."""
    return p.amount if t.amount == (0 if t.flags & VOID else AMOUNT_MAX) else t.amount


def differs_from_pending(t: Transfer, p: Transfer) -> TransferResult | None:
    """Compare a post or void with the pending transfer it names; zero means "the same"."""
    if not p.flags & PENDING:
        return R.PENDING_TRANSFER_NOT_PENDING
    if t.debit_account_id and t.debit_account_id != p.debit_account_id:
        return R.PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID
    if t.credit_account_id and t.credit_account_id != p.credit_account_id:
        return R.PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID
    if t.ledger not in (0, p.ledger):
        return R.PENDING_TRANSFER_HAS_DIFFERENT_LEDGER
    if t.code not in (0, p.code):
        return R.PENDING_TRANSFER_HAS_DIFFERENT_CODE
    amount = ended_amount(t, p)
    if amount > p.amount:
        return R.EXCEEDS_PENDING_TRANSFER_AMOUNT
    if t.flags & VOID and amount < p.amount:
        return R.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT
    return None


def is_due(p: Transfer, now_ns: int) -> bool:
    """Tell whether a pending transfer's time has run out."""
    return p.timeout > 0 and p.timestamp + p.timeout * NS <= now_ns


def transfer_exists(t: Transfer, e: Transfer, p: Transfer | None) -> TransferResult:
    """Compare a request with the transfer that has its id; `p` is what a post or void ended."""
    if t.flags != e.flags:
        return R.EXISTS_WITH_DIFFERENT_FLAGS
    if t.pending_id != e.pending_id:
        return R.EXISTS_WITH_DIFFERENT_PENDING_ID
    if t.timeout != e.timeout:
        return R.EXISTS_WITH_DIFFERENT_TIMEOUT
    return _same_move(t, e) if p is None else _same_end(t, e, p)


def _same_move(t: Transfer, e: Transfer) -> TransferResult:
    if t.debit_account_id != e.debit_account_id:
        return R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if t.credit_account_id != e.credit_account_id:
        return R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    # A balancing transfer names a limit; any limit that allows what was moved is the same request.
    if t.amount < e.amount if t.flags & BALANCING else t.amount != e.amount:
        return R.EXISTS_WITH_DIFFERENT_AMOUNT
    if t.user_data != e.user_data:
        return R.EXISTS_WITH_DIFFERENT_USER_DATA_128
    if t.ledger != e.ledger:
        return R.EXISTS_WITH_DIFFERENT_LEDGER
    return R.EXISTS if t.code == e.code else R.EXISTS_WITH_DIFFERENT_CODE


def _same_end(t: Transfer, e: Transfer, p: Transfer) -> TransferResult:
    if t.debit_account_id not in (0, e.debit_account_id):
        return R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID
    if t.credit_account_id not in (0, e.credit_account_id):
        return R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID
    if ended_amount(t, p) != e.amount:
        return R.EXISTS_WITH_DIFFERENT_AMOUNT
    if (t.user_data or p.user_data) != e.user_data:
        return R.EXISTS_WITH_DIFFERENT_USER_DATA_128
    if t.ledger not in (0, e.ledger):
        return R.EXISTS_WITH_DIFFERENT_LEDGER
    return R.EXISTS if t.code in (0, e.code) else R.EXISTS_WITH_DIFFERENT_CODE
