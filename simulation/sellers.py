"""Sellers: they hold an order's money, and take it, give it back, or forget it."""

from simulation.clients import Client
from simulation.devices import Device, facts_of_order, written
from simulation.wire import Request


class Seller(Client):
    """A seller with an account and an API key."""

    account = ""
    secret = ""

    def request(self, path: str, body: object = None) -> Request:
        """Write a request under the seller's key."""
        raw = b"" if body is None else written(body)
        key = (b"authorization", f"Bearer {self.secret}".encode())
        return Request("POST", path, raw, (key,))

    async def sell(self, device: Device, amount: int) -> None:
        """Sell something for a hold, and settle it."""
        order = device.order(self.account, amount, resource=device.thing(amount))
        self.about = device.id
        facts = facts_of_order(order, device.account)
        seconds = self.luck.choice((3, 20, 60))
        body = device.signed(order) | {"hold_seconds": seconds}
        held = await self.do("hold", self.request("/v1/payments/authorise", body), **facts)
        if held is not None and held.told.get("state") == "awaiting":
            device.awaiting[held.told["payment"]] = facts
        if held is None or held.told.get("state") != "held":
            return
        if self.town.faults.strikes("seller-gone"):
            self.town.faults.count("seller-gone")
            return
        await self._conclude(held.told["payment"], amount, facts)

    async def _conclude(self, payment: str, amount: int, facts: dict[str, object]) -> None:
        where = f"/v1/payments/{payment}"
        if self.luck.random() < 0.25:
            await self.do("void", self.request(f"{where}/void", {"reason": "sold out"}), **facts)
            return
        units = self.luck.randrange(1, amount + 1) if self.luck.random() < 0.3 else amount
        request = self.request(f"{where}/capture", {"units": str(units)})
        taken = await self.do("capture", request, **facts, units=units)
        if taken is not None and taken.status == 200 and self.luck.random() < 0.3:
            await self._give_back(where, self.luck.randrange(1, units + 1), facts)

    async def _give_back(self, where: str, units: int, facts: dict[str, object]) -> None:
        body = {"id": self.town.name("ref"), "units": str(units)}
        await self.do("refund", self.request(f"{where}/refunds", body), **facts, units=units)
