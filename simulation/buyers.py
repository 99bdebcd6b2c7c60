"""Buyers: each has a device, and pays in all the ways that there are, several things at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from farthing.core.orders import Order
from simulation.clients import Client, facts_of
from simulation.devices import Device, facts_of_order, written
from simulation.hubs import HubMachine
from simulation.metered import MeteredPurchase
from simulation.sellers import Seller
from simulation.town import Town
from simulation.wire import Answer, Request

_AMOUNTS = (1, 2, 5, 20, 60)
_AT_ONCE = 3
_BATCH_MAX = 5
_WRONG_CLOCK_SECONDS = 5400.0
_AWAITS = 202


class Buyer(Client):
    """A device that pays sellers at one hub."""

    def __init__(
        self, name: str, town: Town, hub: HubMachine, device: Device, sellers: list[Seller]
    ) -> None:
        super().__init__(name, town, hub)
        self.device, self._sellers = device, sellers
        self._earlier: list[tuple[int, Request]] = []
        self._asked: list[tuple[Request, dict[str, Any]]] = []
        self._acts: list[Callable[[], Awaitable[None]]] = [
            *[self._pay] * 12, *[self._sold] * 4, *[self._metered] * 2,
            self._again, self._again, self._cancelled, self._batch, self._come_back,
        ]  # fmt: skip

    async def run(self) -> None:
        """Pay until the story is over, several things at once."""
        await asyncio.gather(*(self._one_by_one() for _ in range(_AT_ONCE)))

    async def _one_by_one(self) -> None:
        while self.town.wants_more():
            self.about = self.device.id
            await self.luck.choice(self._acts)()
            await asyncio.sleep(self.luck.expovariate(1 / 0.02))

    def _seller(self) -> Seller:
        return self.luck.choice(self._sellers)

    def _amount(self) -> int:
        return self.luck.choice(_AMOUNTS)

    def _order(self, payee: str) -> Order:
        amount = self._amount()
        return self.device.order(payee, amount, resource=self.device.thing(amount))

    async def _pay(self) -> None:
        wrong_clock = self.town.faults.strikes("device-clock")
        if wrong_clock:
            self.device.skew_seconds = self.luck.choice((-1, 1)) * _WRONG_CLOCK_SECONDS
        order = self._order(self._seller().account)
        self.device.skew_seconds = 0.0
        request = Request("POST", "/v1/payments", written(self.device.signed(order)))
        facts = facts_of_order(order, self.device.account)
        operation = self.town.operation(self.name, "pay", hub=self.hub.name, **facts)
        answer = await self.settle(operation, request)
        if answer is not None and wrong_clock and answer.told.get("code") in _LATE:
            self.town.faults.count("device-clock")
        if answer is not None and answer.status == _AWAITS:
            self.device.awaiting[answer.told["id"]] = facts
            self._asked = [*self._asked[-5:], (request, facts)]
        elif answer is not None and facts_of(answer)["payment"]:
            self._earlier = [*self._earlier[-20:], (operation, request)]

    async def _again(self) -> None:
        if self._earlier:
            operation, request = self.luck.choice(self._earlier)
            await self.do("again", request, of=operation)

    async def _come_back(self) -> None:
        """Send once more what its owner was asked for, to hear what became of it."""
        if self._asked:
            request, facts = self.luck.choice(self._asked)
            await self.do("come-back", request, **facts)

    async def _cancelled(self) -> None:
        order = self._order(self._seller().account)
        facts = facts_of_order(order, self.device.account)
        paying = Request("POST", "/v1/payments", written(self.device.signed(order)))
        ending = Request("POST", "/v1/payments/cancel", written(self.device.cancelling(order)))
        await asyncio.gather(self.do("pay", paying, **facts), self.do("cancel", ending, **facts))

    async def _batch(self) -> None:
        payee, count = self._seller().account, self.luck.randrange(2, _BATCH_MAX + 1)
        orders = [self._order(payee) for _ in range(count)]
        request = Request(
            "POST",
            "/v1/payments/batch",
            written({"payments": [self.device.signed(order) for order in orders]}),
        )
        numbers = [
            self.town.operation(
                self.name,
                "pay",
                hub=self.hub.name,
                **facts_of_order(order, self.device.account),
            )
            for order in orders
        ]
        answer = await self.insist(numbers[0], request)
        for place, number in enumerate(numbers):
            if answer is None:
                self.town.gone(number)
            else:
                self.town.heard(number, **_item(answer, place))

    async def _sold(self) -> None:
        await self._seller().sell(self.device, self._amount())

    async def _metered(self) -> None:
        await MeteredPurchase(self, self._seller()).run()


_LATE = ("order-time", "order-expired")


def _item(answer: Answer, place: int) -> dict[str, object]:
    if answer.status != 200:
        return facts_of(answer)
    told = answer.told["payments"][place]
    status = {"captured": 200, "awaiting": _AWAITS}.get(told["state"], 422)
    code = told["problem"]["code"] if told["problem"] else ""
    payment = told["id"] or ""
    return {"status": status, "payment": payment, "state": told["state"] or "", "code": code}
