"""A shop that sells nothing: `python -m bench.stub FILE PORT` answers at once, from memory.

Without a payment it replays the 402 in the file; with anything that looks like one it serves.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from farthing.cli.server_settings import common_settings
from farthing.web.asgi import Receive, Scope, Send, raw_headers

_PAYMENT = b"payment-signature"
_SERVED = b'{"temperature":21.5}'


class Page(msgspec.Struct, frozen=True):
    """What is answered to who has not paid."""

    fields: list[tuple[str, str]]
    body: str


class Stub:
    """The shop as an ASGI application."""

    def __init__(self, page: Page) -> None:
        self._body = page.body.encode()
        self._head = [*raw_headers(page.fields), _length(self._body)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            return
        await receive()
        paid = any(name == _PAYMENT for name, _ in scope["headers"])
        status, body = (200, _SERVED) if paid else (402, self._body)
        head = [_length(body)] if paid else self._head
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()


def main() -> None:
    """Serve until told to stop."""
    page = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Page)
    settings: dict[str, Any] = {**common_settings(), "lifespan": "off"}
    config = uvicorn.Config(Stub(page), host="127.0.0.1", port=int(sys.argv[2]), **settings)
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
