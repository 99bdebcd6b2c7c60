"""Taking fees: transfers from the payee to the fee's account, in the chain that pays the payee.

The payee gets the amount and gives the fee, so what a payer agreed to, what its budgets count and
what its protocol says are the same with a fee and without. The fee stands behind the money in one
chain of one unit: both happen, or neither.
"""

from collections.abc import Sequence

import msgspec

from farthing import ids
from farthing.core.accounts import ACCOUNTS, AccountRecord, TransferCode
from farthing.core.decisions import View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of
from farthing.core.fees import Fee, FeeTerms, due_back, fees_on, read_fees, write_fees
from farthing.core.ledger import AccountFlags, Transfer
from farthing.core.offers import OFFERS
from farthing.core.payments import Payment, Place
from farthing.errors import Missing


def agreed_fees(view: View, payee: AccountRecord, of_hub: FeeTerms | None, offer: str) -> str:
    """Write the fees that a new payment is under: the hub's, then those of the offer it is for.

    Shape:  whoever is paid gives no fee to the same account.
    Raises: Missing `no-such-offer` for an offer that is not paid to this payee.
    """
    terms = [of_hub] if of_hub is not None else []
    if offer:
        found = view.get(OFFERS, offer)
        if found is None or found.payee != payee.id:
            raise Missing("no-such-offer", "the payee has no such offer here")
        terms += [found.fee] if found.fee is not None else []
    fees = [
        Fee(**msgspec.structs.asdict(each), owner=account.owner)
        for each in terms
        if (account := view.get(ACCOUNTS, each.account)) is not None
        and account.id != payee.id
        and account.asset == payee.asset
    ]
    return write_fees(fees)


def fees_taken(view: View, payment: Payment, units: int) -> list[Fee]:
    """Say what each fee of a payment takes of `units` that are captured now."""
    fees = read_fees(payment.fees)
    return taken(view, fees, fees_on(fees, units))


def taken(view: View, fees: Sequence[Fee], due: Sequence[int]) -> list[Fee]:
    """Fill in what is taken now: what is due, or nothing where the account takes part in nothing.

    Shape: a payment is not stopped by an account that is neither its payer's nor its payee's.
    """
    found: list[Fee] = []
    for fee, units in zip(fees, due, strict=True):
        waived = _is_closed(view, fee.account)
        found.append(
            msgspec.structs.replace(
                fee, units=0 if waived else units, returned=0, waived=waived and units > 0
            )
        )
    return found


def fee_id(payment: Payment, line: int) -> int:
    """Give the id of the transfer of a payment's fee."""
    return ids.place(payment.number, Place.FEE + line)


def fee_transfers(payment: Payment, fees: Sequence[Fee]) -> list[Transfer]:
    """Name the transfers of what is taken, to be linked behind the payment's money."""
    return [
        Transfer(
            fee_id(payment, line),
            ids.number("acc", payment.payee),
            ids.number("acc", fee.account),
            fee.units,
            payment.ledger,
            TransferCode.FEE,
            user_data=payment.number,
        )
        for line, fee in enumerate(fees)
        if fee.units
    ]


def fees_returned(view: View, payment: Payment, units: int) -> list[Fee]:
    """Say what of each fee goes back with a refund of `units`, as the fees stand after it.

    Shape: what an account cannot give back now comes with a later refund: a payer's money does not
           wait for it.
    """
    left: dict[str, int] = {}
    found: list[Fee] = []
    for fee in read_fees(payment.fees):
        due = due_back(fee, payment.captured, payment.refunded + units) - fee.returned
        has = left.setdefault(fee.account, _available(view, fee.account))
        back = max(0, min(due, has))
        left[fee.account] = has - back
        found.append(msgspec.structs.replace(fee, returned=fee.returned + back))
    return found


def fee_back_id(payment: str, refund: str, attempts: int, line: int) -> int:
    """Give the id of the transfer that returns a fee with a refund's next try."""
    made_ms = ids.time_ms(ids.number("pay", payment))
    derived = ids.derived(made_ms, "farthing-fee-back-1", refund, str(line))
    return ids.place(derived, attempts + 1)


def return_transfers(
    payment: Payment, fees: Sequence[Fee], refund: str, attempts: int
) -> list[Transfer]:
    """Name the transfers that return fees to the payee, to stand before its refund."""
    before = read_fees(payment.fees)
    return [
        Transfer(
            fee_back_id(payment.id, refund, attempts, line),
            ids.number("acc", fee.account),
            ids.number("acc", payment.payee),
            fee.returned - before[line].returned,
            payment.ledger,
            TransferCode.FEE_BACK,
            user_data=payment.number,
        )
        for line, fee in enumerate(fees)
        if fee.returned > before[line].returned
    ]


def fee_facts(payment: Payment, fees: Sequence[Fee]) -> list[Fact]:
    """Tell the owners of fees what was taken for them."""
    return [
        Fact(fee.owner, Kind.FEE_TAKEN, payment.id, _body(payment, fee, fee.units))
        for fee in fees
        if fee.units
    ]


def return_facts(payment: Payment, fees: Sequence[Fee]) -> list[Fact]:
    """Tell the owners of fees what went back; the payment is as it was before."""
    before = read_fees(payment.fees)
    return [
        Fact(fee.owner, Kind.FEE_RETURNED, payment.id, _body(payment, fee, back))
        for fee, old in zip(fees, before, strict=True)
        if (back := fee.returned - old.returned)
    ]


def _body(payment: Payment, fee: Fee, units: int) -> dict[str, str]:
    return body_of(
        account=fee.account, asset=payment.asset, of=fee.of, payee=payment.payee, units=units
    )


def _is_closed(view: View, account: str) -> bool:
    found = view.account(ids.number("acc", account))
    return found is not None and bool(found.flags & AccountFlags.CLOSED)


def _available(view: View, account: str) -> int:
    found = view.account(ids.number("acc", account))
    if found is None or found.flags & AccountFlags.CLOSED:
        return 0
    return found.credits_posted - found.debits_posted - found.debits_pending
