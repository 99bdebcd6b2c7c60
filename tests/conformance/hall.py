"""A market hall for these tests: a real hub, a real paywall before a stall, and a buyer.

The stall stands in the paywall's own process (the middleware), or behind the proxy on a socket of
its own. Either is asked over a socket, of a real server.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from farthing import ids
from farthing.clock import system_clock
from farthing.codec import from_base64, from_base64url, read_json, to_base64, to_base64url
from farthing.core.orders import SignedOrder
from farthing.core.prices import Offer, PriceList
from farthing.money import Amount, Asset
from farthing.protocols import fields
from farthing.protocols.client import Ask, asks
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.web.limits import Limits
from farthing.web.paywall import Paywall
from farthing.web.proxy import ReverseProxy
from tests.web.api.town import Town, open_town
from tests.web.shop import Counter, serving

USD = Asset("USD", 6)
PRICE = 1500
URL = "http://shop.example"
AWAY = ("203.0.113.9", 40000)
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


MIDDLEWARE, PROXY = "middleware", "proxy"


@dataclass(frozen=True)
class Place:
    """A folder for the books, and how the stall is sold: one of `MIDDLEWARE`, `PROXY`."""

    folder: Path
    surface: str


class At(httpx.AsyncHTTPTransport):
    """Sends whatever is asked to one server, with the `Host` that was asked for."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._to = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the server."""
        request.url = request.url.copy_with(
            scheme=self._to.scheme, host=self._to.host, port=self._to.port
        )
        return await super().handle_async_request(request)


