"""Fees as transfers and events: under which ids, from what an account has, and what is told."""

from types import SimpleNamespace

import msgspec
import pytest

from farthing import ids
from farthing.core.fee_taking import (
    fee_back_id,
    fee_facts,
    fee_id,
    fees_returned,
    return_facts,
    return_transfers,
    taken,
)
from farthing.core.fees import Fee, write_fees
from farthing.core.ledger import AccountFlags, TransferResult
from farthing.core.refunds import _given, transfer_id
from farthing.errors import PaymentRefused

MADE_MS = 1_800_000_000_000
PAY, PAYEE, TILL = (ids.name(kind, MADE_MS << 80 | 7 << 8) for kind in ("pay", "acc", "acc"))
PAYMENT = SimpleNamespace(
    id=PAY, number=ids.number("pay", PAY), payee=PAYEE, asset="USD", captured=100, refunded=0,
    ledger=1, fees="",
)  # fmt: skip


def fee(**more) -> Fee:
    return Fee(of="hub", account=TILL, owner="own_1", **more)


class Ledger:
    """One account, as a view shows it."""

    def __init__(self, posted=0, spent=0, pending=0, flags=0) -> None:
        self._found = SimpleNamespace(
            credits_posted=posted, debits_posted=spent, debits_pending=pending, flags=flags
        )

    def account(self, _ident):
        return self._found


def test_a_fee_that_is_due_is_waived_where_its_account_is_closed():
    closed = Ledger(flags=int(AccountFlags.CLOSED))
    for units, waived in ((0, False), (1, True), (9, True)):
        [found] = taken(closed, [fee()], [units])
        assert (found.units, found.waived) == (0, waived)
    [found] = taken(Ledger(), [fee(returned=2)], [9])
    assert (found.units, found.returned, found.waived) == (9, 0, False)


def test_each_fee_and_each_return_of_it_has_an_id_that_stays_the_same():
    assert [fee_id(PAYMENT, line) for line in (0, 1)] == [PAYMENT.number | 33, PAYMENT.number | 34]
    for line, attempts in ((0, 0), (1, 0), (0, 4)):
        derived = ids.derived(MADE_MS, "farthing-fee-back-1", "ref_1", str(line))
        assert fee_back_id(PAY, "ref_1", attempts, line) == derived | (attempts + 1)
    for attempts in (0, 4, 254):
        derived = ids.derived(MADE_MS, "farthing-refund-1", "ref_1")
        assert transfer_id(PAY, "ref_1", attempts) == derived | (attempts + 1)


@pytest.mark.parametrize(
    ("account", "back"),
    [
        (Ledger(posted=50), 10),
        (Ledger(posted=50, spent=44), 6),
        (Ledger(posted=50, pending=44), 6),
        (Ledger(posted=50, spent=30, pending=14), 6),
        (Ledger(posted=50, flags=int(AccountFlags.CLOSED)), 0),
    ],
)
def test_no_more_of_a_fee_comes_back_than_its_account_can_give(account, back):
    payment = SimpleNamespace(**vars(PAYMENT) | {"fees": write_fees([fee(units=10)])})
    [found] = fees_returned(account, payment, 100)
    assert found.returned == back
    made = return_transfers(payment, [found], "ref_1", 0)
    assert [transfer.amount for transfer in made] == ([back] if back else [])


def test_owners_of_fees_hear_what_was_taken_and_what_each_refund_brought_back():
    body = {"account": TILL, "asset": "USD", "of": "hub", "payee": PAYEE}
    [told] = fee_facts(PAYMENT, [fee(units=10)])
    assert (told.owner, _read(told)) == ("own_1", body | {"units": "10"})
    before = SimpleNamespace(**vars(PAYMENT) | {"fees": write_fees([fee(units=10, returned=4)])})
    [told] = return_facts(before, [fee(units=10, returned=7)])
    assert _read(told) == body | {"units": "3"}
    assert return_facts(before, [fee(units=10, returned=4)]) == []


def _read(fact):
    return {name: str(value) for name, value in msgspec.to_builtins(fact.body).items()}


def test_a_payer_that_cannot_take_a_refund_is_said_to_be():
    with pytest.raises(PaymentRefused) as refused:
        _given(None, PAYMENT, None, (), TransferResult.OVERFLOWS_CREDITS_POSTED)
    assert refused.value.code == "refund-impossible"
