"""The three shops: a paywall as middleware, one in a reverse proxy, one beside each endpoint."""

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from farthing.core.prices import Offer, PriceList
from farthing.demo.cast import ASSETS, COMPUTING, DOCUMENTS, GAUGES, MILL, PRESS, READINGS
from farthing.demo.machine import gauges
from farthing.demo.mill import mill
from farthing.demo.press import Press, price_file
from farthing.demo.servers import Served
from farthing.demo.web import Page, Route, Routes, as_json, trust
from farthing.money import parse_price
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.web.paywall import Paywall
from farthing.web.price_desk import Prices
from farthing.web.price_file import PriceBook
from farthing.web.proxy import ReverseProxy
from farthing.web.remote_hub import RemoteHub

_READING_PRICE = "0.0001 USD"
_READING_PRICES = {"uptime": "0.00001 USD", "network": "0.0002 USD"}


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells, at which hub: what a shop needs to know. Shape: `key` is a seller's API key."""

    name: str
    payee: str
    key: str
    hub_url: str
    hub_id: str


async def open_shop(seller: Seller, folder: Path, stack: AsyncExitStack) -> Served:
    """Open a shop's server; leaving `stack` closes it, when its last customer has been served."""
    opening = {GAUGES: _gauges, PRESS: _press, MILL: _mill}[seller.name]
    paywall = await opening(seller, folder, stack)
    stack.push_async_callback(paywall.drain)
    served = await Served(paywall).start()
    stack.push_async_callback(served.stop)
    return served


async def _paywall(
    seller: Seller, stack: AsyncExitStack, prices: Prices | None = None, realm: str = ""
) -> Paywall:
    headers = {"authorization": f"Bearer {seller.key}"}
    client = httpx.AsyncClient(base_url=seller.hub_url, headers=headers, verify=trust())
    await stack.enter_async_context(client)
    return Paywall(
        hub=RemoteHub(client),
        hub_id=seller.hub_id,
        languages=[Mpp([secrets.token_bytes(32)]), X402()],
        assets=ASSETS,
        prices=prices,
        realm=realm or f"{seller.name.lower()}.demo",
        payee=seller.payee,
    )


async def _gauges(seller: Seller, _folder: Path, stack: AsyncExitStack) -> Paywall:
    """Sell readings by a middleware: the app knows nothing, a list of offers does."""
    known = gauges()

    async def reading(name: str) -> Page:
        gauge = known.get(name)
        if gauge is None:
            return as_json({"error": "no such gauge"})._replace(status=404)
        return as_json({name: gauge()})

    offers = tuple(
        Offer(
            name=name,
            path=f"/{name}",
            price=parse_price(_READING_PRICES.get(name, _READING_PRICE), ASSETS),
            description=f"the machine's {name}, read now",
            category=READINGS,
        )
        for name in known
    )
    paywall = await _paywall(seller, stack, PriceList(offers))
    return paywall.wrap(Routes([Route("/", reading)]))


async def _press(seller: Seller, folder: Path, stack: AsyncExitStack) -> Paywall:
    """Sell documents by a reverse proxy in front of a service that was not touched."""
    upstream = await Served(Press().app()).start()
    stack.push_async_callback(upstream.stop)
    file = folder / "prices.toml"
    file.write_text(price_file(seller.payee, DOCUMENTS))
    proxy = ReverseProxy(upstream.url)
    stack.push_async_callback(proxy.aclose)
    return (await _paywall(seller, stack, PriceBook(file, ASSETS))).wrap(proxy)


async def _mill(seller: Seller, _folder: Path, stack: AsyncExitStack) -> Paywall:
    """Sell computed results by a price beside each endpoint."""
    paywall = await _paywall(seller, stack)
    return paywall.wrap(mill(paywall, seller.payee, COMPUTING))
