"""Sell what time it is: PAYEE=acc_… uvicorn --app-dir examples seller:app --port 8404."""

import json
import os
import time
from pathlib import Path

from farthing.selling import paywall


async def clock(scope, receive, send):
    answer = json.dumps({"unix_ns": time.time_ns(), "for": scope["path"]}).encode()
    fields = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": answer})


prices = Path(__file__).with_name("prices.toml")
app = paywall(clock, payee=os.environ["PAYEE"], prices=prices, realm="127.0.0.1:8404")
