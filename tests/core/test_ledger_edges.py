"""The ledger at its edges: the last value that fits, the first that does not, and ways back."""

import msgspec
import pytest

from farthing.clock import NS
from farthing.core import ledger_checks as checks
from farthing.core.ledger import (
    AMOUNT_MAX,
    ID_MAX,
    Account,
    Ledger,
    PendingState,
    Transfer,
    TransferResult,
    canonical_account,
    canonical_row,
    expiry_id,
    linked,
)
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.core.ledger_limits import balanced_amount, stands_against
from farthing.core.ledger_rows import read_account, read_row, with_time
from farthing.core.replay import counters
from farthing.errors import InvariantBroken, Malformed
from farthing.money import UNITS_MAX
from tests.machines.driver import CoreDriver, Shelf

R = TransferResult
CREATED = R.CREATED
PENDING, POST, VOID = int(F.PENDING), int(F.POST_PENDING), int(F.VOID_PENDING)
BALANCING_DEBIT, BALANCING_CREDIT = int(F.BALANCING_DEBIT), int(F.BALANCING_CREDIT)
U16, U32 = 2**16 - 1, 2**32 - 1


@pytest.fixture
def books() -> CoreDriver:
    """A mint (1), two owners who may not overdraw (2, 3), and 100 units at 2."""
    books = CoreDriver()
    owner = int(A.DEBITS_MUST_NOT_EXCEED_CREDITS)
    books.open([Account(1, 1, 1), Account(2, 1, 1, owner), Account(3, 1, 1, owner)])
    assert books.post([Transfer(10, 1, 2, 100, 1, 1)]) == [CREATED]
    return books


def ledger_over(books: CoreDriver, later_ns: int = 0) -> Ledger:
    return Ledger(books.shelf, books.clock_ns + later_ns, books.shelf.last_ns)


def pay(ident: int, amount: int, flags: int = 0, **more: int) -> Transfer:
    return Transfer(ident, 2, 3, amount, 1, 1, flags, **more)


def end(ident: int, pending_id: int, amount: int, flags: int = POST) -> Transfer:
    return Transfer(ident, 0, 0, amount, 0, 0, flags, pending_id)


LARGEST = Transfer(ID_MAX, ID_MAX, ID_MAX, UNITS_MAX, U32, U16, U16, ID_MAX, ID_MAX, U32)


@pytest.mark.parametrize("field", LARGEST.__struct_fields__[:-1])
def test_the_largest_value_of_each_field_fits_and_one_more_does_not(field):
    checks.ensure_transfer_fits(LARGEST)
    more = msgspec.structs.replace(LARGEST, **{field: getattr(LARGEST, field) + 1})
    with pytest.raises(Malformed) as raised:
        checks.ensure_transfer_fits(more)
    assert raised.value.code == "malformed-transfer"


@pytest.mark.parametrize("field", ["id", "user_data", "ledger", "code", "flags"])
def test_the_largest_value_of_an_accounts_field_fits_and_one_more_does_not(field):
    largest = Account(ID_MAX, U32, U16, U16, ID_MAX)
    checks.ensure_account_fits(largest)
    more = msgspec.structs.replace(largest, **{field: getattr(largest, field) + 1})
    with pytest.raises(Malformed) as raised:
        checks.ensure_account_fits(more)
    assert raised.value.code == "malformed-account"


def test_the_first_id_of_all_can_be_used():
    books = CoreDriver()
    books.open([Account(1, 1, 1), Account(2, 1, 1)])
    assert books.post([Transfer(1, 1, 2, 5, 1, 1)]) == [CREATED]
    assert books.post([Transfer(2, 2, 1, 5, 1, 1)]) == [CREATED]


def test_a_chain_in_the_middle_of_a_batch_fails_in_its_own_places(books):
    chain = linked([pay(12, 5), pay(13, 6), pay(14, 99)])
    failed = R.LINKED_EVENT_FAILED
    assert books.post([pay(11, 1), *chain, pay(15, 2)]) == [
        CREATED,
        failed,
        failed,
        R.EXCEEDS_CREDITS,
        CREATED,
    ]


