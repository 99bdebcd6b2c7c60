"""What every paying plug shares: limits of its own, and one signature per ask."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from farthing import ids
from farthing.clock import Clock, system_clock
from farthing.core.orders import SignedOrder
from farthing.errors import PaymentRefused
from farthing.keys import Signer
from farthing.protocols.client import Ask

SCALES: Mapping[str, int] = {"USD": 6}
"""Assets a stock client may spend without being told more, and their decimals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a plug signs at most; a limit that is None does not bind.

    Units: `amount_max` counts smallest units per payment, by asset code; with it, an asset
           that is not named is refused.
    """

    amount_max: Mapping[str, int] | None = None
    payees: Collection[str] | None = None
    hub: str | None = None

    def fault(self, ask: Ask) -> str | None:
        """Say why an ask may not be paid, or None when it may."""
        if self.hub is not None and ask.hub != self.hub:
            return "another-hub"
        if self.payees is not None and ask.payee not in self.payees:
            return "payee-not-allowed"
        if self.amount_max is not None and ask.amount > self.amount_max.get(ask.asset, -1):
            return "above-own-limit"
        return None


@dataclass(frozen=True, slots=True)
class Payer:
    """A device that signs asks within its limits."""

    signer: Signer
    device: str
    limits: Limits = field(default_factory=Limits)
    clock: Clock = system_clock

    def sign(self, ask: Ask) -> SignedOrder:
        """Sign one ask.

        Raises: PaymentRefused when a limit forbids it; nothing has been signed then.
                Malformed for an ask that is too late or cannot be written as an order.
        """
        fault = self.limits.fault(ask)
        if fault is not None:
            raise PaymentRefused(fault, "this client was not told to sign such a payment")
        now_ns = self.clock()
        order = ask.order(self.device, now_ns, lambda: ids.encode(ids.fresh(now_ns // 1_000_000)))
        return SignedOrder(order, self.signer.sign(order.signed_bytes()))
