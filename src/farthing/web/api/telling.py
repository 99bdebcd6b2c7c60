"""Telling what came of a request: its answer as bytes, whoever watches, and the log."""

from typing import Any

import msgspec
import structlog

from farthing.errors import FarthingError, Unauthenticated
from farthing.services.watch import Seen
from farthing.web.api.endpoint import Endpoint, Reply
from farthing.web.api.signed_request import raw_path
from farthing.web.asgi import Message, RawHeaders, Send
from farthing.web.asgi import Scope as AsgiScope
from farthing.web.problems import Answer, HttpProblem, status_of

log = structlog.get_logger()


class Telling:
    """Sends, knows whether an answer has begun, and tells who watches."""

    def __init__(self, send: Send, seen: Seen) -> None:
        self._send, self.begun, self.seen = send, False, seen

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if not self.begun:
            self.begun = True
            self.seen.answered(message["status"])
        await self._send(message)


def note(scope: AsgiScope, error: FarthingError) -> None:
    """Tell the log of who was denied, and of what is our fault."""
    status = status_of(error)
    if status in (401, 403):
        client = scope.get("client") or ("local", 0)
        log.info("request.denied", code=error.code, path=raw_path(scope), address=client[0])
    elif status == 500:
        log.error("request.failed", code=error.code, detail=error.detail, path=raw_path(scope))


def challenge(error: FarthingError) -> list[tuple[str, str]]:
    """Give the header fields that go with a problem."""
    if "headers" in error.more:
        return error.more.pop("headers")
    if isinstance(error, Unauthenticated):
        return [("www-authenticate", 'Bearer realm="farthing"')]
    if isinstance(error, HttpProblem) and error.answer_status == 405:
        return [("allow", error.detail.removeprefix("allowed: "))]
    return []


def written(reply: Reply, endpoint: Endpoint) -> Answer:
    """Write what an endpoint replied."""
    body: Any = reply.body
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    fields: RawHeaders = [
        (b"content-type", (reply.media or endpoint.media).encode()),
        (b"content-length", b"%d" % len(raw)),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not (reply.headers and any(name == b"cache-control" for name, _ in reply.headers)):
        fields.append((b"cache-control", b"no-store"))
    fields += reply.headers
    return Answer(reply.status, fields, raw)