def test_what_is_not_yet_due_does_not_keep_what_is_from_expiring(books):
    books.post([pay(11, 1, PENDING, timeout=9), pay(12, 2, PENDING, timeout=1, user_data=7)])
    held = books.shelf.transfers
    ledger = ledger_over(books, 2 * NS)
    now_ns = ledger.now_ns
    [row] = ledger.expire_due([held[11], held[12]])
    assert (row.id, row.user_data, row.timestamp) == (expiry_id(held[12]), 7, now_ns)
    assert ledger.last_ns == now_ns


def test_an_ending_sent_again_exists_however_its_blanks_are_filled(books):
    posted = end(12, 11, AMOUNT_MAX)
    assert books.post([pay(11, 30, PENDING, user_data=9), posted]) == [CREATED, CREATED]
    replace = msgspec.structs.replace
    full = replace(
        posted, debit_account_id=2, credit_account_id=3, amount=30, ledger=1, code=1, user_data=9
    )
    assert books.post([posted, full]) == [R.EXISTS, R.EXISTS]
    wrong = [
        replace(posted, debit_account_id=1),
        replace(posted, credit_account_id=1),
        replace(posted, amount=29),
        replace(posted, user_data=8),
        replace(posted, ledger=2),
        replace(posted, code=2),
    ]
    assert books.post(wrong) == [
        R.EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID,
        R.EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID,
        R.EXISTS_WITH_DIFFERENT_AMOUNT,
        R.EXISTS_WITH_DIFFERENT_USER_DATA_128,
        R.EXISTS_WITH_DIFFERENT_LEDGER,
        R.EXISTS_WITH_DIFFERENT_CODE,
    ]


def test_a_transfer_sent_again_with_more_is_another_one(books):
    different = R.EXISTS_WITH_DIFFERENT_AMOUNT
    assert books.post([pay(11, 30), pay(11, 31), pay(11, 29)]) == [CREATED, different, different]


def test_a_balancing_transfer_sent_again_exists_from_what_it_moved_on(books):
    sent = [pay(11, amount, BALANCING_DEBIT) for amount in (500, 100, 101, 99)]
    assert books.post(sent) == [CREATED, R.EXISTS, R.EXISTS, R.EXISTS_WITH_DIFFERENT_AMOUNT]


@pytest.mark.parametrize(
    ("flags", "amount", "cut"),
    [
        (BALANCING_DEBIT, 90, 60),
        (BALANCING_DEBIT, 59, 59),
        (BALANCING_CREDIT, 90, 50),
        (BALANCING_CREDIT, 49, 49),
        (BALANCING_DEBIT | BALANCING_CREDIT, 90, 50),
        (0, 90, 90),
    ],
)
def test_a_balancing_amount_is_cut_to_what_its_own_sides_have(flags, amount, cut):
    debit = Account(1, 1, 1, debits_pending=10, debits_posted=30, credits_posted=100)
    credit = Account(2, 1, 1, credits_pending=7, credits_posted=3, debits_posted=60)
    assert balanced_amount(debit, credit, amount, flags) == cut


@pytest.mark.parametrize("flags", [BALANCING_DEBIT, BALANCING_CREDIT])
def test_a_balancing_amount_is_nothing_where_a_side_is_over(flags):
    debit = Account(1, 1, 1, debits_posted=30, credits_posted=10)
    credit = Account(2, 1, 1, credits_posted=30, debits_posted=10)
    assert balanced_amount(debit, credit, 5, flags) == 0


def test_a_side_that_is_over_does_not_matter_to_what_balances_the_other():
    over_debit = Account(1, 1, 1, debits_posted=30)
    over_credit = Account(2, 1, 1, credits_posted=30)
    assert balanced_amount(over_debit, Account(3, 1, 1, debits_posted=9), 5, BALANCING_CREDIT) == 5
    assert balanced_amount(Account(3, 1, 1, credits_posted=9), over_credit, 5, BALANCING_DEBIT) == 5


