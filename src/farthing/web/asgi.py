"""The shapes of ASGI, named once."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RawHeaders = list[tuple[bytes, bytes]]
"""Header fields in order, names in lower case."""


def raw_headers(headers: "list[tuple[str, str]]") -> RawHeaders:
    """Write header fields as the bytes that ASGI carries."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
