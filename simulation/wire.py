"""A request and its answer, and how a hub is given one: as ASGI, without parsing HTTP."""

import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple, Protocol

App = Callable[[Any, Any, Any], Awaitable[None]]
Door = Literal["hub", "operator", "shop"]
"""What is asked: the hub's API, the same over its own socket, or the shop in its process."""

Fields = tuple[tuple[bytes, bytes], ...]
_JSON = (b"content-type", b"application/json")


class Request(NamedTuple):
    """What a client sends."""

    method: str
    path: str
    body: bytes = b""
    headers: Fields = ()
    door: Door = "hub"

    def scope(self, client: str) -> dict[str, Any]:
        """Give it as ASGI's scope."""
        path, _, query = self.path.partition("?")
        host, scheme = ("shop.test", "https") if self.door == "shop" else ("hub.test", "http")
        names = {name for name, _ in self.headers}
        own = [(b"host", host.encode()), _JSON]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": scheme,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                *(field for field in own if field[0] not in names),
                (b"content-length", str(len(self.body)).encode()),
                *self.headers,
            ],
            "client": (client, 1),
            "server": (host, 80),
        }


class Answer(NamedTuple):
    """What a hub answered; status 0 is a connection that broke."""

    status: int
    body: bytes = b""
    headers: Fields = ()

    @property
    def told(self) -> dict[str, Any]:
        """Read it as JSON."""
        return json.loads(self.body) if self.body else {}


BROKEN = Answer(0)


class BrokeOff(Exception):
    """What a shop's handler ends with in the middle of its answer: its server hangs up."""


class Hearing(Protocol):
    """Who hears what leaves a hub."""

    def head(self, status: int, headers: Fields) -> None:
        """Hear that an answer begins: from here on somebody may know of it."""
        ...

    def whole(self, answer: Answer) -> None:
        """Hear an answer to its end, or that the connection broke."""
        ...


async def serve(app: App, request: Request, client: str, hearing: Hearing) -> None:
    """Have an application answer a request; it is heard when its last part leaves."""
    coming = [{"type": "http.request", "body": request.body, "more_body": False}]
    status, parts, headers, over = 0, bytearray(), Fields(), False

    async def receive() -> dict[str, Any]:
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers, over
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(message.get("headers", ()))
            hearing.head(status, headers)
            return
        parts.extend(message.get("body", b""))
        if not message.get("more_body", False) and not over:
            over = True
            hearing.whole(Answer(status, bytes(parts), headers))

    with contextlib.suppress(BrokeOff):
        await app(request.scope(client), receive, send)
    if not over:
        hearing.whole(BROKEN)
