import msgspec
import pytest

from farthing import ids
from farthing.core.ledger import (
    Account,
    Ledger,
    PendingState,
    Transfer,
    TransferResult,
    canonical_account,
    canonical_row,
    expiry_id,
)
from farthing.core.ledger import AccountFlags as A
from farthing.core.ledger import TransferFlags as F
from farthing.core.replay import counters
from farthing.errors import present
from tests.machines.driver import START_NS, CoreDriver, Shelf

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


def test_a_hold_expires_at_its_last_nanosecond_and_not_before(books):
    books.post([pay(11, 70, PENDING, timeout=2)])
    p = books.shelf.transfers[11]
    due_ns = p.timestamp + 2 * 10**9
    early = Ledger(books.shelf, due_ns - 1, books.shelf.last_ns)
    assert early.expire_due([p]) == []
    assert early.post([end(12, 11, 70)]) == [CREATED]
    late = Ledger(books.shelf, due_ns, books.shelf.last_ns)
    assert late.post([end(12, 11, 70)]) == [R.PENDING_TRANSFER_EXPIRED]
    [row] = late.expire_due([p, p])
    assert (row.flags, row.pending_id, row.amount) == (F.EXPIRED, 11, 70)
    assert late.pendings == {11: PendingState.EXPIRED}
    assert counters(late.changed[2]) == (0, 0, 0, 100)
    assert late.post([end(12, 11, 70)]) == [R.PENDING_TRANSFER_EXPIRED]


def test_a_hold_that_was_ended_does_not_expire(books):
    books.post([pay(11, 70, PENDING, timeout=1), end(12, 11, 70)])
    late = Ledger(books.shelf, books.clock_ns + 10**10, books.shelf.last_ns)
    assert late.expire_due([books.shelf.transfers[11]]) == []


def test_an_expiry_has_an_id_of_its_own_even_if_somebody_took_it(books):
    books.post([pay(11, 70, PENDING, timeout=1)])
    p = books.shelf.transfers[11]
    assert ids.time_ms(expiry_id(p)) == (p.timestamp + 10**9) // 10**6
    assert books.post([pay(expiry_id(p), 1)]) == [CREATED]
    books.advance(1001)
    assert books.shelf.pendings[11] is PendingState.EXPIRED
    assert books.shelf.transfers[expiry_id(p, 1)].flags == F.EXPIRED


def test_a_clock_that_stands_still_or_goes_back_does_not_stop_the_books_time(books):
    last = books.shelf.last_ns
    ledger = Ledger(books.shelf, START_NS - 10**12, last)
    ledger.post([pay(11, 1), pay(12, 1)])
    assert [row.timestamp for row in ledger.made] == [last + 1, last + 2]
    assert ledger.last_ns == last + 2
    assert ledger.now_ns == last + 3


def test_the_clock_is_followed_when_it_is_ahead(books):
    ledger = Ledger(books.shelf, START_NS + 500, books.shelf.last_ns)
    ledger.post([pay(11, 1), pay(12, 1)])
    assert [row.timestamp for row in ledger.made] == [START_NS + 500, START_NS + 501]


def test_what_the_books_hold_is_never_changed_by_deciding(books):
    before = msgspec.json.encode([books.shelf.accounts, books.shelf.pendings])
    ledger = ledger_over(books)
    ledger.post([pay(11, 5), pay(12, 5, PENDING), end(13, 12, 5)])
    assert msgspec.json.encode([books.shelf.accounts, books.shelf.pendings]) == before
    assert counters(ledger.account(2)) == (0, 10, 0, 100)
    assert ledger.transfer(13) is ledger.made[-1]


def test_a_unit_can_be_taken_back_as_a_whole(books):
    books.post([pay(11, 70, PENDING, timeout=1)])
    ledger = Ledger(books.shelf, books.clock_ns + 10**10, books.shelf.last_ns)
    ledger.post([pay(12, 1)])
    kept = msgspec.json.encode([ledger.made, list(ledger.changed.values())])
    mark = ledger.mark()
    ledger.expire_due([books.shelf.transfers[11]])
    ledger.open_accounts([Account(7, 1, 1)])
    ledger.post([Transfer(13, 2, 7, 99, 1, 1), pay(14, 1)])
    assert len(ledger.made) - mark.made == 2
    assert ledger.failed == [14]
    ledger.rollback(mark)
    assert msgspec.json.encode([ledger.made, list(ledger.changed.values())]) == kept
    assert (ledger.opened, ledger.failed, ledger.last_ns) == ([], [], mark.last_ns)
    assert ledger.pending(11) is HELD
    assert ledger.mark() == mark


