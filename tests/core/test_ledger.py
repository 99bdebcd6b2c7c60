import msgspec
import pytest

from farthing.core.ledger import (
    AMOUNT_MAX,
    Account,
    AccountResult,
    Ledger,
    PendingState,
    Transfer,
    TransferResult,
    linked,
)
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.core.replay import counters
from farthing.errors import Malformed
from farthing.money import UNITS_MAX
from tests.machines.driver import CoreDriver

R = TransferResult
CREATED = R.CREATED
HELD = PendingState.PENDING
PENDING, POST, VOID = int(F.PENDING), int(F.POST_PENDING), int(F.VOID_PENDING)


@pytest.fixture
def books() -> CoreDriver:
    """A mint (1), two owners who may not overdraw (2, 3), and 100 units at 2."""
    books = CoreDriver()
    owner = int(A.DEBITS_MUST_NOT_EXCEED_CREDITS)
    books.open([Account(1, 1, 1), Account(2, 1, 1, owner), Account(3, 1, 1, owner)])
    assert books.post([Transfer(10, 1, 2, 100, 1, 1)]) == [CREATED]
    return books


def ledger_over(books: CoreDriver) -> Ledger:
    return Ledger(books.shelf, books.clock_ns, books.shelf.last_ns)


def pay(ident: int, amount: int, flags: int = 0, **more: int) -> Transfer:
    return Transfer(ident, 2, 3, amount, 1, 1, flags, **more)


def end(ident: int, pending_id: int, amount: int, flags: int = POST) -> Transfer:
    return Transfer(ident, 0, 0, amount, 0, 0, flags, pending_id)


def test_a_transfer_debits_one_account_and_credits_another(books):
    assert books.post([pay(11, 30)]) == [CREATED]
    assert books.balances()[2] == (0, 30, 0, 100)
    assert books.balances()[3] == (0, 0, 0, 30)


def test_the_same_transfer_again_answers_exists_and_moves_nothing(books):
    assert books.post([pay(11, 30), pay(11, 30)]) == [CREATED, R.EXISTS]
    assert books.post([pay(11, 30)]) == [R.EXISTS]
    assert books.balances()[3] == (0, 0, 0, 30)


def test_an_owner_can_spend_all_and_not_one_unit_more(books):
    assert books.post([pay(11, 101), pay(12, 100), pay(13, 1)]) == [
        R.EXCEEDS_CREDITS,
        CREATED,
        R.EXCEEDS_CREDITS,
    ]
    assert books.balances()[2] == (0, 100, 0, 100)


def test_a_batch_is_decided_in_order_and_never_netted(books):
    back = Transfer(12, 3, 2, 50, 1, 1)
    assert books.post([pay(11, 120), back]) == [R.EXCEEDS_CREDITS, R.EXCEEDS_CREDITS]


def test_what_is_held_cannot_be_spent_until_it_is_released(books):
    assert books.post([pay(11, 70, PENDING)]) == [CREATED]
    assert books.post([pay(12, 31)]) == [R.EXCEEDS_CREDITS]
    assert books.post([end(13, 11, 0, VOID)]) == [CREATED]
    assert books.post([pay(14, 31)]) == [CREATED]
    assert books.balances()[2] == (0, 31, 0, 100)


def test_a_post_moves_what_it_says_and_gives_the_rest_back(books):
    books.post([pay(11, 70, PENDING), end(12, 11, 40)])
    assert books.balances()[2] == (0, 40, 0, 100)
    assert books.balances()[3] == (0, 0, 0, 40)
    assert books.post([end(13, 11, 1)]) == [R.PENDING_TRANSFER_ALREADY_POSTED]


def test_a_post_of_amount_max_moves_all_that_is_held(books):
    ledger = ledger_over(books)
    ledger.post([pay(11, 70, PENDING, user_data=5), end(12, 11, AMOUNT_MAX)])
    row = ledger.made[-1]
    assert (row.amount, row.debit_account_id, row.credit_account_id) == (70, 2, 3)
    assert (row.ledger, row.code, row.user_data, row.pending_id) == (1, 1, 5, 11)


def test_a_post_of_zero_moves_nothing_and_a_void_of_zero_voids_all(books):
    books.post([pay(11, 70, PENDING), end(12, 11, 0)])
    assert books.balances()[2] == (0, 0, 0, 100)
    books.post([pay(13, 70, PENDING), end(14, 13, 0, VOID)])
    assert books.shelf.transfers[14].amount == 70
    assert books.shelf.pendings == {11: PendingState.POSTED, 13: PendingState.VOIDED}


def test_a_chain_that_fails_leaves_no_trace_and_only_its_breaker_says_why(books):
    ledger = ledger_over(books)
    chain = linked([pay(11, 30), pay(12, 20, PENDING), end(13, 12, 5), pay(14, 99), pay(15, 1)])
    failed = R.LINKED_EVENT_FAILED
    assert ledger.post(chain) == [failed, failed, failed, R.EXCEEDS_CREDITS, failed]
    assert (ledger.made, ledger.changed, ledger.pendings) == ([], {}, {})
    assert ledger.last_ns == books.shelf.last_ns
    assert ledger.failed == [14]


