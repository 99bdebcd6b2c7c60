"""A small shop for these tests: a strict hub, a real server, and a buyer that signs."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

from farthing import ids, keys
from farthing.clock import system_clock
from farthing.core.orders import SignedOrder
from farthing.core.prices import PriceList
from farthing.money import Asset
from farthing.protocols.client import Ask, asks
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.testing.fake_hub import FakeHub
from farthing.web.limits import Limits
from farthing.web.paywall import Paywall
from farthing.web.price_file import PriceBook, read_prices
from farthing.web.strict_http import StrictHttp

HUB = "abcdefghijklmnopqrstuvwxyz234567"
PAYEE = "acc_01kaw1f2800000000000000000"
ASSETS = {"USD": Asset("USD", 6), "EUR": Asset("EUR", 6)}
SECRET = bytes(range(32))

PRICES = """
[seller]
prefixes = ["/paid"]

[[offer]]
path = "/paid"
methods = ["GET", "POST"]
price = "0.0015 USD"
description = "A page"
"""


class Shop:
    """A paywall with its hub, and one buyer with a dollar."""

    def __init__(
        self, prices: str | PriceBook = PRICES, limits: Limits | None = None, **paywall: Any
    ) -> None:
        self.hub = FakeHub(HUB, system_clock)
        self.signer = keys.new_signer()
        self.device = self.hub.enrol(self.signer, 1_000_000)
        self.prices: PriceList | PriceBook = (
            read_prices(prices.replace("DEVICE", self.device), ASSETS)
            if isinstance(prices, str)
            else prices
        )
        self.paywall = Paywall(
            hub=self.hub,
            hub_id=HUB,
            languages=[Mpp([SECRET]), X402()],
            assets=ASSETS,
            realm="shop.example",
            payee=PAYEE,
            limits=limits,
            **({"prices": self.prices} | paywall),
        )

    @property
    def spent(self) -> int:
        return 1_000_000 - self.hub.balances[self.device]

    @property
    def earned(self) -> int:
        return self.hub.balances.get(PAYEE, 0)

    @property
    def states(self) -> list[str]:
        return [taken.state for taken in self.hub.payments.values()]

    def ask(self, answer: httpx.Response, language: str = "mpp") -> Ask:
        return next(ask for ask in asks(answer.headers.multi_items()) if ask.language == language)

    def sign(self, answer: httpx.Response, language: str = "mpp") -> dict[str, str]:
        """Sign what a 402 asks, and give the header fields that pay it."""
        return self.sign_ask(self.ask(answer, language))[1]

    def sign_ask(self, ask: Ask) -> tuple[SignedOrder, dict[str, str]]:
        """Sign an ask, whatever it asks, and give the order and its header fields."""
        now = system_clock()
        order = ask.order(self.device, now, lambda: ids.encode(ids.fresh(now // 1_000_000)))
        signed = SignedOrder(order, self.signer.sign(order.signed_bytes()))
        return signed, dict(ask.credential(signed))

    async def pay(
        self, client: httpx.AsyncClient, method: str, url: str, language: str = "mpp", **more: Any
    ) -> httpx.Response:
        """Ask, sign, and ask again."""
        asked = await client.request(method, url, **more)
        assert asked.status_code == 402, asked.text
        headers = more.pop("headers", {}) | self.sign(asked, language)
        return await client.request(method, url, headers=headers, **more)


class Counter:
    """A handler that counts its runs and answers as told."""

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"goods",
        headers: list[tuple[bytes, bytes]] | None = None,
        seconds: float = 0,
    ) -> None:
        self.runs = 0
        self.status, self.body, self.headers = status, body, headers or []
        self.seconds = seconds
        self.scope: dict[str, Any] = {}
        self.received = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        self.runs += 1
        self.scope = scope
        more = True
        self.received = b""
        while more:
            message = await receive()
            self.received += message.get("body", b"")
            more = message.get("more_body", False)
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    @property
    def seen(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.scope["headers"]}


class PromptServer(uvicorn.Server):
    """A server that says when it stands, and ends at once when told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.standing, self.ending = asyncio.Event(), asyncio.Event()

    async def main_loop(self) -> None:
        """Wait, where uvicorn looks ten times a second."""
        await self.on_tick(0)
        self.standing.set()
        await self.ending.wait()
        self.should_exit = True


@asynccontextmanager
async def serving(app: Any, **config: Any) -> AsyncIterator[str]:
    """Run a real server on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings = {"http": StrictHttp, "log_level": "critical", "ws": "none", "lifespan": "off"}
    server = PromptServer(uvicorn.Config(app, **(settings | config)))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait(
        [task, asyncio.create_task(server.standing.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.ending.set()
        await task
        listener.close()


@asynccontextmanager
async def selling(shop: Shop, app: Any, **config: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run `app` behind the shop's paywall, and give a client of it."""
    async with (
        serving(shop.paywall.wrap(app), **config) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client,
    ):
        yield client


async def raw(url: str, request: bytes, seconds: float = 5) -> bytes:
    """Send bytes as they are, and read until the server hangs up or falls silent."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    answer = b""
    try:
        async with asyncio.timeout(seconds):
            while part := await reader.read(65536):
                answer += part
    except (TimeoutError, ConnectionResetError):
        pass
    writer.close()
    return answer
