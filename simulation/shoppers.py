"""Shoppers: each has a device, and buys pages in a shop with Farthing's own client."""

import asyncio

from farthing.device.journal import Entry
from farthing.device.purse import Membership
from simulation.clients import Client
from simulation.devices import Device
from simulation.hubs import HubMachine
from simulation.purchases import Purchase
from simulation.roads import HUB, SHOP, Road
from simulation.shops import PRICES
from simulation.town import Town

_AT_ONCE = 2
_LIFE_SECONDS = 0.03


class Shopper(Client):
    """A device that buys in the shop of one hub. Shape: `prefer` is a language."""

    def __init__(self, name: str, town: Town, hub: HubMachine, device: Device, prefer: str) -> None:
        super().__init__(name, town, hub)
        self._device, self._prefer = device, prefer
        self._road = Road(town, hub, name)

    async def run(self) -> None:
        """Buy until the story is over, several things at once."""
        await asyncio.gather(*(self._one_by_one() for _ in range(_AT_ONCE)))

    async def _one_by_one(self) -> None:
        while self.town.wants_more():
            await self._buy(self.luck.choice(tuple(PRICES)))
            await asyncio.sleep(self.luck.expovariate(1 / 0.02))

    async def _buy(self, kind: str) -> None:
        town, device, since = self.town, self._device, self.town.loop.time()
        asked = {"price": PRICES[kind], "payer": device.account, "page": kind}
        operation = town.operation(self.name, "buy", hub=self.hub.name, **asked)
        own = self.about = device.id
        method, url = "POST" if kind == "made" else "GET", f"https://{SHOP}/{kind}/{operation}"
        purchase = Purchase(
            town.loop,
            self._road,
            self._membership(),
            self._prefer,
            lambda entry: self._signed(operation, entry),
        )
        while True:
            dies = town.faults.strikes("client-died")
            after = self.luck.expovariate(1 / _LIFE_SECONDS) if dies else None
            told = await purchase.ask(device.key_of(own), method, url, after)
            if "status" in told:
                town.heard(operation, **told)
                self._blame(told["code"], since)
                return
            town.unheard(operation, None)
            if "died" in told and purchase.pending:
                town.faults.count("client-died")
            for payment in told.get("lost", ()):
                town.note("lost", operation=operation, hub=self.hub.name, payment=payment)
            if town.faults.strikes("client-gone"):
                town.gone(operation)
                return
            await asyncio.sleep(0.05 + self.luck.random())

    def _membership(self) -> Membership:
        return Membership(
            device=self._device.id,
            hub=self.hub.identity,
            hub_url=f"https://{HUB}",
            root_key=self.hub.root_key,
            max="0.05 USD",
        )

    def _signed(self, operation: int, entry: Entry) -> None:
        self.town.note(
            "signed",
            operation=operation,
            hub=self.hub.name,
            payment=entry.payment,
            payer=self._device.account,
            payee=entry.payee,
            amount=entry.amount,
            device=entry.order["device"],
            nonce=entry.order["nonce"],
        )
