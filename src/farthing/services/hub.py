"""The hub as a seller sees it: the same four verbs whether embedded or far away."""

from typing import Any, Protocol

import msgspec

from farthing.core.orders import SignedOrder


class Authorisation(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub says of an order.

    Shape: `state` is `held`, `captured`, `awaiting`, `refused`, `voided`, `expired`, `denied`
           or `refunded`; `fresh` is true for exactly one caller, the one who may serve it;
           `reason` is a refusal's code; `retry_after_seconds` says when to ask again.
    """

    payment: str
    state: str
    fresh: bool
    reason: str = ""
    detail: str = ""
    payer: str = ""
    units: int = 0
    asset: str = ""
    retry_after_seconds: int = 0
    receipt: dict[str, Any] | None = None


class OnceKey(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key that came with a credential: one payment for it and its content.

    Shape: `method` and `route` are the offer's, the path with its placeholders; `content` is the
           base64url SHA-256 of what was asked. The hub scopes it by the order's device and payee.
    """

    method: str
    route: str
    key: str
    content: str


class Hub(Protocol):
    """What a paywall, a proxy or a facilitator asks of the hub. Every verb is safe to repeat."""

    async def authorise(
        self,
        signed: SignedOrder,
        *,
        hold_seconds: int,
        capture: bool,
        category: str = "",
        once: OnceKey | None = None,
        offer: str = "",
        serves_safely: bool = False,
        place: str = "",
    ) -> Authorisation:
        """Check the signature, the mandate and the money, and hold it (or charge at once).

        Shape:  with `once` the answer may be the payment that was made first under that key;
                `offer` is the hub's offer that the order is for, whose fee is then taken;
                `serves_safely` where what is served does no harm if it is served again: then a
                hold may become durable together with what ends it, some milliseconds later;
                `place` is the network that the order came from, to be judged by and kept nowhere.
        Raises: Conflict `idempotency-key-reused`; FarthingError for an order that cannot be
                judged; Unavailable, OutcomeUnknown.
        """
        ...

    async def recorded(self, signed: SignedOrder) -> Authorisation | None:
        """Judge an order as `authorise` does, but only if it is recorded already."""
        ...

    async def capture(self, payment: str, units: int | None = None) -> Authorisation:
        """Post a hold, all of it or `units`; the answer carries the receipt."""
        ...

    async def void(self, payment: str, reason: str) -> Authorisation:
        """Release a hold."""
        ...

    async def refund(self, payment: str, units: int | None, reason: str) -> Authorisation:
        """Give captured money back, all of it or `units`."""
        ...

    async def delivery_incomplete(self, payment: str, reason: str) -> None:
        """Record that an answer broke off after it was paid."""
        ...