FREE = (Account(1, 1, 1), Account(2, 1, 1))
SIDES = {
    R.OVERFLOWS_DEBITS_PENDING: (Account(1, 1, 1, debits_pending=UNITS_MAX - 5), FREE[1], PENDING),
    R.OVERFLOWS_CREDITS_PENDING: (
        FREE[0],
        Account(2, 1, 1, credits_pending=UNITS_MAX - 5),
        PENDING,
    ),
    R.OVERFLOWS_DEBITS_POSTED: (Account(1, 1, 1, debits_posted=UNITS_MAX - 5), FREE[1], 0),
    R.OVERFLOWS_CREDITS_POSTED: (FREE[0], Account(2, 1, 1, credits_posted=UNITS_MAX - 5), 0),
    R.OVERFLOWS_DEBITS: (Account(1, 1, 1, debits_pending=UNITS_MAX - 5), FREE[1], 0),
    R.OVERFLOWS_CREDITS: (FREE[0], Account(2, 1, 1, credits_pending=UNITS_MAX - 5), 0),
}


@pytest.mark.parametrize("result", SIDES, ids=lambda result: result.name)
def test_a_counter_takes_all_it_can_hold_and_not_one_unit_more(result):
    debit, credit, flags = SIDES[result]
    for amount, answer in ((5, None), (6, result)):
        moved = Transfer(9, 1, 2, amount, 1, 1, flags)
        assert stands_against(moved, debit, credit, amount, 1) == answer


FILLED = {
    R.OVERFLOWS_DEBITS: [
        (Account(1, 1, 1, debits_pending=UNITS_MAX - 5, debits_posted=1), FREE[1], PENDING),
        (Account(1, 1, 1, debits_posted=UNITS_MAX - 5, debits_pending=1), FREE[1], 0),
    ],
    R.OVERFLOWS_CREDITS: [
        (FREE[0], Account(2, 1, 1, credits_pending=UNITS_MAX - 5, credits_posted=1), PENDING),
        (FREE[0], Account(2, 1, 1, credits_posted=UNITS_MAX - 5, credits_pending=1), 0),
        # The debits are just full, and are not what is wrong.
        (
            Account(1, 1, 1, debits_posted=UNITS_MAX - 5),
            Account(2, 1, 1, credits_pending=UNITS_MAX - 5, credits_posted=1),
            0,
        ),
    ],
}


@pytest.mark.parametrize("result", FILLED, ids=lambda result: result.name)
def test_a_counter_that_is_just_full_is_not_the_one_that_overflows(result):
    for debit, credit, flags in FILLED[result]:
        moved = Transfer(9, 1, 2, 5, 1, 1, flags)
        assert stands_against(moved, debit, credit, 5, 1) == result


def test_a_hold_may_end_at_the_last_moment_there_is_and_not_after():
    hold = Transfer(9, 1, 2, 5, 1, 1, PENDING, timeout=3)
    assert stands_against(hold, *FREE, 5, UNITS_MAX - 3 * NS) is None
    assert stands_against(hold, *FREE, 5, UNITS_MAX - 3 * NS + 1) == R.OVERFLOWS_TIMEOUT


def test_an_account_takes_credits_up_to_its_debits_and_not_one_unit_more():
    limited = Account(2, 1, 1, int(A.CREDITS_MUST_NOT_EXCEED_DEBITS), debits_posted=10)
    assert stands_against(pay(9, 10), FREE[0], limited, 10, 1) is None
    assert stands_against(pay(9, 11), FREE[0], limited, 11, 1) == R.EXCEEDS_DEBITS


