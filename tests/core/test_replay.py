import random

import msgspec
import pytest

from farthing.core.ledger import Account, Transfer
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.core.replay import HistoryBroken, Replay, counters
from tests.machines.driver import CoreDriver

PENDING, POST, VOID = int(F.PENDING), int(F.POST_PENDING), int(F.VOID_PENDING)
OWNER = int(A.DEBITS_MUST_NOT_EXCEED_CREDITS)


def books() -> CoreDriver:
    """Money made, held, posted in part, voided, expired, an account closed and one hold left."""
    books = CoreDriver()
    books.open([Account(1, 1, 1), Account(2, 1, 1, OWNER), Account(3, 1, 1, OWNER)])
    books.post([Transfer(10, 1, 2, 100, 1, 1), Transfer(11, 2, 3, 30, 1, 1)])
    books.post([Transfer(12, 2, 3, 20, 1, 1, PENDING), Transfer(13, 2, 3, 20, 1, 1, PENDING)])
    books.post([Transfer(14, 0, 0, 15, 0, 0, POST, 12), Transfer(15, 0, 0, 0, 0, 0, VOID, 13)])
    books.post([Transfer(16, 2, 3, 9, 1, 1, PENDING, timeout=1)])
    books.advance(1001)
    books.post([Transfer(17, 2, 3, 7, 1, 1, PENDING)])
    books.post([Transfer(18, 3, 1, 0, 1, 1, int(F.PENDING | F.CLOSING_DEBIT))])
    return books


def replayed(rows) -> Replay:
    replay = Replay()
    for row in rows:
        if isinstance(row, Account):
            replay.account(row)
        else:
            replay.transfer(row)
    replay.finish()
    return replay


def changed(rows: list, at: int, **fields) -> list:
    return [*rows[:at], msgspec.structs.replace(rows[at], **fields), *rows[at + 1 :]]


def test_history_alone_gives_the_same_balances_flags_and_holds():
    of = books()
    replay = replayed(of.rows())
    replay.check_balances(of.shelf.accounts.values())
    replay.check_holds([17, 18])
    assert {a.id: counters(a) for a in replay.accounts.values()} == of.balances()
    assert replay.accounts[3].flags & A.CLOSED


ROWS = list(books().rows())
AT = {row.id: n for n, row in enumerate(ROWS)}
EXPIRY = next(n for n, row in enumerate(ROWS) if row.flags == F.EXPIRED)


@pytest.mark.parametrize(
    ("at", "fields", "what"),
    [
        (AT[2], {"id": 1}, "opened before"),
        (AT[2], {"flags": 6}, "one limit"),
        (AT[11], {"timestamp": 1}, "time does not go forward"),
        (AT[11], {"amount": 101}, "debits exceed credits"),
        (AT[11], {"amount": -1}, "the amount is not one"),
        (AT[11], {"debit_account_id": 404}, "there is no account"),
        (AT[11], {"debit_account_id": 3}, "cannot pay itself"),
        (AT[11], {"ledger": 2}, "another ledger"),
        (AT[11], {"pending_id": 12}, "only what ends a hold"),
        (AT[11], {"timeout": 12}, "only a hold has a timeout"),
        (AT[14], {"amount": 21}, "more is posted than was held"),
        (AT[14], {"pending_id": 404}, "no outstanding hold"),
        (AT[14], {"credit_account_id": 1}, "other accounts"),
        (AT[14], {"flags": POST | VOID}, "one way only"),
        (AT[15], {"amount": 19}, "not all that was held"),
        (AT[15], {"pending_id": 12}, "no outstanding hold"),
        (EXPIRY, {"flags": VOID}, "had run out"),
    ],
)
def test_the_first_row_that_breaks_a_rule_is_named(at, fields, what):
    with pytest.raises(HistoryBroken, match=what) as caught:
        replayed(changed(ROWS, at, **fields))
    assert caught.value.row == at + 1
    assert caught.value.subject == fields.get("id", ROWS[at].id)


@pytest.mark.parametrize("timeout", [0, 9])
def test_an_expiry_before_its_time_is_named(timeout):
    with pytest.raises(HistoryBroken, match="had not run out") as caught:
        replayed(changed(ROWS, AT[16], timeout=timeout))
    assert caught.value.row == EXPIRY + 1


def test_a_move_on_a_closed_account_is_named():
    late = Transfer(19, 2, 3, 1, 1, 1, timestamp=ROWS[-1].timestamp + 1)
    with pytest.raises(HistoryBroken, match="an account is closed"):
        replayed([*ROWS, late])
    end = Transfer(19, 2, 3, 1, 1, 1, POST, 17, timestamp=ROWS[-1].timestamp + 1)
    with pytest.raises(HistoryBroken, match="an account is closed"):
        replayed([*ROWS, end])


def test_a_row_that_is_missing_is_noticed_by_its_followers_or_the_balances():
    of = books()
    for at in range(len(ROWS)):
        with pytest.raises(HistoryBroken):
            replay = replayed([*ROWS[:at], *ROWS[at + 1 :]])
            replay.check_balances(of.shelf.accounts.values())
            replay.check_holds([17, 18])


def test_a_wrong_stored_balance_is_named_with_both_figures():
    of = books()
    stored = [msgspec.structs.replace(a) for a in of.shelf.accounts.values()]
    stored[1].debits_posted += 1
    with pytest.raises(HistoryBroken, match="stored balance") as caught:
        replayed(of.rows()).check_balances(stored)
    assert (caught.value.row, caught.value.subject) == (0, 2)
    assert caught.value.code == "history-broken"


def test_a_changed_fixed_field_a_missing_and_an_unknown_account_are_noticed():
    of = books()
    stored = list(of.shelf.accounts.values())
    replay = replayed(of.rows())
    with pytest.raises(HistoryBroken, match="fixed fields"):
        replay.check_balances([msgspec.structs.replace(stored[0], code=9)])
    with pytest.raises(HistoryBroken, match="is not stored"):
        replay.check_balances(stored[1:])
    with pytest.raises(HistoryBroken, match="not in history"):
        replay.check_balances([*stored, Account(404, 1, 1)])


def test_stored_holds_must_be_the_outstanding_ones():
    replay = replayed(ROWS)
    with pytest.raises(HistoryBroken, match="ended before"):
        replay.check_holds([12, 17, 18])
    with pytest.raises(HistoryBroken, match="not stored as one"):
        replay.check_holds([17])


def test_balances_that_do_not_sum_up_are_noticed():
    replay = replayed(ROWS)
    replay.accounts[1].debits_posted += 1
    with pytest.raises(HistoryBroken, match="debits and credits"):
        replay.finish()


def test_memory_goes_by_accounts_and_open_holds_not_by_transfers():
    replay = Replay()
    replay.account(Account(1, 1, 1, timestamp=1))
    replay.account(Account(2, 1, 1, timestamp=2))
    chance = random.Random(7)
    for n in range(3, 2003, 2):
        amount = chance.randrange(100)
        replay.transfer(Transfer(n, 1, 2, amount, 1, 1, PENDING, timestamp=n))
        replay.transfer(Transfer(n + 1, 1, 2, amount, 1, 1, VOID, n, timestamp=n + 1))
    assert (len(replay.accounts), replay.holds, replay.rows) == (2, {}, 2002)
