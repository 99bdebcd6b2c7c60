"""Sell a clock by the second: PAYEE=acc_… uvicorn --app-dir examples metered_seller:app."""

import asyncio
import os
import time
from pathlib import Path

from farthing.selling import paywall


async def clock(scope, receive, send):
    fields = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    for _ in range(25):
        tick = f"{time.time_ns()}\n".encode()
        await send({"type": "http.response.body", "body": tick, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b""})


prices, meters = Path(__file__).with_name("metered.toml"), os.environ.get("METERS", "meters.db")
payee = os.environ["PAYEE"]
app = paywall(clock, payee=payee, prices=prices, meters=meters, realm="clock.example")
