"""Whether the fees that a payment says were taken are what its terms say, and in the ledger."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from farthing import ids
from farthing.core.accounts import TransferCode
from farthing.core.fee_taking import fee_back_id, fee_id
from farthing.core.fees import FEES_MAX, Fee, due_back, fees_on, fees_on_shares, read_fees
from farthing.core.ledger import Transfer
from farthing.core.payments import Payment, Place, State
from farthing.core.refunds import Refund
from farthing.core.sessions import is_deposit
from farthing.errors import Malformed

FEE_CODES = (TransferCode.FEE, TransferCode.FEE_BACK)
"""The kinds of transfers that move fees."""

WasClosed = Callable[[int, int], bool]
"""Tells whether an account was frozen or closed at a time, in ns, as the history has it."""


def fee_ids(payment: Payment, refunds: Sequence[Refund]) -> list[int]:
    """List the fees' transfers to look up for a payment: what must be there, and what must not."""
    if not payment.fees:
        return []
    backs = [i for refund in refunds for i in _back_ids(payment, refund)]
    return [fee_id(payment, line) for line in range(FEES_MAX + 1)] + backs


def _back_ids(payment: Payment, refund: Refund) -> Iterator[int]:
    if refund.state == "done":
        for line in range(FEES_MAX):
            yield fee_back_id(payment.id, refund.id, refund.attempts, line)


def unreadable(payment: Payment) -> str | None:
    """Say whether what a payment says of its fees can be read at all."""
    try:
        for fee in read_fees(payment.fees):
            ids.number("acc", fee.account)
    except (msgspec.DecodeError, Malformed):
        return "its fees cannot be read"
    return None


def fees_fault(
    payment: Payment,
    transfers: Mapping[int, Transfer],
    refunds: Sequence[Refund],
    was_closed: WasClosed,
) -> str | None:
    """Compare a payment's fees, which can be read, with their terms and with the ledger.

    Shape: what a session's deposit owes depends on all of them: `session_fees_fault` tells that.
    """
    fees = read_fees(payment.fees)
    if len(fees) > FEES_MAX:
        return "it says that more fees were taken than a payment has"
    if payment.state is State.CAPTURED and not is_deposit(payment.resource):
        for fee, due in zip(fees, fees_on(fees, payment.captured), strict=True):
            wrong = _units_fault(fee, due)
            if wrong is not None:
                return wrong
    for line, fee in enumerate(fees):
        wrong = _taken_fault(payment, fee, transfers.get(fee_id(payment, line)))
        wrong = wrong or _waived_fault(payment, fee, transfers, was_closed)
        wrong = wrong or _returned_fault(payment, line, fee, transfers, refunds)
        if wrong is not None:
            return wrong
    return _unsaid_fault(payment, len(fees), transfers, refunds)


def _unsaid_fault(
    payment: Payment,
    said: int,
    transfers: Mapping[int, Transfer],
    refunds: Sequence[Refund],
) -> str | None:
    if any(fee_id(payment, line) in transfers for line in range(said, FEES_MAX + 1)):
        return "a fee was taken that it does not say"
    backs = [ident for refund in refunds for ident in list(_back_ids(payment, refund))[said:]]
    return "a fee went back that it does not say" if any(i in transfers for i in backs) else None


def _units_fault(fee: Fee, due: int) -> str | None:
    if fee.waived:
        return None if fee.units == 0 else f"its fee {fee.of} was waived and taken"
    if fee.units != due:
        return f"its fee {fee.of} took {fee.units} units, its terms say {due}"
    return None


def _taken_fault(payment: Payment, fee: Fee, found: Transfer | None) -> str | None:
    if fee.units == 0:
        return None if found is None else f"its fee {fee.of} is 0 units, the ledger took some"
    if payment.state is not State.CAPTURED:
        return f"it is {payment.state.value} and says that a fee was taken"
    expected = (
        ids.number("acc", payment.payee),
        ids.number("acc", fee.account),
        fee.units,
        payment.ledger,
        TransferCode.FEE,
        payment.number,
    )
    if found is None or expected != (
        found.debit_account_id,
        found.credit_account_id,
        found.amount,
        found.ledger,
        found.code,
        found.user_data,
    ):
        return f"its fee {fee.of} of {fee.units} units is not in the ledger"
    return None


def _waived_fault(
    payment: Payment, fee: Fee, transfers: Mapping[int, Transfer], was_closed: WasClosed
) -> str | None:
    places = (ids.place(payment.number, place) for place in (Place.CAPTURE, Place.HOLD))
    captured = next((transfers[ident] for ident in places if ident in transfers), None)
    if not fee.waived or captured is None:
        return None
    if was_closed(ids.number("acc", fee.account), captured.timestamp):
        return None
    return f"its fee {fee.of} was waived, its account was open"


def _returned_fault(
    payment: Payment,
    line: int,
    fee: Fee,
    transfers: Mapping[int, Transfer],
    refunds: Sequence[Refund],
) -> str | None:
    account, payee = ids.number("acc", fee.account), ids.number("acc", payment.payee)
    expected = (account, payee, TransferCode.FEE_BACK, payment.number)
    back = 0
    for refund in refunds:
        ident = fee_back_id(payment.id, refund.id, refund.attempts, line)
        found = transfers.get(ident) if refund.state == "done" else None
        if found is None:
            continue
        sides = (found.debit_account_id, found.credit_account_id, found.code, found.user_data)
        if sides != expected:
            return f"its fee {fee.of} did not go back as it was taken"
        back += found.amount
    if back != fee.returned:
        return f"{back} units of its fee {fee.of} went back, it says {fee.returned}"
    if back > (due_back(fee, payment.captured, payment.refunded) if payment.captured else 0):
        return f"more of its fee {fee.of} went back than was refunded"
    return None


def session_fees_fault(deposits: Sequence[Payment], shares: Sequence[int]) -> str | None:
    """Compare what the deposits of a closed session gave with the terms that it was opened under.

    Shape: `shares` is how much of what the session took comes out of each deposit.
    """
    agreed = read_fees(deposits[0].fees)
    for payment, due in zip(deposits, fees_on_shares(agreed, shares), strict=True):
        if payment.state is not State.CAPTURED:
            continue
        fees = read_fees(payment.fees)
        if [_terms(fee) for fee in fees] != [_terms(fee) for fee in agreed]:
            return f"{payment.id} is under other fees than its session's opening"
        for fee, units in zip(fees, due, strict=True):
            wrong = _units_fault(fee, units)
            if wrong is not None:
                return f"{payment.id}: {wrong}"
    return None


def _terms(fee: Fee) -> Fee:
    return msgspec.structs.replace(fee, units=0, returned=0, waived=False)
