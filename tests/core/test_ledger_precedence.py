"""A request that is wrong in two ways gets the earlier answer of the documented order."""

from itertools import combinations, pairwise

import msgspec
import pytest

from farthing.core.ledger import (
    AMOUNT_MAX,
    ID_MAX,
    Account,
    AccountResult,
    Ledger,
    PendingState,
    Transfer,
    TransferResult,
)
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.money import UNITS_MAX
from tests.machines.driver import START_NS, Shelf

R = TransferResult
HALF = UNITS_MAX // 2 + 1


def shelf() -> Shelf:
    """Stored before: money on 1..4, another ledger on 5 and 6, closed 8 and 9, some transfers."""
    stored = Shelf()
    stored.accounts = {
        1: Account(1, 1, 1),
        2: Account(2, 1, 1),
        3: Account(3, 1, 1, int(A.DEBITS_MUST_NOT_EXCEED_CREDITS)),
        4: Account(4, 1, 1, int(A.CREDITS_MUST_NOT_EXCEED_DEBITS)),
        5: Account(5, 2, 1),
        6: Account(6, 2, 1),
        8: Account(8, 1, 1, int(A.CLOSED)),
        9: Account(9, 1, 1, int(A.CLOSED)),
        11: Account(11, 1, 1, debits_pending=UNITS_MAX),
        12: Account(12, 1, 1, credits_pending=UNITS_MAX),
        13: Account(13, 1, 1, debits_posted=UNITS_MAX),
        14: Account(14, 1, 1, credits_posted=UNITS_MAX),
        15: Account(15, 1, 1, debits_posted=HALF - 1, debits_pending=HALF),
        16: Account(16, 1, 1, credits_posted=HALF - 1, credits_pending=HALF),
    }
    held = int(F.PENDING)
    for row in (
        MADE,
        HELD,
        POSTED,
        msgspec.structs.replace(HELD, id=70),
        msgspec.structs.replace(HELD, id=71),
        msgspec.structs.replace(HELD, id=72),
        Transfer(73, 8, 2, 10, 1, 1, held, timestamp=5),
        Transfer(74, 1, 9, 10, 1, 1, held, timestamp=5),
        Transfer(75, 8, 9, 10, 1, 1, held, timestamp=5),
    ):
        stored.transfers[row.id] = row
    stored.pendings = dict.fromkeys((60, 73, 74, 75), PendingState.PENDING)
    stored.pendings |= {
        70: PendingState.POSTED,
        71: PendingState.VOIDED,
        72: PendingState.EXPIRED,
    }
    stored.failed = {90}
    return stored


MADE = Transfer(50, 1, 2, 10, 1, 1, timestamp=5)
HELD = Transfer(60, 1, 2, 10, 1, 1, int(F.PENDING), timestamp=5)
POSTED = Transfer(51, 1, 2, 10, 1, 1, int(F.POST_PENDING), 70, timestamp=6)

