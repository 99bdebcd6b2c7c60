"""A request, its whole answer, and how an application is asked: as its server would do it."""

import asyncio
from typing import Any, NamedTuple

HOST = "hub.test"
Fields = tuple[tuple[str, str], ...]


class Ask(NamedTuple):
    """A request, as it is sent to every hub."""

    method: str
    path: str
    body: bytes = b""
    fields: Fields = ()
    operator: bool = False

    def scope(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        sent = [("host", HOST), ("content-length", str(len(self.body))), *self.fields]
        if not any(name == "content-type" for name, _ in sent):
            sent.append(("content-type", "application/json"))
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
            "headers": [(name.encode(), value.encode()) for name, value in sent],
            "client": ("192.0.2.7", 1),
            "server": (HOST, 80),
        }


class Answer(NamedTuple):
    """Everything that was answered."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes


async def serve(app: Any, ask: Ask) -> Answer:
    """Have an application answer."""
    coming = [{"type": "http.request", "body": ask.body, "more_body": False}]
    begun: dict[str, Any] = {}
    parts = bytearray()

    async def receive() -> dict[str, Any]:
        if not coming:
            await asyncio.Event().wait()  # It stays connected.
        return coming.pop()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            begun.update(message)
        parts.extend(message.get("body", b""))

    await app(ask.scope(), receive, send)
    return Answer(begun["status"], tuple(map(tuple, begun["headers"])), bytes(parts))
