"""What is let through or refused without a payment: preflights, WebSockets, unpriced paths."""

from typing import Any

from farthing.core.prices import Found
from farthing.web.asgi import Message, Receive, Scope, Send
from farthing.web.incoming import Incoming
from farthing.web.problems import Answer, HttpProblem


def refused_path(request: Incoming, found: Found) -> bool:
    """Let a CORS preflight of a priced path through, and refuse everything else.

    Raises: HttpProblem `unpriced-path`, `other-spelling`, `unpriced-method`, `offer-not-valid`.
    """
    if found.refusal == "unpriced-method" and is_preflight(request):
        return True
    more: dict[str, Any] = {}
    if found.methods:
        allowed = found.methods | ({"HEAD"} if "GET" in found.methods else set[str]())
        more = {"headers": [("allow", ", ".join(sorted(allowed)))]}
    match found.refusal:
        case "unpriced-method":
            raise HttpProblem(405, "unpriced-method", "there is no price for this method", **more)
        case "offer-not-valid":
            raise HttpProblem(404, "offer-not-valid", "this is not for sale at this time")
        case "other-spelling":
            raise HttpProblem(404, "other-spelling", "this only looks like a path with a price")
        case _:
            raise HttpProblem(404, "unpriced-path", "nothing is for sale at this path")


def is_preflight(request: Incoming) -> bool:
    """Tell whether a browser asks what it may send; such a request never carries a payment.

    Source: Fetch standard, CORS-preflight request.
    """
    return (
        request.method == "OPTIONS"
        and request.has(b"origin")
        and request.has(b"access-control-request-method")
    )


def without_body(send: Send) -> Send:
    """Pass an answer's head on, and nothing of its body: a preflight needs no more."""

    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.start":
            dropped = (b"content-length", b"transfer-encoding")
            kept = [
                field for field in message.get("headers", []) if field[0].lower() not in dropped
            ]
            await send({**message, "headers": [*kept, (b"content-length", b"0")]})
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            await send({"type": "http.response.body", "body": b""})

    return headers_only


async def refuse_websocket(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    """Refuse a WebSocket before it opens, with a problem where the server can carry one."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": answer.status,
            "headers": list(answer.headers),
        }
    )
    await send({"type": "websocket.http.response.body", "body": answer.body})
