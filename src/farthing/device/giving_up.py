"""What a device gives up, knowingly, so that a request can be paid anew."""

from collections.abc import Callable
from typing import Any

import msgspec

from farthing.device.hub_calls import Standing
from farthing.device.journal import Entry
from farthing.money import Amount, Asset

ANEW = "farthing_anew"
"""Where a request's httpx extensions have a `Teller`, when it is to be paid anew."""


PROMISED = "promised"
"""The state of a voucher that was sent: it cannot be taken back."""


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier payment of the same request that is not waited for any more.

    Shape: `state` is the hub's word for it; `lost` tells that its money is, or may be, the
           seller's: it was taken or is held, or the order cannot be cancelled any more.
    """

    payment: str
    amount: Amount
    payee: str
    state: str
    lost: bool

    def __str__(self) -> str:
        """Write it on one line, with what can still be done."""
        what = f"gave up {self.amount} to {self.payee} · {self.payment}"
        if not self.lost:
            return f"{what}: nothing was taken, and nothing will be"
        if self.state == PROMISED:
            return f"{what}: the seller may have charged it already"
        return f"{what}: the hub says {self.state}; ask the seller for a refund"

    def members(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return {
            "payment": self.payment,
            "amount": str(self.amount.units),
            "asset": self.amount.asset.code,
            "payee": self.payee,
            "state": self.state,
            "lost": self.lost,
        }


def given_up_voucher(entry: Entry) -> GivenUp:
    """Say what is given up of a request that a voucher was sent for."""
    return GivenUp(
        payment=entry.payment,
        amount=Amount(entry.amount, Asset(entry.asset, entry.scale)),
        payee=entry.payee,
        state=PROMISED,
        lost=True,
    )


Teller = Callable[[GivenUp], None]
"""Is told each payment that was given up, before anything new is signed."""


def given_up(entry: Entry, standing: Standing) -> GivenUp:
    """Say what is given up of an order, from how it stands after its hub was to cancel it."""
    return GivenUp(
        payment=entry.payment,
        amount=Amount(entry.amount, Asset(entry.asset, entry.scale)),
        payee=entry.payee,
        state=standing.state,
        lost=not standing.over_unpaid,
    )
