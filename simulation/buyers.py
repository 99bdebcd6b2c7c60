"""Buyers: each has a device, pays one order after the other, and asks until it is answered."""

import asyncio
import json
from random import Random
from typing import Any, NamedTuple

from farthing import ids
from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.orders import Order
from farthing.keys import Ed25519Signer
from simulation.hubs import HubMachine
from simulation.town import Town
from simulation.wire import Answer, Request

_AGAIN = (0, 429, 500, 503, 504)


class Device(NamedTuple):
    """A device as it was enrolled."""

    id: str
    account: str
    signer: Ed25519Signer


class Buyer:
    """A device that pays a shop at one hub."""

    def __init__(self, name: str, town: Town, hub: HubMachine, device: Device, shop: str) -> None:
        self.name, self._town, self._hub = name, town, hub
        self._device, self._shop = device, shop
        self._luck = Random(town.luck.random())

    async def run(self) -> None:
        """Pay until the story is over."""
        while self._town.wants_more():
            await self._pay()
            await asyncio.sleep(self._luck.expovariate(1 / 0.01))

    async def _pay(self) -> None:
        order = self._order(self._luck.choice((1, 5, 20, 100)))
        operation = self._town.operation(
            self.name,
            "pay",
            device=order.device,
            nonce=order.nonce,
            amount=order.amount,
            payer=self._device.account,
            payee=order.payee,
        )
        signature = to_base64url(self._device.signer.sign(order.signed_bytes()))
        body = json.dumps({"order": order.members(), "signature": signature}).encode()
        answer = await self.insist(Request("POST", "/v1/payments", body), operation)
        told = answer.told
        self._town.heard(
            operation,
            status=answer.status,
            payment=told.get("id") or told.get("payment", ""),
            state=told.get("state", ""),
            code=told.get("code", ""),
            captured=told.get("captured", ""),
        )

    async def insist(self, request: Request, operation: int) -> Answer:
        """Send the same bytes until something is answered that settles it."""
        wait = 0.05
        while True:
            answer = await self._town.network.ask(self._hub, request, self.name)
            if answer is not None and answer.status not in _AGAIN:
                return answer
            self._town.unheard(operation, None if answer is None else answer.status)
            await asyncio.sleep(wait * (0.5 + self._luck.random()))
            wait = min(wait * 2, 5.0)

    def _order(self, amount: int, **members: Any) -> Order:
        now_ns = self._hub.clock()
        nonce = ids.encode(ids.fresh(now_ns // 1_000_000, self._luck.getrandbits))
        terms: dict[str, Any] = {
            "hub": self._town.hub_id,
            "device": self._device.id,
            "payee": self._shop,
            "asset": "USD",
            "amount": amount,
            "nonce": nonce,
            "expires": now_ns // NS + 1800,
        }
        return Order(**(terms | members))
