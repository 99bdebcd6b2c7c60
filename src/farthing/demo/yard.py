"""The yard: what the fleet's owner sells, to a neighbour's van, and how what it earns is paid out.

It fills the pages of a seller and of who looks after the hub by what really happens. What moves
between the two stays out of the picture of the fleet.
"""

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from farthing.cli.local import ask
from farthing.core.tariffs import flat_rate
from farthing.demo.cast import ASSETS, USD
from farthing.demo.fleet import pause
from farthing.demo.servers import Served
from farthing.demo.tally import Tally
from farthing.demo.web import as_json, send_page, trust
from farthing.device.client import Client
from farthing.device.enrolment import enrol
from farthing.device.purse import Purse
from farthing.errors import FarthingError
from farthing.money import parse_price
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.selling import metered
from farthing.web.asgi import Receive, Scope, Send
from farthing.web.hub_offers import HubOffers
from farthing.web.paywall import Paywall
from farthing.web.remote_hub import RemoteHub

VAN = "Delivery van"
_CHARGE, _CAMERA = "/charge", "/camera"
_CHARGE_PRICE, _SECOND_PRICE, _DEPOSIT = "0.0035 USD", "0.00002 USD", "0.01 USD"
_FUNDS, _CAP = "5 USD", "1 USD"
_PACE_SECONDS, _WATCHES_SECONDS = 0.9, 1.5
_FRAMES = 4
_MOVES = (
    ("topups", "2 USD", "ok"), ("payouts", "0.75 USD", "ok"), ("payouts", "0.4 USD", "fail"),
    ("topups", "0.5 USD", "slow"), ("payouts", "0.25 USD", "unclear"),
)  # fmt: skip
"""How money comes and goes by the rail that moves none, in each way that it can end."""

_NOBODY = "http://127.0.0.1:9/events"
"""Where nobody listens: the console shows what does not arrive."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a yard stands on. Shape: `operator` and `seller` ask the hub with their keys."""

    hub_url: str
    hub_id: str
    folder: Path
    owner: str
    operator: httpx.AsyncClient
    seller: httpx.AsyncClient


class Yard:
    """A shop of the fleet's owner, and the van that buys there."""

    def __init__(self, ground: Ground, tally: Tally) -> None:
        self._ground, self._tally = ground, tally
        self._url, self._till = "", ""
        self._purse: Purse | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        """Open the shop and enrol its customer; leaving `stack` closes it."""
        self._till = await self._account(self._ground.owner, "Yard")
        await self._offer()
        told = (await ask(self._ground.seller, "GET", "/v1/offers?limit=500"))["items"]
        marks = [secrets.token_bytes(32)]
        client = self._ground.seller
        paywall = Paywall(
            hub=RemoteHub(client),
            hub_id=self._ground.hub_id,
            languages=[Mpp(marks), X402()],
            assets=ASSETS,
            prices=HubOffers(client, self._till, ASSETS, told),
            realm="yard.demo",
            payee=self._till,
            meters=metered(client, self._ground.folder / "meters.db", marks, ASSETS),
        )
        stack.push_async_callback(paywall.drain)
        served = await Served(paywall.wrap(_sold)).start()
        stack.push_async_callback(served.stop)
        self._url = served.url
        await self._enrol()
        hook = {"owner": self._ground.owner, "url": _NOBODY, "label": "bookkeeping"}
        await ask(self._ground.operator, "POST", "/v1/webhooks", hook)

    async def live(self, stop: asyncio.Event) -> None:
        """Buy, watch and move money until told to stop."""
        if self._purse is None:
            return
        transport = httpx.AsyncHTTPTransport(verify=trust())
        async with (
            Client(self._purse, cap=_CAP, transport=transport) as client,
            asyncio.TaskGroup() as together,
        ):
            together.create_task(self._heeded(self._buy(client, stop)))
            together.create_task(self._heeded(self._look(client, stop)))
            together.create_task(self._heeded(self._move(stop)))

    async def _heeded(self, work: Any) -> None:
        try:
            await work
        except (FarthingError, httpx.HTTPError) as fault:
            self._tally.trouble(VAN, str(fault) or type(fault).__name__)

    async def _buy(self, client: Client, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await client.get(self._url + _CHARGE)
            await pause(stop, _PACE_SECONDS)

    async def _look(self, client: Client, stop: asyncio.Event) -> None:
        async with client.session(self._url, _DEPOSIT) as shop:
            while not stop.is_set():
                await shop.get(self._url + _CAMERA)
                await pause(stop, _WATCHES_SECONDS)

    async def _move(self, stop: asyncio.Event) -> None:
        for way, price, place in _MOVES:
            units = parse_price(price, ASSETS).units
            moving = {"account": self._till, "asset": USD.code, "units": str(units)}
            moving |= {"rail": "simulated", "place": place}
            await ask(self._ground.operator, "POST", f"/v1/{way}", moving)
            await pause(stop, _PACE_SECONDS)

    async def _offer(self) -> None:
        common = {"payee": self._till, "asset": USD.code, "category": "charging"}
        units = str(parse_price(_CHARGE_PRICE, ASSETS).units)
        flat = common | {"path": _CHARGE, "amount": units, "description": "A watt hour"}
        rate = flat_rate(USD.code, "second", parse_price(_SECOND_PRICE, ASSETS).units)
        tariff = {"tariff": rate.members(), "deposit": str(parse_price(_DEPOSIT, ASSETS).units)}
        by_second = common | {"path": _CAMERA, "metered": tariff, "description": "The yard, live"}
        for offer in (flat, by_second):
            await ask(self._ground.operator, "POST", "/v1/offers", offer)

    async def _enrol(self) -> None:
        operator = self._ground.operator
        owner = (await ask(operator, "POST", "/v1/owners", {"name": "Parcels"}))["id"]
        account = await self._account(owner, VAN)
        units = str(parse_price(_FUNDS, ASSETS).units)
        credit = {"account": account, "units": units, "asset": USD.code}
        await ask(operator, "POST", "/v1/credits", credit)
        wanted = {"owner": owner, "name": VAN, "asset": USD.code}
        mandate = (await ask(operator, "POST", "/v1/mandates", wanted))["id"]
        invitation = {"account": account, "mandate": mandate, "name": VAN}
        made = await ask(operator, "POST", "/v1/devices/invitations", invitation)
        self._purse = await enrol(
            self._ground.folder / "van",
            self._ground.hub_url,
            made["code"],
            name=VAN,
            hub=self._ground.hub_id,
            transport=httpx.AsyncHTTPTransport(verify=trust()),
        )

    async def _account(self, owner: str, name: str) -> str:
        wanted = {"owner": owner, "asset": USD.code, "name": name}
        return (await ask(self._ground.operator, "POST", "/v1/accounts", wanted))["id"]


async def _sold(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer what is paid for: a watt hour at once, the camera for a second."""
    if scope["path"] != _CAMERA:
        await send_page(send, as_json({"watt_hours": 1}))
        return
    fields = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    for _ in range(_FRAMES):
        await send({"type": "http.response.body", "body": b"a yard\n", "more_body": True})
        await asyncio.sleep(1 / _FRAMES)
    await send({"type": "http.response.body", "body": b""})
