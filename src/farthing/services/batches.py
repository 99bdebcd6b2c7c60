"""Many payments in one request: verified side by side, decided in order, committed together."""

import asyncio
from collections.abc import Sequence
from typing import Any

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
        self, orders: Sequence[SignedOrder | FarthingError], bearer: str
    ) -> list[Answer]:
        """Pay orders that are signed one by one, of whatever devices.

        Shape: what could not even be read is handed through in its place.
        """
        who = await asyncio.gather(*(self._who(order, bearer) for order in orders))
        units: list[Any] = [
            self._unit(order, *found)
            for order, found in zip(orders, who, strict=True)
            if isinstance(order, SignedOrder) and isinstance(found, tuple)
        ]
        done = iter(await self._ctx.books.commit(units, bearer))
        return [found if isinstance(found, FarthingError) else next(done) for found in who]

    async def pay_all(self, raw: bytes, signature: bytes, bearer: str) -> list[Answer]:
        """Pay a batch that its device signed once.

        Raises: Malformed, Unauthenticated; nothing was paid then.
        """
        orders = read_batch(raw)
        device, key = await self._payments.who(
            orders[0].device, signature, signed_bytes(raw), bearer
        )
        units = [self._unit(SignedOrder(order, signature), device, key) for order in orders]
        return await self._ctx.books.commit(units, device.owner)

    async def _who(
        self, order: SignedOrder | FarthingError, bearer: str
    ) -> tuple[Device, str] | FarthingError:
        if isinstance(order, FarthingError):
            return order
        try:
            return await self._payments.who_ordered(order, bearer)
        except FarthingError as error:
            return error

    def _unit(self, signed: SignedOrder, device: Device, key: str) -> Authorise:
        hub = self._ctx.identity.hub
        fees = self._ctx.fees
        return Authorise(signed, key, device, hub, 60, capture=True, serves=False, fees=fees)
