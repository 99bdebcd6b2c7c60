"""Whether a payment's record says what the history and the ledger say."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from farthing import ids
from farthing.core.accounts import TransferCode
from farthing.core.audit_fees import WasClosed, fee_ids, fees_fault, unreadable
from farthing.core.ledger import PendingState, Transfer, TransferFlags
from farthing.core.orders import Order, payment_id
from farthing.core.payments import Payment, Place, State, statement
from farthing.core.refunds import ATTEMPTS_MAX, Refund, transfer_id
from farthing.core.refusals import Refusal
from farthing.errors import Malformed

_PENDING = int(TransferFlags.PENDING)
_POST = int(TransferFlags.POST_PENDING)
_VOID = int(TransferFlags.VOID_PENDING)
_UNPAID = (State.REFUSED, State.AWAITING)


class Known(NamedTuple):
    """What the ledger has for a payment: transfers and refunds, holds' states, used-up ids.

    Shape: `was_closed` tells of any account when it was frozen or closed.
    """

    transfers: Mapping[int, Transfer]
    holds: Mapping[int, PendingState]
    failed: frozenset[int] | set[int]
    refunds: Sequence[Refund]
    was_closed: WasClosed


def ledger_ids(payment: Payment, refunds: Sequence[Refund]) -> list[int]:
    """List the transfers to look up for a payment: what must be there, and what must not."""
    number, lines = payment.number, range(payment.budgets + 1)
    places = (Place.HOLD, Place.CAPTURE, Place.VOID)
    wanted = [ids.place(number, start + i) for start in places for i in lines]
    beyond = ids.place(number, Place.HOLD + payment.budgets + 1)
    fees = fee_ids(payment, refunds) if payment.fees else ()
    back = [_refund_id(refund) for refund in refunds if refund.state == "done"]
    return [*wanted, beyond, *fees, *back]


def _refund_id(refund: Refund) -> int:
    return transfer_id(refund.payment, refund.id, refund.attempts)


def record_fault(payment: Payment, stated: bytes, ledger: int | None) -> str | None:
    """Compare a payment's record with its newest statement and with the order it was made of.

    Shape: `ledger` is that of the payer's account.
    """
    if payment.ledger != ledger:
        return "its payer's account is in another ledger"
    if payment.fees and (wrong := unreadable(payment)):
        return wrong
    if stated != statement(payment, whole=stated_whole(stated)):
        return "its record is not what its newest statement says"
    order = Order(
        hub=payment.hub,
        device=payment.device,
        payee=payment.payee,
        asset=payment.asset,
        amount=payment.amount,
        nonce=payment.nonce,
        expires=payment.expires,
        challenge=payment.challenge or "",
        resource=payment.resource,
    )
    try:
        if payment_id(order) != payment.number:
            return "its id does not follow from its nonce"
        if hashlib.sha256(order.signed_bytes()).digest() != payment.order_digest:
            return "its record is not the order that the device signed"
    except (Malformed, ValueError, OverflowError):
        return "its record cannot have been an order"
    return None


def stated_whole(stated: bytes) -> bool:
    """Tell whether a payment's statement has a digest of its record; older ones have none."""
    return b'"record":"' in stated


def money_fault(payment: Payment, known: Known) -> str | None:
    """Compare a payment's state and amounts with the ledger's transfers, budgets included."""
    number = payment.number
    money = known.transfers.get(ids.place(number, Place.HOLD))
    if payment.state in _UNPAID:
        if wrong := _fees_fault(payment, known):
            return wrong
        if money is not None:
            return f"it is {payment.state.value}, but the ledger moved its money"
        if payment.budgets:
            return f"it is {payment.state.value}, but says that budgets counted it"
        short = payment.reason == Refusal.INSUFFICIENT_FUNDS.value
        if short and ids.place(number, Place.HOLD) not in known.failed:
            return "the id of its refused transfer is not kept as used up"
        return None
    if money is None:
        return f"it is {payment.state.value}, but its transfer is not in the ledger"
    return (
        _sides_fault(payment, money)
        or _budgets_fault(payment, money, known)
        or _state_fault(payment, money, known)
        or _refunds_fault(payment, known)
        or _fees_fault(payment, known)
    )


def _fees_fault(payment: Payment, known: Known) -> str | None:
    if not payment.fees:
        return None
    return fees_fault(payment, known.transfers, known.refunds, known.was_closed)


def _sides_fault(payment: Payment, money: Transfer) -> str | None:
    expected = (
        ids.number("acc", payment.payer),
        ids.number("acc", payment.payee),
        payment.amount,
        payment.ledger,
        payment.number,
    )
    found = (
        money.debit_account_id,
        money.credit_account_id,
        money.amount,
        money.ledger,
        money.user_data,
    )
    if found != expected:
        return "its transfer has other accounts, another amount or another ledger"
    return None if money.code == TransferCode.PAYMENT else "its transfer is of another kind"


def _budgets_fault(payment: Payment, money: Transfer, known: Known) -> str | None:
    for line in range(1, payment.budgets + 1):
        counted = known.transfers.get(ids.place(payment.number, Place.HOLD + line))
        if counted is None:
            return f"budget {line} of {payment.budgets} did not count it"
        if (counted.amount, counted.flags & _PENDING) != (money.amount, money.flags & _PENDING):
            return f"budget {line} of {payment.budgets} counted something else"
    if ids.place(payment.number, Place.HOLD + payment.budgets + 1) in known.transfers:
        return f"more than its {payment.budgets} budgets counted it"
    return None


def _state_fault(payment: Payment, money: Transfer, known: Known) -> str | None:
    if not money.flags & _PENDING:
        at_once = payment.state is State.CAPTURED and payment.captured == payment.amount
        return None if at_once else "its transfer charged all of it at once"
    if payment.state is State.CAPTURED:
        return _ended_fault(payment, known, Place.CAPTURE, _POST, payment.captured)
    if payment.captured:
        return f"it is {payment.state.value} and says that money was captured"
    if payment.state is State.VOIDED:
        return _ended_fault(payment, known, Place.VOID, _VOID, payment.amount)
    # The ledger releases a hold on time; the payment's record may follow a little later.
    if known.holds.get(money.id) not in (PendingState.PENDING, PendingState.EXPIRED):
        return f"it is {payment.state.value}, but its hold was ended in another way"
    return None


def _ended_fault(payment: Payment, known: Known, place: int, flag: int, units: int) -> str | None:
    for line in range(payment.budgets + 1):
        end = known.transfers.get(ids.place(payment.number, place + line))
        if end is None or not end.flags & flag:
            return f"it is {payment.state.value}, but the ledger did not end hold {line} so"
        if end.amount != units:
            return f"it is {payment.state.value} with {units} units, the ledger with {end.amount}"
    return None


def _refunds_fault(payment: Payment, known: Known) -> str | None:
    done = [refund for refund in known.refunds if refund.state == "done"]
    for refund in done:
        if not 0 <= refund.attempts <= ATTEMPTS_MAX:
            return f"its refund {refund.id} was tried {refund.attempts} times"
        back = known.transfers.get(_refund_id(refund))
        if back is None or (back.amount, back.user_data) != (refund.units, payment.number):
            return f"its refund {refund.id} is not in the ledger"
    given = sum(refund.units for refund in done)
    return None if given == payment.refunded else f"{given} units of it were refunded"
