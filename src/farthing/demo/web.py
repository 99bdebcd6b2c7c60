"""The little that the demo's shops need of the web: a few routes, and answers."""

import json
import ssl
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from functools import cache
from typing import Any, NamedTuple

from farthing.web.asgi import Receive, Scope, Send

JSON = "application/json"


class Page(NamedTuple):
    """What a shop answers."""

    body: bytes
    media: str = JSON
    status: int = 200


Endpoint = Callable[[str], Awaitable[Page]]


def as_json(value: Any) -> Page:
    """Write a value as JSON."""
    return Page(json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")


@cache
def trust() -> ssl.SSLContext:
    """Give the certificates that are trusted; reading them for each client would take a second."""
    return ssl.create_default_context()


class Match(Enum):
    """How well a route fits, in the words of Starlette, which a paywall understands."""

    NONE = auto()
    FULL = auto()


class Route:
    """An endpoint under a prefix; it is given the rest of the path."""

    def __init__(self, prefix: str, endpoint: Endpoint) -> None:
        self.prefix, self.endpoint = prefix, endpoint

    def matches(self, scope: Scope) -> tuple[Match, dict[str, Any]]:
        """Tell whether a request is for this route."""
        fits = scope["method"] in ("GET", "HEAD") and scope["path"].startswith(self.prefix)
        return (Match.FULL, {"endpoint": self.endpoint}) if fits else (Match.NONE, {})


class Routes:
    """An ASGI app of routes; the first that fits answers."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = list(routes)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        page = Page(b'{"error":"not-found"}\n', status=404)
        for route in self.routes:
            if route.matches(scope)[0] is Match.FULL:
                page = await route.endpoint(scope["path"].removeprefix(route.prefix))
                break
        await send_page(send, page)


async def send_page(send: Send, page: Page) -> None:
    """Send an answer."""
    headers = [
        (b"content-type", page.media.encode()),
        (b"content-length", str(len(page.body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": page.status, "headers": headers})
    await send({"type": "http.response.body", "body": page.body})
