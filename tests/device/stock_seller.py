"""A stock x402 seller that settles at a real hub, all in this process, and the wire to both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Response
from x402 import x402ResourceServer
from x402.http.middleware.fastapi import payment_middleware, set_settlement_overrides
from x402.http.types import PaymentOption, RouteConfig
from x402.schemas import SupportedResponse

from farthing.device import Client, Membership, Patience, Purse
from farthing.device.journal import FolderJournal
from farthing.plugs.x402_seller import (
    FarthingBatchServer,
    FarthingServerScheme,
    FarthingUptoServer,
    facilitator,
)
from tests.web.api.town import URL, Town, open_town

SHOP = "https://shop.example"
PRICE = 1500


class Killed(BaseException):
    """The program ends here."""


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """Leads to the hub and to the shop. Its troubles befall paying requests, in order.

    Shape: a trouble is `request-lost`, `reply-lost`, `killed` (before sending), a status, or none.
    """

    hub: httpx.AsyncBaseTransport
    app: FastAPI
    sent: list[str] = field(default_factory=list)
    troubles: list[Any] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == httpx.URL(URL).host:
            return await self.hub.handle_async_request(request)
        shop = httpx.ASGITransport(self.app)
        if "payment-signature" not in request.headers:
            return await shop.handle_async_request(request)
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "killed":
            raise Killed
        self.sent.append(request.headers["payment-signature"])
        if trouble == "request-lost":
            raise httpx.ConnectTimeout("lost on the way", request=request)
        if isinstance(trouble, int):
            return httpx.Response(trouble, request=request)
        answer = await shop.handle_async_request(request)
        if trouble == "reply-lost":
            raise httpx.ReadError("lost on the way back", request=request)
        return answer


@dataclass
class Seller:
    """The seller and its hub. Shape: `uses` is what the next answers come to, all if empty."""

    town: Town
    folder: Path
    app: FastAPI
    uses: list[int]
    served: list[str]

    def client(self, machine: str = "meter", **options: Any) -> Client:
        """Open the client of a device that keeps its purse in a folder."""
        known, identity = self.town.machines[machine], self.town.hub.ctx.identity
        member = Membership(
            device=known.id, hub=identity.hub, hub_url=URL, root_key=identity.root_public
        )
        folder = self.folder / machine
        purse = Purse(member, known.signer, FolderJournal(folder / "journal"), folder)
        self.wire = Wire(self.town.http._transport, self.app)
        quick = Patience(attempts=2, first_wait_seconds=0.001)
        told = {"patience": quick, "transport": self.wire} | options
        return Client(purse, **told)

    async def sessions(self) -> list[Any]:
        """List the sessions that the hub knows of."""
        return (await self.town.made("GET", "/v1/sessions", who="buyer.owner"))["items"]

    async def close(self) -> int:
        """Close every session as its payee; give what was captured in all."""
        captured = 0
        for session in await self.sessions():
            path = f"/v1/sessions/{session['id']}/close"
            closed = await self.town.made("POST", path, who="seller.seller")
            captured += int(closed["captured"])
        return captured


@asynccontextmanager
async def stock_seller(folder: Path, *schemes: str) -> AsyncIterator[Seller]:
    """Open a hub, and a stock seller that asks to be paid in these schemes."""
    async with open_town(folder / "hub") as town:
        hub_http = httpx.AsyncClient(transport=town.http._transport)
        hub = facilitator(URL, town.keys["seller.seller"], http_client=hub_http)
        # The stock client asks for this without its http_client, and so over the network.
        supported = SupportedResponse.model_validate(await town.made("GET", "/supported"))
        hub.get_supported = lambda: supported
        server = x402ResourceServer(hub)
        for scheme in (FarthingServerScheme(), FarthingUptoServer(), FarthingBatchServer("tea")):
            server.register("farthing:*", scheme)
        network, payee = f"farthing:{town.hub.ctx.identity.hub}", town.accounts["shop"]
        options = [
            PaymentOption(scheme=scheme, network=network, pay_to=payee, price="$0.0015")
            for scheme in schemes
        ]
        app, uses, served = FastAPI(), list[int](), list[str]()
        routes = {"GET /tea": RouteConfig(accepts=options)}
        app.middleware("http")(payment_middleware(routes, server))

        @app.get("/tea")
        async def tea(response: Response) -> str:
            served.append("tea")
            if uses:
                set_settlement_overrides(response, {"amount": str(uses.pop(0))})
            return "tea"

        yield Seller(town, folder, app, uses, served)
