"""The hub as a seller sees it, with somebody who watches how it does."""

from farthing.core.orders import SignedOrder
from farthing.services.hub import Authorisation, Hub, OnceKey
from farthing.services.watch import Watch


class WatchedHub:
    """Passes every verb on, as a step that is watched."""

    def __init__(self, hub: Hub, watch: Watch) -> None:
        self._hub, self._watch = hub, watch

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
        """Check an order, and hold its money or charge at once."""
        with self._watch.step("authorise"):
            return await self._hub.authorise(
                signed,
                hold_seconds=hold_seconds,
                capture=capture,
                category=category,
                once=once,
                offer=offer,
                serves_safely=serves_safely,
                place=place,
            )

    async def recorded(self, signed: SignedOrder) -> Authorisation | None:
        """Judge an order only if it is recorded already."""
        with self._watch.step("authorise"):
            return await self._hub.recorded(signed)

    async def capture(self, payment: str, units: int | None = None) -> Authorisation:
        """Post a hold."""
        with self._watch.step("capture"):
            return await self._hub.capture(payment, units)

    async def void(self, payment: str, reason: str) -> Authorisation:
        """Release a hold."""
        with self._watch.step("void"):
            return await self._hub.void(payment, reason)

    async def refund(self, payment: str, units: int | None, reason: str) -> Authorisation:
        """Give captured money back."""
        with self._watch.step("refund"):
            return await self._hub.refund(payment, units, reason)

    async def delivery_incomplete(self, payment: str, reason: str) -> None:
        """Record that an answer broke off after it was paid."""
        with self._watch.step("delivery"):
            await self._hub.delivery_incomplete(payment, reason)
