"""A statement is reckoned backwards, and opening, lines and closing agree to the unit."""

from hypothesis import given
from hypothesis import strategies as st

from farthing.core.accounts import TransferCode
from farthing.core.statements import Line, Posting, Statement

CODES = [code for name, code in vars(TransferCode).items() if name.isupper()]
POSTINGS = st.lists(
    st.builds(
        Posting,
        units=st.integers(-(10**12), 10**12).filter(bool),
        code=st.sampled_from(CODES),
        subject=st.just(0),
        time_ns=st.integers(0, 100),
    ),
    max_size=40,
)


def reckoned(postings: list[Posting], start: int, end: int, keep: int = 3) -> Statement:
    now = sum(posting.units for posting in postings)
    made = Statement(start, end, now, now, keep)
    for posting in sorted(postings, key=lambda one: -one.time_ns):
        if not made.take(posting):
            break
    return made


@given(POSTINGS, st.integers(0, 100), st.integers(0, 100))
def test_it_says_what_adding_up_from_the_beginning_says(
    postings: list[Posting], one: int, other: int
):
    start, end = sorted((one, other))
    made = reckoned(postings, start, end)
    inside = [posting for posting in postings if start <= posting.time_ns < end]
    assert made.opening == sum(p.units for p in postings if p.time_ns < start)
    assert made.closing == sum(p.units for p in postings if p.time_ns < end)
    assert made.closing - made.opening == sum(found.units for _, found in made.lines)
    assert made.count == len(inside) == sum(found.count for _, found in made.lines)
    assert len(made.postings) == min(3, len(inside))


def test_what_a_posting_was_for_follows_from_its_code_and_its_side():
    def line(code: int, units: int) -> Line:
        return Posting(units, code, 0, 0).line

    assert line(TransferCode.PAYMENT, 5) is Line.SALES
    assert line(TransferCode.PAYMENT, -5) is Line.PURCHASES
    assert line(TransferCode.FEE, -5) is Line.FEES
    assert line(TransferCode.FEE_BACK, 5) is Line.FEES_BACK
    assert line(TransferCode.REFUND, -5) is Line.REFUNDS
    assert line(TransferCode.PAYOUT, -5) is Line.PAYOUTS
    assert line(TransferCode.LATCH, 5) is Line.OTHER


def test_the_lines_stand_in_one_order_whatever_came_first():
    rows = [(TransferCode.PAYOUT, -4), (TransferCode.FEE, -1), (TransferCode.PAYMENT, 9)]
    made = reckoned([Posting(units, code, 0, i) for i, (code, units) in enumerate(rows)], 0, 9)
    assert [line for line, _ in made.lines] == [Line.SALES, Line.FEES, Line.PAYOUTS]
