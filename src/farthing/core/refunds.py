"""Refunds: a new transfer back after capture, in parts or whole; budgets are not given back."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing import ids
from farthing.core.accounts import TransferCode, require_unfrozen
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Kind
from farthing.core.fee_taking import fees_returned, return_facts, return_transfers
from farthing.core.fees import Fee, write_fees
from farthing.core.ledger import Transfer, TransferResult, linked
from farthing.core.payments import PAYMENTS, Payment, State, require_payment, settled
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Malformed, PaymentRefused

ATTEMPTS_MAX = 255


class Refund(msgspec.Struct, frozen=True):
    """Money given back. Shape: `attempts` counts tries that the seller's balance refused."""

    id: str
    payment: str
    units: int
    reason: str
    state: str
    attempts: int
    created_ns: int


class Refunded(msgspec.Struct, frozen=True):
    """A refund and the payment it belongs to."""

    refund: Refund
    payment: Payment


REFUNDS = Table("refunds", Refund, "id")


def transfer_id(payment: str, refund: str, attempts: int) -> int:
    """Give the ledger's id for the next try of a refund.

    Shape: derived, and of the payment's time, as a refund's id is made by whoever asks: as it
           stands it could be the id of somebody else's transfer to come, or of the far future.
    """
    made_ms = ids.time_ms(ids.number("pay", payment))
    return ids.place(ids.derived(made_ms, "farthing-refund-1", refund), attempts + 1)


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Refund all that is left of a captured payment, or `units`, once per refund id."""

    id: str
    payment: str
    owner: str | None
    units: int | None
    reason: str

    @property
    def reads(self) -> Sequence[Read]:
        """The payment and an earlier try."""
        return [Read(PAYMENTS, self.payment), Read(REFUNDS, self.id)]

    @property
    def accounts(self) -> Sequence[int]:
        """None ahead: refunds are rare."""
        return ()

    def plan(self, view: View) -> Plan[Refunded] | Outcome[Refunded]:
        """Give it back, or record that the seller's account does not hold enough."""
        payment = require_payment(view, self.payment, self.owner)
        before = view.get(REFUNDS, self.id)
        if before is not None and before.payment != self.payment:
            raise Conflict("id-taken", "a refund of another payment has this id")
        if before is not None and before.state == "done":
            if self.units not in (None, before.units):
                raise Conflict("id-taken", "this refund was made with another amount")
            return Outcome(Refunded(before, payment))
        units = self._units(payment)
        require_unfrozen(view, payment.payer, payment.payee)
        attempts = before.attempts if before is not None else 0
        if attempts >= ATTEMPTS_MAX:
            raise Conflict("too-many-attempts", "make the refund again with a new id")
        transfer = Transfer(
            transfer_id(payment.id, self.id, attempts),
            ids.number("acc", payment.payee),
            ids.number("acc", payment.payer),
            units,
            payment.ledger,
            TransferCode.REFUND,
            user_data=payment.number,
        )
        created = before.created_ns if before is not None else view.now_ns
        refund = Refund(self.id, payment.id, units, self.reason, "done", attempts, created)

        fees = fees_returned(view, payment, units) if payment.fees else ()
        backs = return_transfers(payment, fees, self.id, attempts)

        def then(results: list[list[TransferResult]]) -> Outcome[Refunded]:
            return _given(view, payment, refund, fees, results[0][-1])

        return Plan(then, chains=[linked([*backs, transfer]) if backs else [transfer]])

    def _units(self, payment: Payment) -> int:
        if payment.state is not State.CAPTURED:
            raise Conflict("not-captured", f"this payment is {payment.state.value}")
        left = payment.captured - payment.refunded
        units = left if self.units is None else self.units
        if left == 0:
            raise Conflict("already-refunded", "all of this payment was refunded")
        if not 0 < units <= left:
            raise Malformed("refund-too-large", f"{left} units are left to refund")
        return units


def _given(
    view: View, payment: Payment, refund: Refund, fees: Sequence[Fee], result: TransferResult
) -> Outcome[Refunded]:
    if result is TransferResult.CREATED:
        after = msgspec.structs.replace(
            payment,
            refunded=payment.refunded + refund.units,
            changed_ns=view.now_ns,
            leaf=view.leaf,
            fees=write_fees(fees),
        )
        answer, told = Refunded(refund, after), return_facts(payment, fees) if fees else ()
        kind = Kind.PAYMENT_REFUNDED
        return settled(view, after, answer, Write(REFUNDS, refund), kind=kind, also=told)
    if result is not TransferResult.EXCEEDS_CREDITS:
        raise PaymentRefused("refund-impossible", "the payer's account cannot take this amount")
    tried = msgspec.structs.replace(
        refund, state="insufficient-seller-balance", attempts=refund.attempts + 1
    )
    # The failed id is used up in the ledger, so the count of tries must be kept.
    return Outcome(Refunded(tried, payment), [Write(REFUNDS, tried)])