HEAD = [
    (R.TIMESTAMP_MUST_BE_ZERO, {"timestamp": 1}),
    (R.RESERVED_FLAG, {"flags": int(F.IMPORTED)}),
    (R.RESERVED_FLAG, {"flags": int(F.EXPIRED)}),
    (R.ID_MUST_NOT_BE_ZERO, {"id": 0}),
    (R.ID_MUST_NOT_BE_INT_MAX, {"id": ID_MAX}),
]
EXISTS = [
    (R.EXISTS_WITH_DIFFERENT_FLAGS, {"flags": int(F.PENDING)}),
    (R.EXISTS_WITH_DIFFERENT_PENDING_ID, {"pending_id": 61}),
    (R.EXISTS_WITH_DIFFERENT_TIMEOUT, {"timeout": 9}),
    (R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID, {"debit_account_id": 3}),
    (R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID, {"credit_account_id": 4}),
    (R.EXISTS_WITH_DIFFERENT_AMOUNT, {"amount": 9}),
    (R.EXISTS_WITH_DIFFERENT_USER_DATA_128, {"user_data": 9}),
    (R.EXISTS_WITH_DIFFERENT_LEDGER, {"ledger": 2}),
    (R.EXISTS_WITH_DIFFERENT_CODE, {"code": 9}),
    (R.EXISTS, {}),
]
MOVE = [
    (R.ID_ALREADY_FAILED, {"id": 90}),
    (R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, {"debit_account_id": 0}),
    (R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, {"debit_account_id": ID_MAX}),
    (R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, {"credit_account_id": 0}),
    (R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, {"credit_account_id": ID_MAX}),
    (R.ACCOUNTS_MUST_BE_DIFFERENT, {"debit_account_id": 1, "credit_account_id": 1}),
    (R.PENDING_ID_MUST_BE_ZERO, {"pending_id": 60}),
    (R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER, {"timeout": 1}),
    (R.CLOSING_TRANSFER_MUST_BE_PENDING, {"flags": int(F.CLOSING_CREDIT)}),
    (R.LEDGER_MUST_NOT_BE_ZERO, {"ledger": 0}),
    (R.CODE_MUST_NOT_BE_ZERO, {"code": 0}),
    (R.DEBIT_ACCOUNT_NOT_FOUND, {"debit_account_id": 404}),
    (R.CREDIT_ACCOUNT_NOT_FOUND, {"credit_account_id": 405}),
    (R.ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER, {"debit_account_id": 5}),
    (R.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS, {"ledger": 2}),
    (R.DEBIT_ACCOUNT_ALREADY_CLOSED, {"debit_account_id": 8}),
    (R.CREDIT_ACCOUNT_ALREADY_CLOSED, {"credit_account_id": 9}),
    (R.OVERFLOWS_DEBITS_POSTED, {"debit_account_id": 13}),
    (R.OVERFLOWS_CREDITS_POSTED, {"credit_account_id": 14}),
    (R.OVERFLOWS_DEBITS, {"debit_account_id": 15}),
    (R.OVERFLOWS_CREDITS, {"credit_account_id": 16}),
    (R.EXCEEDS_CREDITS, {"debit_account_id": 3}),
    (R.EXCEEDS_DEBITS, {"credit_account_id": 4}),
]
HOLD = [
    (R.CREDIT_ACCOUNT_ALREADY_CLOSED, {"credit_account_id": 9}),
    (R.OVERFLOWS_DEBITS_PENDING, {"debit_account_id": 11}),
    (R.OVERFLOWS_CREDITS_PENDING, {"credit_account_id": 12}),
    (R.OVERFLOWS_DEBITS_POSTED, {"debit_account_id": 13}),
    (R.OVERFLOWS_CREDITS, {"credit_account_id": 16}),
    (R.OVERFLOWS_TIMEOUT, {"timeout": 2**32 - 1}),
    (R.EXCEEDS_CREDITS, {"debit_account_id": 3}),
    (R.EXCEEDS_DEBITS, {"credit_account_id": 4}),
]
POST = [
    (R.ID_ALREADY_FAILED, {"id": 90}),
    (R.FLAGS_ARE_MUTUALLY_EXCLUSIVE, {"flags": int(F.POST_PENDING | F.VOID_PENDING)}),
    (R.FLAGS_ARE_MUTUALLY_EXCLUSIVE, {"flags": int(F.POST_PENDING | F.PENDING)}),
    (R.FLAGS_ARE_MUTUALLY_EXCLUSIVE, {"flags": int(F.POST_PENDING | F.BALANCING_DEBIT)}),
    (R.FLAGS_ARE_MUTUALLY_EXCLUSIVE, {"flags": int(F.POST_PENDING | F.CLOSING_CREDIT)}),
    (R.PENDING_ID_MUST_NOT_BE_ZERO, {"pending_id": 0}),
    (R.PENDING_ID_MUST_NOT_BE_INT_MAX, {"pending_id": ID_MAX}),
    (R.PENDING_ID_MUST_BE_DIFFERENT, {"pending_id": 100}),
    (R.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER, {"timeout": 1}),
    (R.PENDING_TRANSFER_NOT_FOUND, {"pending_id": 404}),
    (R.PENDING_TRANSFER_NOT_PENDING, {"pending_id": 50}),
    (R.PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID, {"debit_account_id": 3}),
    (R.PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID, {"credit_account_id": 4}),
    (R.PENDING_TRANSFER_HAS_DIFFERENT_LEDGER, {"ledger": 2}),
    (R.PENDING_TRANSFER_HAS_DIFFERENT_CODE, {"code": 9}),
    (R.EXCEEDS_PENDING_TRANSFER_AMOUNT, {"amount": 11}),
    (R.PENDING_TRANSFER_ALREADY_POSTED, {"pending_id": 70}),
    (R.PENDING_TRANSFER_ALREADY_VOIDED, {"pending_id": 71}),
    (R.PENDING_TRANSFER_EXPIRED, {"pending_id": 72}),
    (R.DEBIT_ACCOUNT_ALREADY_CLOSED, {"pending_id": 73}),
    (R.CREDIT_ACCOUNT_ALREADY_CLOSED, {"pending_id": 74}),
    (R.DEBIT_ACCOUNT_ALREADY_CLOSED, {"pending_id": 75}),
]
VOID = [
    (R.PENDING_TRANSFER_HAS_DIFFERENT_CODE, {"code": 9}),
    (R.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT, {"amount": 9}),
    (R.PENDING_TRANSFER_ALREADY_POSTED, {"pending_id": 70}),
    (R.PENDING_TRANSFER_ALREADY_VOIDED, {"pending_id": 71}),
    (R.PENDING_TRANSFER_EXPIRED, {"pending_id": 72}),
]
GOOD_MOVE = Transfer(100, 1, 2, 10, 1, 1)
GOOD_HOLD = Transfer(100, 1, 2, 10, 1, 1, int(F.PENDING), timeout=1)
GOOD_POST = Transfer(100, 0, 0, 10, 0, 0, int(F.POST_PENDING), 60)
GOOD_VOID = Transfer(100, 0, 0, 0, 0, 0, int(F.VOID_PENDING), 60)

