"""A seller of WebSockets, one at a flat price and one by the message: PAYEE and METERS say how."""

import os
from pathlib import Path

from farthing.selling import paywall

PRICES = """
[[offer]]
path = "/flat"
price = "0.0015 USD"

[[offer]]
path = "/feed"
price = "0.0001 USD"
per = "request"
deposit = "0.01 USD"
"""


async def feed(scope, receive, send):
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    for n in range(20):
        await send({"type": "websocket.send", "text": f"reading {n}"})
    while (await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.close", "code": 4000})


prices = Path(os.environ["METERS"]).with_name("prices.toml")
prices.write_text(PRICES)
app = paywall(
    feed,
    payee=os.environ["PAYEE"],
    prices=prices,
    meters=os.environ["METERS"],
    realm="feed.example",
)
