"""What comes of trying to pay: a `Paid`, an `Unproven`, a `Promised`, or one of these errors.

Unproven             answered, and nothing proves that money moved              same request
Promised             answered, for a voucher of a session; charged at its end   no
WillNotPay      402  this client's own limits say no; nothing was signed       raise the limit
PaymentRefused  422  said no, and the hub says that no money was taken         new payment
AwaitingOwner   403  the owner is being asked; the same request goes on later   same request
AlreadyPaid     409  paid, and the answer is no longer kept; has the receipt    no
AnswerLost      504  paid, and the seller gave no answer; `paid` has the receipt same request
OutcomeUnknown  504  sent, not heard; the same request never pays twice         same request
"""

from typing import Any

import msgspec

from farthing.errors import Conflict, FarthingError, Forbidden, OutcomeUnknown
from farthing.money import Amount
from farthing.terminal.exits import Exit

EXTENSION = "farthing_paid"
"""Where a `Paid`, an `Unproven` or a `Promised` stands among an httpx response's extensions."""


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that was made for an answer: captured, and proven by the hub's signed receipt.

    Shape: `receipt` verifies with the hub's root key and is about this payment: `receipt_fault`
           is always empty, and stays for those who look at it.
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


class Unproven(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was signed for an answer, and of which nothing proves that it was paid.

    Shape: `state` is the hub's word for it, `unknown-there` if it has not seen it, empty if it
           was not heard; `why` says what is wrong with the seller's receipt, or with its answer.
    """

    payment: str
    amount: Amount
    payee: str
    state: str
    why: str

    def __str__(self) -> str:
        """Write what is known on one line."""
        said = f"the hub says {self.state}" if self.state else "the hub could not be asked"
        signed = f"{self.amount} to {self.payee} · {self.payment}"
        return f"not known to be paid: {signed}: {self.why}, and {said}"

    def members(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {
            "payment": self.payment,
            "amount": str(self.amount.units),
            "asset": self.amount.asset.code,
            "payee": self.payee,
            "state": self.state,
            "why": self.why,
        }


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher that was signed for an answer: its seller takes what it came to at the end.

    Shape: `amount` is the most for this answer, `promised` all that is promised in the session,
           `held` its deposit; `charged` is what the seller says it has charged in all, which
           nothing proves before the session is closed, and None where it does not say.
    """

    session: str
    payee: str
    amount: Amount
    promised: Amount
    held: Amount
    charged: Amount | None

    def __str__(self) -> str:
        """Write what was promised on one line."""
        told = "" if self.charged is None else f"; charged so far: {self.charged}"
        most = f"promised at most {self.amount} to {self.payee} · {self.session}"
        return f"{most}: {self.promised} in all, of {self.held} held{told}"

    def members(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {
            "session": self.session,
            "payee": self.payee,
            "asset": self.amount.asset.code,
            "amount": str(self.amount.units),
            "promised": str(self.promised.units),
            "held": str(self.held.units),
            "charged": str(self.charged.units) if self.charged is not None else None,
        }


class AnswerLost(OutcomeUnknown):
    """The money is taken, and no answer came; the same request asks for it and pays no more."""

    title = "Paid, and the answer was lost"

    def __init__(self, detail: str, payment: str, paid: Paid | None) -> None:
        super().__init__("answer-lost", detail, payment=payment, state="captured")
        self.paid = paid


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
