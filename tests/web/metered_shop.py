"""A shop that meters, on a real hub: a real server, a real disk, and a device that pays."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from farthing.clock import system_clock
from farthing.device.client import Client
from farthing.device.purse import Membership, Purse
from farthing.money import Asset
from farthing.protocols.mpp import Mpp
from farthing.protocols.mpp_session import MppSessions
from farthing.services.metering import Metering, MeterLimits
from farthing.store.meter_book import MeterBook
from farthing.threads import Threads
from farthing.web.metered_till import MeteredTill
from farthing.web.paywall import Paywall
from farthing.web.price_file import read_prices
from farthing.web.remote_hub import RemoteHub
from farthing.web.remote_sessions import RemoteSessions
from tests.web.api.town import URL, Town, open_town
from tests.web.shop import serving

ASSETS = {"USD": Asset("USD", 6)}
REALM = "shop.example"
PRICES = f"""
[seller]
realm = "{REALM}"
payee = "PAYEE"

[[offer]]
path = "/readings"
methods = ["GET", "POST"]
price = "0.000003 USD"
per = "request"
every = 2
"""


class Ways(httpx.AsyncBaseTransport):
    """Leads to the hub in this process, or over the network to a seller."""

    def __init__(self, hub: httpx.AsyncBaseTransport) -> None:
        self.hub, self.net = hub, httpx.AsyncHTTPTransport()
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == httpx.URL(URL).host:
            return await self.hub.handle_async_request(request)
        self.sent.append(request)
        return await self.net.handle_async_request(request)


@dataclass
class MeteredShop:
    """What a test needs of the shop. Shape: `restart` leaves what is in memory behind."""

    town: Town
    folder: Path
    prices: str
    app: Any
    limits: dict[str, Any] = field(default_factory=dict)
    wait_seconds: float = 5.0

    def __post_init__(self) -> None:
        self.secret = secrets.token_bytes(32)
        self.pools = [Threads(1), Threads(2)]
        self.open()

    def open(self) -> None:
        bearer = {"authorization": f"Bearer {self.town.keys['seller.seller']}"}
        client = httpx.AsyncClient(
            transport=self.town.http._transport, base_url=URL, headers=bearer
        )
        self.book = MeterBook(self.folder / "meters.db", self.pools[0])
        self.metering = Metering(
            RemoteSessions(client),
            self.book,
            verifiers=self.pools[1],
            writer=self.pools[0],
            clock=system_clock,
            limits=MeterLimits(**({"settle_seconds": 0.1} | self.limits)),
        )
        self.till = MeteredTill(
            self.metering,
            MppSessions([self.secret]),
            ASSETS,
            system_clock,
            wait_seconds=self.wait_seconds,
        )
        self.paywall = Paywall(
            self.app,
            hub=RemoteHub(client),
            hub_id=self.town.hub.ctx.identity.hub,
            languages=[Mpp([self.secret])],
            assets=ASSETS,
            prices=read_prices(self.prices.replace("PAYEE", self.town.accounts["shop"]), ASSETS),
            meters=self.till,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.paywall(scope, receive, send)

    async def restart(self) -> None:
        if self.till._settling is not None:
            self.till._settling.cancel()
            await asyncio.gather(self.till._settling, return_exceptions=True)
        if (writing := self.metering._kept._pen._writing) is not None:
            await writing  # A file that is being written to cannot be closed.
        self.book.close()
        self.open()

    def client(self, folder: Path | None = None) -> Client:
        machine, identity = self.town.machines["meter"], self.town.hub.ctx.identity
        member = Membership(
            device=machine.id, hub=identity.hub, hub_url=URL, root_key=identity.root_public
        )
        purse = Purse(member, machine.signer, path=folder or self.folder / "purse")
        self.ways = Ways(self.town.http._transport)
        return Client(purse, transport=self.ways, plain_http=True)

    async def session(self, ident: str) -> dict[str, Any]:
        return await self.town.made("GET", f"/v1/sessions/{ident}", who="seller.seller")


@asynccontextmanager
async def metered_shop(
    folder: Path, app: Any, prices: str = PRICES, ws: str = "none", **more: Any
) -> AsyncIterator[tuple[MeteredShop, str]]:
    """Open hub and shop, and serve the shop."""
    async with open_town(folder / "hub") as town:
        shop = MeteredShop(town, folder, prices, app, **more)
        async with serving(shop, ws=ws) as url:
            yield shop, url
            await shop.paywall.drain()
        shop.book.close()
