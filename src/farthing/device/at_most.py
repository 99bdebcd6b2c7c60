"""What a client is told before it signs for something whose price is not known yet."""

from collections.abc import Callable
from typing import Any

import msgspec

from farthing.money import Amount

AT_MOST = "farthing_at_most"
"""Where a request's httpx extensions have a `Teller`, to hear what it can come to."""


class AtMost(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a request costs, said before anything is signed.

    Shape: `held` is the deposit that is held anew for it; None where no more than `amount` is.
    """

    amount: Amount
    payee: str
    scheme: str
    held: Amount | None = None

    def __str__(self) -> str:
        """Write it on one line."""
        held = f", from {self.held} that is held now" if self.held is not None else ""
        return f"costs at most {self.amount} to {self.payee}{held}"

    def members(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {
            "amount": str(self.amount.units),
            "asset": self.amount.asset.code,
            "payee": self.payee,
            "scheme": self.scheme,
            "held": str(self.held.units) if self.held is not None else None,
        }


Teller = Callable[[AtMost], None]
"""Is told; what it raises stops the payment."""