def test_rows_and_accounts_have_one_fixed_encoding():
    row = Transfer(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    assert canonical_row(row).hex() == (
        "02" + f"{1:032x}{2:032x}{3:032x}" + "0000000000000004" + "00000005" + "0006" + "0007"
        f"{8:032x}{9:032x}" + "0000000a" + "000000000000000b"
    )
    account = Account(1, 2, 3, 4 | 32, 5, 6, 7, 8, 9, 10)
    assert canonical_account(account).hex() == (
        f"01{1:032x}" + "00000002" + "0003" + "0004" + f"{5:032x}" + "0000000000000006"
    )


def test_every_field_of_a_row_changes_its_encoding():
    row = Transfer(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    for field in row.__struct_fields__:
        changed = msgspec.structs.replace(row, **{field: 99})
        assert canonical_row(changed) != canonical_row(row)


def test_a_source_that_lost_a_holds_state_is_noticed(books):
    shelf: Shelf = books.shelf
    books.post([pay(11, 5, PENDING)])
    shelf.pendings.clear()
    with pytest.raises(Exception, match="every pending transfer has a state"):
        books.post([end(12, 11, 5)])


def legs(ledger: Ledger, *transfers: Transfer):
    stamped = [
        msgspec.structs.replace(t, timestamp=ledger.now_ns + i) for i, t in enumerate(transfers)
    ]
    of = ledger.account
    return [(t, of(t.debit_account_id), of(t.credit_account_id)) for t in stamped]


def test_a_move_leaves_what_a_post_would_leave(books):
    moved, posted = ledger_over(books), ledger_over(books)
    assert moved.move(legs(moved, pay(11, 30)))
    assert posted.post([pay(11, 30)]) == [CREATED]
    assert (moved.made, moved.changed, moved.last_ns) == (
        posted.made,
        posted.changed,
        posted.last_ns,
    )


@pytest.mark.parametrize("wrong", [pay(10, 1), pay(12, 101)], ids=["a used id", "too much"])
def test_a_move_that_cannot_be_whole_moves_nothing(books, wrong):
    ledger = ledger_over(books)
    minted = Transfer(11, 1, 3, 5, 1, 1)
    assert not ledger.move(legs(ledger, minted, wrong))
    assert (ledger.made, ledger.changed, ledger.failed) == ([], {}, [])
    assert ledger.last_ns == books.shelf.last_ns


def posts(ledger: Ledger, *endings: Transfer):
    """Give each ending as it is to stand, and what it ends."""
    given = []
    for i, t in enumerate(endings):
        held = present(ledger.transfer(t.pending_id), "it was held")
        row = msgspec.structs.replace(
            t,
            debit_account_id=held.debit_account_id,
            credit_account_id=held.credit_account_id,
            ledger=held.ledger,
            code=held.code,
            timestamp=ledger.now_ns + i,
        )
        given.append((row, held))
    return given


def test_holds_that_are_posted_leave_what_a_post_would_leave(books):
    books.post([pay(11, 30, PENDING), pay(12, 5, PENDING, timeout=9)])
    at_once, posted = ledger_over(books), ledger_over(books)
    assert at_once.post_held(posts(at_once, end(13, 12, 5), end(14, 11, 30)))
    assert posted.post([end(13, 12, 5), end(14, 11, 30)]) == [CREATED, CREATED]
    for what in ("made", "changed", "pendings", "last_ns"):
        assert getattr(at_once, what) == getattr(posted, what), what


WRONG = {
    "a used id": end(10, 11, 30),
    "a part": end(14, 11, 29),
    "posted before": end(14, 12, 20),
    "run out": end(14, 13, 10),
    "no hold": end(14, 10, 100),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_what_cannot_be_posted_whole_posts_nothing(books, wrong):
    books.post([pay(11, 30, PENDING), pay(12, 20, PENDING), pay(13, 10, PENDING, timeout=1)])
    books.post([pay(15, 3, PENDING), end(16, 12, 20)])
    books.clock_ns = books.shelf.transfers[13].timestamp + 10**9
    ledger = ledger_over(books)
    assert not ledger.post_held(posts(ledger, end(17, 15, 3), wrong))
    assert (ledger.made, ledger.changed, ledger.pendings, ledger.failed) == ([], {}, {}, [])
    assert not ledger.post_held([])


@pytest.mark.parametrize("closed", [2, 3])
def test_a_hold_of_an_account_that_was_closed_since_is_not_posted(books, closed):
    books.post([pay(11, 30, PENDING)])
    closing = int(F.CLOSING_DEBIT if closed == 2 else F.CLOSING_CREDIT)
    latch = Transfer(12, 2, 3, 0, 1, 1, PENDING | closing)
    assert books.post([latch]) == [CREATED]
    ledger = ledger_over(books)
    assert not ledger.post_held(posts(ledger, end(13, 11, 30)))
    assert ledger.made == []
