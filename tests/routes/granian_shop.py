"""A shop that granian runs: `granian --interface asgi tests.routes.granian_shop:app`."""

import json

from farthing.keys import Ed25519Signer
from farthing.web.asgi import Receive, Scope, Send
from tests.web.shop import Shop

from .forgiving import Forgiving, books

SEED = bytes(range(32))
PRICES = """
[seller]
prefixes = ["/vault"]

[[offer]]
path = "/paid"
price = "0.0015 USD"

[[offer]]
path = "/vault/{name}"
price = "0.0015 USD"
"""
RICH = 10**12


def new_shop() -> Shop:
    """Open a shop whose one buyer is known by its key, and has enough."""
    shop = Shop(PRICES)
    shop.signer = Ed25519Signer(SEED)
    shop.device = shop.hub.enrol(shop.signer, RICH)
    return shop


def told(shop: Shop, service: Forgiving) -> dict[str, int | str]:
    """Tell how the books stand."""
    return {
        "device": shop.device,
        "captured": shop.states.count("captured"),
        "earned": shop.earned,
        **books(service),
    }


shop, service = new_shop(), Forgiving()


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and scope["path"] == "/-/books":
        body = json.dumps(told(shop, service)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
    else:
        await service(scope, receive, send)


app = shop.paywall.wrap(_app)
