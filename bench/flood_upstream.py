"""A web service behind the proxy, for floods: a page, a sink for bodies, and 50 MB at once."""

from farthing.web.asgi import Receive, Scope, Send

_PART = bytes(65_536)
_PARTS = 800


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read what is sent, keep nothing of it, and answer."""
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(_PARTS if scope["path"] == "/long" else 0):
        await send({"type": "http.response.body", "body": _PART, "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})