def test_a_failed_chain_takes_back_only_itself(books):
    ledger = ledger_over(books)
    assert ledger.post([pay(11, 10), pay(12, 20, PENDING)]) == [CREATED, CREATED]
    before = {i: counters(a) for i, a in ledger.changed.items()}
    chain = linked([end(13, 12, 15), pay(14, 5), Transfer(15, 2, 404, 1, 1, 1)])
    assert ledger.post(chain)[-1] is R.CREDIT_ACCOUNT_NOT_FOUND
    assert {i: counters(a) for i, a in ledger.changed.items()} == before
    assert [row.id for row in ledger.made] == [11, 12]
    assert ledger.pendings == {12: HELD}
    assert ledger.transfer(13) is None


def test_a_chain_sees_its_own_earlier_transfers(books):
    chain = linked([Transfer(11, 1, 3, 5, 1, 1), Transfer(12, 3, 2, 5, 1, 1)])
    assert books.post(chain) == [CREATED, CREATED]


def test_chains_in_one_batch_fail_alone(books):
    batch = linked([pay(11, 500), pay(12, 1)]) + linked([pay(13, 1), pay(14, 2)]) + [pay(15, 3)]
    assert books.post(batch) == [
        R.EXCEEDS_CREDITS,
        R.LINKED_EVENT_FAILED,
        CREATED,
        CREATED,
        CREATED,
    ]
    assert books.balances()[3] == (0, 0, 0, 6)


def test_a_chain_left_open_fails_and_says_so_at_its_last(books):
    open_chain = [pay(11, 1, F.LINKED), pay(12, 1, F.LINKED, timestamp=1)]
    assert books.post(open_chain) == [R.LINKED_EVENT_FAILED, R.LINKED_EVENT_CHAIN_OPEN]
    broken = [pay(13, 500, F.LINKED), pay(14, 1, F.LINKED)]
    assert books.post(broken) == [R.EXCEEDS_CREDITS, R.LINKED_EVENT_CHAIN_OPEN]
    assert books.balances()[3] == (0, 0, 0, 0)


def test_a_chain_sent_again_answers_exists_at_its_first(books):
    chain = linked([pay(11, 1), pay(12, 1)])
    assert books.post(chain) == [CREATED, CREATED]
    assert books.post(chain) == [R.EXISTS, R.LINKED_EVENT_FAILED]


def test_linked_makes_one_chain_of_anything():
    flags = [t.flags for t in linked([pay(1, 1), pay(2, 1, F.LINKED), pay(3, 1, F.LINKED)])]
    assert flags == [1, 1, 0]
    assert linked([pay(1, 1, F.LINKED)]) == [pay(1, 1)]
    assert linked([]) == []


def test_an_id_that_failed_for_lack_of_money_fails_for_ever(books):
    assert books.post([pay(11, 500)]) == [R.EXCEEDS_CREDITS]
    books.post([Transfer(12, 1, 2, 1000, 1, 1)])
    assert books.post([pay(11, 500)]) == [R.ID_ALREADY_FAILED]
    assert books.post([pay(11, 1), pay(13, 500)]) == [R.ID_ALREADY_FAILED, CREATED]


def test_an_id_that_was_merely_malformed_can_be_used_again(books):
    assert books.post([Transfer(11, 2, 2, 1, 1, 1)]) == [R.ACCOUNTS_MUST_BE_DIFFERENT]
    assert books.post([pay(11, 1)]) == [CREATED]


def test_a_balancing_debit_takes_what_there_is(books):
    ledger = ledger_over(books)
    limit = pay(11, AMOUNT_MAX, F.BALANCING_DEBIT)
    assert ledger.post([pay(9, 40, PENDING), limit]) == [CREATED, CREATED]
    assert ledger.made[-1].amount == 60
    assert ledger.post([limit]) == [R.EXISTS]
    less = msgspec.structs.replace(limit, amount=59)
    assert ledger.post([less]) == [R.EXISTS_WITH_DIFFERENT_AMOUNT]


def test_a_balancing_credit_never_takes_below_zero(books):
    ledger = ledger_over(books)
    assert ledger.post([pay(11, 50, F.BALANCING_CREDIT)]) == [CREATED]
    assert ledger.made[-1].amount == 0