FAMILIES = [
    (GOOD_MOVE, HEAD + MOVE),
    (GOOD_HOLD, HEAD + HOLD),
    (GOOD_POST, HEAD + POST),
    (GOOD_VOID, HEAD + VOID),
    (msgspec.structs.replace(MADE, timestamp=0), HEAD[:3] + EXISTS),
    (msgspec.structs.replace(POSTED, timestamp=0), HEAD[:3] + EXISTS[3:]),
]
ORDER = list(TransferResult)

NEVER_TOGETHER = {
    # Chains decide these before anything else; see tests/core/test_ledger.py.
    (R.CREATED, R.LINKED_EVENT_FAILED),
    (R.LINKED_EVENT_FAILED, R.LINKED_EVENT_CHAIN_OPEN),
    (R.LINKED_EVENT_CHAIN_OPEN, R.TIMESTAMP_MUST_BE_ZERO),
    # One field cannot have two values.
    (R.ID_MUST_NOT_BE_ZERO, R.ID_MUST_NOT_BE_INT_MAX),
    (R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
    (R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX),
    (R.CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, R.ACCOUNTS_MUST_BE_DIFFERENT),
    (R.PENDING_ID_MUST_NOT_BE_ZERO, R.PENDING_ID_MUST_NOT_BE_INT_MAX),
    (R.PENDING_ID_MUST_NOT_BE_INT_MAX, R.PENDING_ID_MUST_BE_DIFFERENT),
    # What exists has a good id, and did not fail.
    (R.ID_MUST_NOT_BE_INT_MAX, R.EXISTS_WITH_DIFFERENT_FLAGS),
    (R.EXISTS, R.ID_ALREADY_FAILED),
    # A move and the end of a hold are different requests.
    (R.FLAGS_ARE_MUTUALLY_EXCLUSIVE, R.DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO),
    (R.PENDING_ID_MUST_BE_ZERO, R.PENDING_ID_MUST_NOT_BE_ZERO),
    (R.TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS, R.PENDING_TRANSFER_NOT_FOUND),
    # A hold is there or not, has one end, and posts exceed where voids differ.
    (R.PENDING_TRANSFER_NOT_FOUND, R.PENDING_TRANSFER_NOT_PENDING),
    (R.EXCEEDS_PENDING_TRANSFER_AMOUNT, R.PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT),
    (R.PENDING_TRANSFER_ALREADY_POSTED, R.PENDING_TRANSFER_ALREADY_VOIDED),
    (R.PENDING_TRANSFER_ALREADY_VOIDED, R.PENDING_TRANSFER_EXPIRED),
    (R.PENDING_TRANSFER_EXPIRED, R.DEBIT_ACCOUNT_ALREADY_CLOSED),
}


def answer(request: Transfer, clock_ns: int = START_NS) -> TransferResult:
    stored = shelf()
    before = msgspec.json.encode([stored.accounts, stored.transfers, stored.pendings])
    ledger = Ledger(stored, clock_ns, last_ns=10)
    [result] = ledger.post([request])
    assert msgspec.json.encode([stored.accounts, stored.transfers, stored.pendings]) == before
    if result is not R.CREATED:
        assert not (ledger.made or ledger.changed or ledger.pendings)
        assert ledger.last_ns == 10
    return result


def wrong_twice():
    for base, faults in FAMILIES:
        for (first, one), (second, other) in combinations(faults, 2):
            if not one.keys() & other.keys() and first is not second:
                yield base, first, one, second, other


def clock_of(*results: TransferResult) -> int:
    return UNITS_MAX - 2 * 10**9 if R.OVERFLOWS_TIMEOUT in results else START_NS


@pytest.mark.parametrize("base", [GOOD_MOVE, GOOD_HOLD, GOOD_POST, GOOD_VOID])
def test_a_good_request_is_created(base):
    assert answer(base) is R.CREATED


@pytest.mark.parametrize(("base", "faults"), FAMILIES)
def test_each_single_fault_has_its_own_answer(base, faults):
    for result, change in faults:
        wrong = msgspec.structs.replace(base, **change)
        assert answer(wrong, clock_of(result)) is result


@pytest.mark.parametrize(("base", "first", "one", "second", "other"), [*wrong_twice()])
def test_of_two_faults_the_earlier_is_answered(base, first, one, second, other):
    assert ORDER.index(first) < ORDER.index(second)
    wrong = msgspec.structs.replace(base, **one, **other)
    assert answer(wrong, clock_of(first, second)) is first


def test_every_pair_of_neighbours_is_tried_or_cannot_be():
    tried = {(first, second) for _, first, _, second, _ in wrong_twice()}
    assert not tried & NEVER_TOGETHER
    left = {pair for pair in pairwise(ORDER) if pair not in tried} - NEVER_TOGETHER
    assert left == set()


def test_every_answer_but_those_of_chains_is_tried():
    tried = {result for _, faults in FAMILIES for result, _ in faults}
    chains = {R.CREATED, R.LINKED_EVENT_FAILED, R.LINKED_EVENT_CHAIN_OPEN}
    assert set(TransferResult) - tried == chains


ACCOUNT = Account(7, 1, 1, user_data=3)
ACCOUNT_FAULTS = [
    (AccountResult.TIMESTAMP_MUST_BE_ZERO, {"timestamp": 1}),
    (AccountResult.RESERVED_FLAG, {"flags": int(A.HISTORY)}),
    (AccountResult.ID_MUST_NOT_BE_ZERO, {"id": 0}),
    (AccountResult.ID_MUST_NOT_BE_INT_MAX, {"id": ID_MAX}),
    (AccountResult.FLAGS_ARE_MUTUALLY_EXCLUSIVE, {"flags": 6}),
    (AccountResult.DEBITS_PENDING_MUST_BE_ZERO, {"debits_pending": 1}),
    (AccountResult.DEBITS_POSTED_MUST_BE_ZERO, {"debits_posted": 1}),
    (AccountResult.CREDITS_PENDING_MUST_BE_ZERO, {"credits_pending": 1}),
    (AccountResult.CREDITS_POSTED_MUST_BE_ZERO, {"credits_posted": 1}),
    (AccountResult.LEDGER_MUST_NOT_BE_ZERO, {"ledger": 0}),
    (AccountResult.CODE_MUST_NOT_BE_ZERO, {"code": 0}),
]
ACCOUNT_EXISTS = [
    (AccountResult.EXISTS_WITH_DIFFERENT_FLAGS, {"flags": 2}),
    (AccountResult.EXISTS_WITH_DIFFERENT_USER_DATA_128, {"user_data": 9}),
    (AccountResult.EXISTS_WITH_DIFFERENT_LEDGER, {"ledger": 0}),
    (AccountResult.EXISTS_WITH_DIFFERENT_CODE, {"code": 0}),
    (AccountResult.EXISTS, {"credits_posted": 1}),
]


@pytest.mark.parametrize(
    ("base", "faults"), [(ACCOUNT, ACCOUNT_FAULTS), (Account(1, 1, 1), ACCOUNT_EXISTS)]
)
def test_an_account_wrong_in_two_ways_gets_the_earlier_answer(base, faults):
    order = list(AccountResult)
    for (first, one), (second, other) in combinations(faults, 2):
        if one.keys() & other.keys():
            continue
        assert order.index(first) < order.index(second)
        wrong = msgspec.structs.replace(base, **one, **other)
        assert Ledger(shelf(), START_NS, 10).open_accounts([wrong]) == [first]


def test_the_limit_on_amounts_is_the_sign_for_all():
    assert AMOUNT_MAX == UNITS_MAX
    assert answer(msgspec.structs.replace(GOOD_POST, amount=AMOUNT_MAX)) is R.CREATED
