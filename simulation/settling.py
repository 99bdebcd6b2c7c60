"""How a story's people come into being: owners, accounts, mandates, devices; before any fault."""

from typing import Any

from simulation.buyers import Buyer
from simulation.devices import Device
from simulation.hubs import HubMachine
from simulation.owners import Owner, mandate_of
from simulation.sellers import Seller
from simulation.shoppers import Shopper
from simulation.shops import Shop
from simulation.town import Town

_SELLERS, _BUYERS = 2, 4
_PREFER = ("mpp", "x402", "mpp")
"""Each shopper's language."""
_FUNDS = 3_000
FEE_PPM = 100_000
Person = Owner | Buyer | Shopper


_ASKED = ("", "refuse", "two", "allow")
"""How owners of buyers are asked: not at all, as they are silent, or so that it takes two."""


class Settler:
    """Makes the people of one hub."""

    def __init__(self, town: Town, hub: HubMachine) -> None:
        self._town, self._hub = town, hub
        self._operator = Owner(f"{hub.name} operator", town, hub, "", Device("", town.luck))

    async def people(self, *, with_fee: bool) -> list[Person]:
        """Make sellers, buyers and their owners; give those who act by themselves."""
        if with_fee:
            account = await self._account(await self._owner("who runs it"))
            self._town.note("fee", account=account, ppm=FEE_PPM, hub=self._hub.name)
            await self._hub.take_fee(account, FEE_PPM)
        sellers = [await self._seller(f"{self._hub.name} seller {n}") for n in range(_SELLERS)]
        people: list[Person] = []
        for number in range(_BUYERS):
            people += await self._buyer(number, sellers)
        self._hub.let_sell(await self._shop())
        for number, prefer in enumerate(_PREFER):
            people += await self._shopper(number, prefer)
        return people

    async def _made(self, path: str, body: Any) -> Any:
        return await self._operator.made(path, body)

    async def _owner(self, name: str) -> str:
        return (await self._made("/v1/owners", {"name": name}))["id"]

    async def _account(self, owner: str, units: int = 0) -> str:
        account = (await self._made("/v1/accounts", {"asset": "USD", "owner": owner}))["id"]
        if units:
            await self._made(
                "/v1/credits", {"account": account, "units": str(units), "asset": "USD"}
            )
            self._town.note("credited", account=account, units=units, hub=self._hub.name)
        return account

    async def _seller(self, name: str) -> Seller:
        owner = await self._owner(name)
        seller = Seller(name, self._town, self._hub)
        seller.account = await self._account(owner)
        wanted = {"scopes": ["seller"], "owner": owner}
        seller.secret = (await self._made("/v1/keys", wanted))["secret"]
        return seller

    async def _shop(self) -> Shop:
        account = await self._account(await self._owner(f"{self._hub.name} shop"))
        return Shop(self._town, self._hub.name, account)

    async def _shopper(self, number: int, prefer: str) -> list[Person]:
        town, hub = self._town, self._hub
        owner, device = await self._device(f"shopper {number}")
        return [owner, Shopper(f"{hub.name} shopper {number}", town, hub, device, prefer)]

    async def _buyer(self, number: int, sellers: list[Seller]) -> list[Person]:
        town, hub = self._town, self._hub
        owner, device = await self._device(f"buyer {number}", _ASKED[number % len(_ASKED)])
        return [owner, Buyer(f"{hub.name} buyer {number}", town, hub, device, sellers)]

    async def _device(self, name: str, asked: str = "") -> tuple[Owner, Device]:
        town, hub = self._town, self._hub
        of = await self._owner(f"owner of {name}")
        device = Device(await self._account(of, _FUNDS), town.luck)
        device.hub, device.judged = hub.identity, hub.judging is not None
        device.asks, device.two = bool(asked), asked == "two"
        if asked:
            device.silence = "allow" if asked in ("allow", "two") else "refuse"
            told = {"silence": device.silence, "two": device.two}
            town.note("asks", account=device.account, hub=hub.name, **told)
        device.mandate = (await self._made("/v1/mandates", mandate_of(of, device)))["id"]
        owner = Owner(f"{hub.name} owner of {name}", town, hub, of, device)
        await owner.enrol()
        return owner, device
