"""Many payments in one request: verified side by side, decided in order, committed together."""

from collections.abc import Sequence

from farthing.books.base import Done
from farthing.core.batches import read_batch, signed_bytes
from farthing.core.devices import Device
from farthing.core.orders import SignedOrder
from farthing.core.paying import Authorise
from farthing.core.payments import Authorised
from farthing.errors import FarthingError
from farthing.services.context import Context
from farthing.services.payments import Payments

Answer = Done[Authorised] | FarthingError


class Batches:
    """Pays orders that came together; each is answered by itself, in their order."""

    def __init__(self, ctx: Context, payments: Payments) -> None:
        self._ctx, self._payments = ctx, payments

    async def pay_each(
        self, orders: Sequence[SignedOrder | FarthingError], bearer: str, place: str = ""
    ) -> list[Answer]:
        """Pay orders that are signed one by one, of whatever devices.

        Shape: what could not even be read is handed through in its place; `place` is where
               they came from.
        """
        read = [order for order in orders if isinstance(order, SignedOrder)]
        who = await self._payments.who_ordered_each(read, bearer)
        units = [
            self._unit(order, *found, place)
            for order, found in zip(read, who, strict=True)
            if isinstance(found, tuple)
        ]
        done = iter(await self._ctx.books.commit(units, bearer))
        paid = iter([next(done) if isinstance(found, tuple) else found for found in who])
        return [next(paid) if isinstance(order, SignedOrder) else order for order in orders]

    async def pay_all(
        self, raw: bytes, signature: bytes, bearer: str, place: str = ""
    ) -> list[Answer]:
        """Pay a batch that its device signed once.

        Raises: Malformed, Unauthenticated; nothing was paid then.
        """
        orders = read_batch(raw)
        device, key = await self._payments.who(
            orders[0].device, signature, signed_bytes(raw), bearer
        )
        units = [self._unit(SignedOrder(order, signature), device, key, place) for order in orders]
        return await self._ctx.books.commit(units, device.owner)

    def _unit(self, signed: SignedOrder, device: Device, key: str, place: str) -> Authorise:
        hub = self._ctx.identity.hub
        fees = self._ctx.fees
        return Authorise(
            signed, key, device, hub, 60, capture=True, serves=False, fees=fees, place=place
        )
