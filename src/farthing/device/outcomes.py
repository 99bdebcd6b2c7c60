"""What comes of trying to pay: a `Paid`, or one of these errors.

WillNotPay      402  this client's own limits say no; nothing was signed       raise the limit
PaymentRefused  422  the hub or the seller said no; no money was taken          new payment
AwaitingOwner   403  the owner is being asked; the same request goes on later   same request
AlreadyPaid     409  paid, and the answer is no longer kept; has the receipt    no
OutcomeUnknown  504  sent, not heard; the same request never pays twice         same request
"""

from typing import Any

import msgspec

from farthing.errors import Conflict, FarthingError, Forbidden
from farthing.money import Amount
from farthing.terminal.exits import Exit

EXTENSION = "farthing_paid"
"""Where a `Paid` stands among an httpx response's extensions."""


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that was made for an answer.

    Shape: `receipt` is the hub's signed receipt, or None when the seller passed none on;
           `receipt_fault` is empty when it verifies with the hub's root key and is about this
           payment, and says what is wrong otherwise.
    """

    payment: str
    amount: Amount
    payee: str
    language: str
    receipt: dict[str, Any] | None
    receipt_fault: str

    def __str__(self) -> str:
        """Write what was paid on one line."""
        return f"paid {self.amount} to {self.payee} · {self.payment}"

    def members(self) -> dict[str, Any]:
        """Give the payment as a JSON object."""
        return {
            "payment": self.payment,
            "amount": str(self.amount.units),
            "asset": self.amount.asset.code,
            "payee": self.payee,
            "language": self.language,
            "receipt": self.receipt,
            "receipt_fault": self.receipt_fault,
        }


class WillNotPay(FarthingError):
    """This client was not told to pay that; nothing was signed."""

    status, title = 402, "This client will not pay that"
    exit = Exit.WILL_NOT_PAY


class AwaitingOwner(Forbidden):
    """The owner is being asked; sending the same request again later goes on with it."""

    title = "The owner is being asked"
    exit = Exit.AWAITING_OWNER

    def __init__(self, payment: str, retry_after_seconds: float) -> None:
        detail = "the owner is being asked first; send the same request again after the answer"
        super().__init__(
            "awaiting-owner", detail, payment=payment, retry_after_seconds=retry_after_seconds
        )
        self.payment = payment
        self.retry_after_seconds = retry_after_seconds


class AlreadyPaid(Conflict):
    """Paid earlier, and the seller no longer keeps the answer; `paid` has the receipt."""

    title = "Paid already"

    def __init__(self, detail: str, paid: Paid) -> None:
        super().__init__("already-paid", detail, payment=paid.payment)
        self.paid = paid
