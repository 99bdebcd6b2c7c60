"""An app of one's own with the paywall as middleware: it hands out what the service makes."""

import os

import httpx

from farthing.selling import paywall

_http = httpx.AsyncClient(base_url=os.environ["UPSTREAM"])


async def goods(scope, receive, send):
    """Answer with what the service answers."""
    answer = await _http.request(scope["method"], scope["path"])
    await send({"type": "http.response.start", "status": answer.status_code, "headers": []})
    await send({"type": "http.response.body", "body": answer.content})


app = paywall(goods, prices=os.environ["PRICES"], realm="shop")