def test_what_is_written_is_read_back():
    row = Transfer(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    assert read_row(canonical_row(row)) == row
    account = Account(1, 2, 3, 4, 5, 6)
    assert read_account(canonical_account(account)) == account
    assert with_time(b"row", 0x0102) == b"row\0\0\0\0\0\0\1\2"


def test_the_id_of_an_expiry_is_the_same_for_ever():
    p = Transfer(77, 2, 3, 5, 1, 1, PENDING, timeout=3, timestamp=1_700_000_000 * NS)
    assert f"{expiry_id(p):032x}" == "018bcfe573b832144c983a0b5b38a400"
    assert f"{expiry_id(p, 1):032x}" == "018bcfe573b8cae1cf4c3e6ce1d47b00"


def test_what_was_decided_is_made_again_as_it_was(books):
    first = ledger_over(books)
    first.open_accounts([Account(7, 1, 1)])
    first.post([Transfer(11, 2, 7, 5, 1, 1), pay(12, 20, PENDING), pay(13, 9, PENDING)])
    first.post([end(14, 12, 15), end(15, 13, 0, VOID), pay(16, 99)])
    again = ledger_over(books)
    again.redo(first.opened, first.made)
    again.use_up(first.failed)
    for what in ("made", "changed", "pendings", "opened", "failed", "last_ns"):
        assert getattr(again, what) == getattr(first, what), what
    assert again.has_failed(16) and not again.has_failed(14)
    assert [a.id for a in again.opened_since(0)] == [7]
    assert again.opened_since(1) == []


def test_an_account_that_is_opened_again_moves_the_books_time(books):
    opened = Account(7, 1, 1, timestamp=books.clock_ns + 50)
    again = ledger_over(books)
    again.redo([opened], [])
    assert again.last_ns == opened.timestamp
    again.redo([Account(8, 1, 1, timestamp=5)], [])
    assert again.last_ns == opened.timestamp


def test_an_id_that_failed_before_is_known_from_the_source(books):
    books.post([pay(11, 999)])
    assert ledger_over(books).has_failed(11)


@pytest.mark.parametrize("flags", [int(F.EXPIRED), POST, VOID])
def test_what_ends_a_hold_that_is_not_there_is_our_own_fault(books, flags):
    with pytest.raises(InvariantBroken) as raised:
        ledger_over(books).redo([], [pay(12, 5, flags, pending_id=404)])
    assert raised.value.code == "invariant-broken"


@pytest.mark.parametrize("gone", [2, 3])
def test_a_row_whose_account_is_not_there_is_our_own_fault(books, gone):
    shelf: Shelf = books.shelf
    del shelf.accounts[gone]
    with pytest.raises(InvariantBroken) as raised:
        ledger_over(books).redo([], [pay(12, 5)])
    assert raised.value.code == "invariant-broken"


def test_a_failed_chain_gives_back_what_it_held_of_accounts_that_had_moved(books):
    ledger = ledger_over(books)
    ledger.post([pay(11, 10), pay(12, 20, PENDING)])
    before = {ident: counters(account) for ident, account in ledger.changed.items()}
    ledger.post(linked([pay(13, 30, PENDING), pay(14, 999)]))
    assert {ident: counters(account) for ident, account in ledger.changed.items()} == before
    assert ledger.pendings == {12: PendingState.PENDING}


@pytest.mark.parametrize("closing", [F.CLOSING_DEBIT, F.CLOSING_CREDIT])
def test_a_failed_chain_opens_what_it_closed_of_accounts_that_had_moved(books, closing):
    ledger = ledger_over(books)
    ledger.post([pay(11, 10)])
    latch = pay(12, 0, PENDING | int(closing))
    assert ledger.post(linked([latch, pay(13, 1)]))[1] != CREATED
    assert ledger.post([pay(14, 1)]) == [CREATED]


@pytest.mark.parametrize(
    ("latch", "other", "still_closed"),
    [
        (pay(11, 0, PENDING | F.CLOSING_CREDIT), Transfer(12, 2, 1, 0, 1, 1, 66), 2),
        (pay(11, 0, PENDING | F.CLOSING_DEBIT), Transfer(12, 1, 3, 0, 1, 1, 130), 3),
    ],
)
def test_a_latch_that_is_voided_opens_what_it_closed_and_no_more(books, latch, other, still_closed):
    assert books.post([latch, other]) == [CREATED, CREATED]
    assert books.post([end(13, 11, 0, VOID)]) == [CREATED]
    accounts = books.shelf.accounts
    assert [i for i in (2, 3) if accounts[i].flags & A.CLOSED] == [still_closed]
