"""A request and its answer, and how a hub is given one: as ASGI, without parsing HTTP."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

App = Callable[[Any, Any, Any], Awaitable[None]]


class Request(NamedTuple):
    """What a client sends."""

    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    operator: bool = False

    def scope(self, client: str) -> dict[str, Any]:
        """Give it as ASGI's scope."""
        path, _, query = self.path.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (b"host", b"hub.test"),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(self.body)).encode()),
                *self.headers,
            ],
            "client": (client, 1),
            "server": ("hub.test", 80),
        }


class Answer(NamedTuple):
    """What a hub answered; status 0 is a connection that broke."""

    status: int
    body: bytes = b""

    @property
    def told(self) -> dict[str, Any]:
        """Read it as JSON."""
        return json.loads(self.body) if self.body else {}


BROKEN = Answer(0)


async def serve(app: App, request: Request, client: str) -> Answer:
    """Have an application answer a request."""
    coming = [{"type": "http.request", "body": request.body, "more_body": False}]
    status, parts = 0, bytearray()

    async def receive() -> dict[str, Any]:
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        parts.extend(message.get("body", b""))

    await app(request.scope(client), receive, send)
    return Answer(status, bytes(parts))
