"""A hub with a shop inside: `python -m bench.shop CONFIG PORT PAYEE [MODE]` sells one small page.

The paywall is the middleware as anybody would use it, on a hub in the same process.
"""

import contextlib
import sys
from pathlib import Path

import uvicorn

from bench.fleet import ASSET, PRICE
from farthing.app import open_hub
from farthing.cli.running import run
from farthing.cli.server_settings import common_settings
from farthing.config import load_config
from farthing.core.prices import Mode, Offer, PriceList
from farthing.money import Amount
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.web.asgi import Receive, Scope, Send
from farthing.web.paywall import Paywall

PATH = "/page"


async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Serve the page."""
    body = b'{"temperature":21.5}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def sell(config_file: Path, port: int, payee: str, mode: Mode = "hold") -> None:
    """Sell until told to stop."""
    config = load_config(config_file, {})
    hub = await open_hub(config)
    assets = config.asset_table()
    offer = Offer(
        name="page", path=PATH, price=Amount(PRICE, assets[ASSET]), payee=payee, mode=mode
    )
    paywall = Paywall(
        page,
        hub=hub.embedded(),
        hub_id=hub.ctx.identity.hub,
        languages=[Mpp(hub.challenge_secrets), X402()],
        assets=assets,
        prices=PriceList(offers=(offer,)),
        realm="bench.example",
    )
    server = uvicorn.Server(
        uvicorn.Config(paywall, host="127.0.0.1", port=port, **common_settings())
    )
    try:
        await server.serve()
    finally:
        await hub.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        file, number, seller, *rest = sys.argv[1:]
        run(sell(Path(file), int(number), seller, "charge" if rest == ["charge"] else "hold"))
