"""A shop with long and slow goods: `granian --interface asgi tests.routes.goods:app`."""

import asyncio
import json

from farthing.keys import Ed25519Signer
from farthing.web.asgi import Receive, Scope, Send
from farthing.web.limits import Limits
from tests.web.shop import Shop

from .granian_shop import RICH, SEED

PART = bytes(65_536)
PARTS = 800
TICKS = 5
TICK_SECONDS = 0.3
BODY_BYTES_MAX = 65_536
PRICES = "".join(
    f"""
[[offer]]
path = "/{name}"
methods = ["GET", "POST"]
price = "0.0015 USD"
"""
    for name in ("page", "slow", "ticks", "film", "fails")
)


class Goods:
    """The service behind; it counts how often each of its goods was begun, and how it ended."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.ended: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole request, then give the goods."""
        name = scope["path"].strip("/")
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
        self.begun[name] = self.begun.get(name, 0) + 1
        status = 500 if name == "fails" else 200
        await asyncio.sleep(0.2 if name == "slow" else 0)
        await send({"type": "http.response.start", "status": status, "headers": []})
        for part in range({"ticks": TICKS, "film": PARTS}.get(name, 0)):
            body = PART if name == "film" else b"data: %d\n\n" % part
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(TICK_SECONDS if name == "ticks" else 0)
        await send({"type": "http.response.body", "body": b"goods"})
        self.ended[name] = self.ended.get(name, 0) + 1


def new_shop() -> Shop:
    """Open a shop whose one buyer is known by its key, has enough, and may not send much."""
    limits = Limits(body_bytes=BODY_BYTES_MAX, body_seconds=0.5, bodies_memory_bytes=4 * 65_536)
    shop = Shop(PRICES, limits)
    shop.signer = Ed25519Signer(SEED)
    shop.device = shop.hub.enrol(shop.signer, RICH)
    return shop


shop, goods = new_shop(), Goods()


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and scope["path"] == "/-/books":
        told = {"device": shop.device, "states": shop.states, "earned": shop.earned}
        body = json.dumps(told | {"begun": goods.begun, "ended": goods.ended}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
    elif scope["type"] == "http":
        await goods(scope, receive, send)


app = shop.paywall.wrap(_app)