def test_a_closed_account_takes_nothing_until_its_closing_is_voided(books):
    close = Transfer(11, 2, 1, 0, 1, 1, int(F.PENDING | F.CLOSING_DEBIT))
    hold = pay(12, 5, PENDING)
    assert books.post([hold, close]) == [CREATED, CREATED]
    assert books.shelf.accounts[2].flags & A.CLOSED
    assert books.post([pay(13, 1), Transfer(14, 1, 2, 1, 1, 1), end(15, 12, 5)]) == [
        R.DEBIT_ACCOUNT_ALREADY_CLOSED,
        R.CREDIT_ACCOUNT_ALREADY_CLOSED,
        R.DEBIT_ACCOUNT_ALREADY_CLOSED,
    ]
    assert books.post([end(16, 12, 0, VOID), end(17, 11, 0, VOID)]) == [CREATED, CREATED]
    assert books.post([pay(18, 100)]) == [CREATED]


def test_a_failed_chain_opens_what_it_closed_and_closes_what_it_opened(books):
    close = Transfer(11, 2, 3, 0, 1, 1, int(F.PENDING | F.CLOSING_DEBIT | F.CLOSING_CREDIT))
    bad = Transfer(19, 1, 404, 1, 1, 1)
    books.post(linked([close, bad]))
    assert not books.shelf.accounts[2].flags & A.CLOSED
    books.post([msgspec.structs.replace(close, id=12)])
    books.post(linked([end(13, 12, 0, VOID), msgspec.structs.replace(bad, id=20)]))
    assert books.shelf.accounts[2].flags & A.CLOSED
    assert books.shelf.accounts[3].flags & A.CLOSED
    assert books.post([end(14, 12, 0, VOID)]) == [CREATED]


def test_a_failed_chain_closes_again_what_was_closed_in_the_same_commit(books):
    ledger = ledger_over(books)
    close = Transfer(11, 2, 3, 0, 1, 1, int(F.PENDING | F.CLOSING_DEBIT | F.CLOSING_CREDIT))
    assert ledger.post([close]) == [CREATED]
    reopening = linked([end(12, 11, 0, VOID), pay(13, 5), Transfer(14, 1, 404, 1, 1, 1)])
    assert ledger.post(reopening)[-1] is R.CREDIT_ACCOUNT_NOT_FOUND
    assert all(ledger.changed[ident].flags & A.CLOSED for ident in (2, 3))
    assert ledger.post([pay(15, 1)]) == [R.DEBIT_ACCOUNT_ALREADY_CLOSED]


def test_a_balancing_transfer_moves_nothing_where_the_balance_is_already_over(books):
    ledger = ledger_over(books)
    assert ledger.post([Transfer(11, 1, 2, 9, 1, 1, int(F.BALANCING_DEBIT))]) == [CREATED]
    assert ledger.made[-1].amount == 0


def test_accounts_are_opened_in_chains_too(books):
    ledger = ledger_over(books)
    chain = [Account(7, 1, 1, int(A.LINKED)), Account(8, 0, 1)]
    assert ledger.open_accounts(chain) == [
        AccountResult.LINKED_EVENT_FAILED,
        AccountResult.LEDGER_MUST_NOT_BE_ZERO,
    ]
    assert (ledger.opened, ledger.failed, ledger.account(7)) == ([], [], None)
    assert ledger.open_accounts([Account(7, 1, 1)]) == [AccountResult.CREATED]
    assert ledger.open_accounts([Account(7, 1, 1)]) == [AccountResult.EXISTS]
    assert ledger.post([Transfer(11, 1, 7, 5, 1, 1)]) == [CREATED]
    assert counters(ledger.opened[0]) == (0, 0, 0, 0)
    assert counters(ledger.changed[7]) == (0, 0, 0, 5)


@pytest.mark.parametrize(
    ("flags", "result"),
    [
        (A.HISTORY, AccountResult.RESERVED_FLAG),
        (A.IMPORTED, AccountResult.RESERVED_FLAG),
        (A.CLOSED, AccountResult.RESERVED_FLAG),
        (1 << 15, AccountResult.RESERVED_FLAG),
    ],
)
def test_what_is_not_supported_is_refused(books, flags, result):
    assert ledger_over(books).open_accounts([Account(7, 1, 1, int(flags))]) == [result]


@pytest.mark.parametrize(
    "field", ["amount", "id", "debit_account_id", "pending_id", "user_data", "timeout", "code"]
)
@pytest.mark.parametrize("value", [-1, 2**128])
def test_a_field_out_of_range_is_malformed_and_nothing_of_its_batch_is_done(books, field, value):
    ledger = ledger_over(books)
    bad = msgspec.structs.replace(pay(12, 1), **{field: value})
    with pytest.raises(Malformed) as caught:
        ledger.post([pay(11, 1), bad])
    assert caught.value.code == "malformed-transfer"
    assert ledger.made == []


def test_an_amount_beyond_the_signed_range_is_malformed(books):
    with pytest.raises(Malformed):
        ledger_over(books).post([pay(11, UNITS_MAX + 1)])


def test_an_account_with_a_field_out_of_range_is_malformed(books):
    with pytest.raises(Malformed) as caught:
        ledger_over(books).open_accounts([Account(7, 2**32, 1)])
    assert caught.value.code == "malformed-account"