@dataclass
class Hall:
    """A stall at `/paid` and `/item/{name}`, its buyer's client, and the town around.

    `url` is where the paywall's server listens; `shop` is what the paywall stands before.
    """

    town: Town
    stall: Counter
    shop: Any
    wall: Paywall
    http: httpx.AsyncClient
    url: str = ""
    machine: str = "meter"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be served as the paywall that stands now."""
        await self.wall(scope, receive, send)

    async def ask(self, method: str = "GET", path: str = "/paid", **more: Any) -> httpx.Response:
        """Send one request."""
        return await self.http.request(method, path, **more)

    def signed(self, answer: httpx.Response, language: str = "mpp", **changes: Any) -> SignedOrder:
        """Sign what a 402 asks; `changes` are made before signing."""
        order = self.ask_in(answer, language).order(
            self.town.machines[self.machine].id, self.town.clock(), self.nonce
        )
        order = msgspec.structs.replace(order, **changes)
        return SignedOrder(
            order, self.town.machines[self.machine].signer.sign(order.signed_bytes())
        )

    def ask_in(self, answer: httpx.Response, language: str = "mpp") -> Ask:
        """Give what a 402 asks in one language."""
        found = asks(answer.headers.multi_items())
        return next(ask for ask in found if ask.language == language)

    def nonce(self) -> str:
        """Make a time-ordered nonce."""
        return ids.encode(ids.fresh(self.town.clock() // 1_000_000))

    def credential(
        self, answer: httpx.Response, language: str = "mpp", **changes: Any
    ) -> dict[str, str]:
        """Give the header fields that pay a 402."""
        signed = self.signed(answer, language, **changes)
        return dict(self.ask_in(answer, language).credential(signed))

    async def pay(
        self, method: str = "GET", path: str = "/paid", *, language: str = "mpp", **more: Any
    ) -> httpx.Response:
        """Ask, sign, and ask again."""
        asked = await self.ask(method, path, **more)
        assert asked.status_code == 402, asked.text
        headers = more.pop("headers", {}) | self.credential(asked, language)
        return await self.ask(method, path, headers=headers, **more)

    async def earned(self) -> int:
        """Count what the seller has, by the books."""
        return await self.town.available("shop")

    async def payments(self) -> list[dict[str, Any]]:
        """List every payment the hub has recorded."""
        return (await self.town.made("GET", "/v1/payments", who="operator"))["items"]

    def client(self, address: tuple[str, int], **more: Any) -> httpx.AsyncClient:
        """Give a client that comes from another address."""
        transport = httpx.ASGITransport(self, client=address)
        return httpx.AsyncClient(transport=transport, **({"base_url": URL} | more))

    def become(self, **changes: Any) -> None:
        """Restart the paywall, perhaps with other settings: what it kept in memory is gone."""
        self.wall = Paywall(self.shop, **(_wall(self.town) | changes))


def _wall(town: Town) -> dict[str, Any]:
    offers = (
        Offer(name="paid", path="/paid", price=Amount(PRICE, USD), methods=METHODS),
        Offer(name="item", path="/item/{name}", price=Amount(PRICE, USD), methods=METHODS),
    )
    return {
        "hub": town.hub.embedded(),
        "hub_id": town.hub.ctx.identity.hub,
        "languages": [Mpp(town.hub.challenge_secrets), X402()],
        "assets": {"USD": USD},
        "prices": PriceList(offers=offers, prefixes=("/paid", "/item")),
        "realm": "shop.example",
        "payee": town.accounts["shop"],
        "clock": town.clock,
    }


@contextlib.asynccontextmanager
async def open_hall(
    place: Place, stall: Counter | None = None, *, clock: Any = system_clock, **wall: Any
) -> AsyncIterator[Hall]:
    """Open a hub in a folder and a stall behind its paywall."""
    stall = stall or Counter()
    async with (
        open_town(place.folder, clock=clock) as town,
        before(stall, place.surface) as shop,
    ):
        paywall = Paywall(shop, **(_wall(town) | wall))
        hall = Hall(town, stall, shop, paywall, httpx.AsyncClient())
        async with (
            serving(hall) as hall.url,
            httpx.AsyncClient(transport=At(hall.url), base_url=URL, timeout=20) as hall.http,
        ):
            yield hall
        await hall.wall.drain()


@contextlib.asynccontextmanager
async def before(stall: Counter, surface: str) -> AsyncIterator[Any]:
    """Give what a paywall stands before: the stall itself, or the proxy to it."""
    if surface == MIDDLEWARE:
        yield stall
        return
    async with serving(stall, http="httptools") as behind:
        proxy = ReverseProxy(behind)
        yield proxy
        await proxy.aclose()


def challenge_of(answer: httpx.Response) -> dict[str, str]:
    """Read the parameters of the one MPP challenge of a 402."""
    [part] = fields.split(answer.headers["www-authenticate"])
    assert part.name == "Payment"
    return fields.parameters(part)


def inside(value: str) -> Any:
    """Read the JSON inside a base64url parameter."""
    return read_json(from_base64url(value))


def opened(value: str) -> Any:
    """Read the JSON inside an x402 header field."""
    return read_json(from_base64(value))


def mpp_message(credential: dict[str, str]) -> dict[str, Any]:
    """Read the message inside an `Authorization: Payment` field."""
    return inside(credential["authorization"].removeprefix("Payment "))


def mpp_field(message: Any) -> dict[str, str]:
    """Write a message as an `Authorization: Payment` field."""
    return {"authorization": "Payment " + to_base64url(msgspec.json.encode(message))}


def x402_field(message: Any) -> dict[str, str]:
    """Write a message as a `PAYMENT-SIGNATURE` field."""
    return {"payment-signature": to_base64(msgspec.json.encode(message))}


def asks_afresh(answer: httpx.Response, before: httpx.Response | None = None) -> bool:
    """Tell whether an answer is a 402 with a challenge, other than the one before."""
    if answer.status_code != 402 or answer.headers["cache-control"] != "no-store":
        return False
    new = challenge_of(answer)["id"]
    return bool(new) and (before is None or new != challenge_of(before)["id"])


__all__ = ["AWAY", "PRICE", "Counter", "Hall", "Limits", "Place", "open_hall"]
