"""Reading what came with a request: header fields, query and body, each bounded and strict."""

import asyncio
import difflib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from farthing.errors import Malformed, TooLarge
from farthing.web.asgi import Message, RawHeaders, Receive
from farthing.web.guard import Adds
from farthing.web.problems import HttpProblem

_QUERY_MAX = 4096
_BODY_SECONDS_MAX = 30.0


def read_headers(raw: RawHeaders) -> dict[str, str]:
    """Give header fields by name in lower case; those that repeat are joined by commas."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def read_query(raw: bytes, known: Mapping[str, str]) -> dict[str, str]:
    """Read a query strictly: each name once, and only those that the endpoint knows.

    Shape:  where `*` is known others may stand there as well, which somebody else wrote.

    Raises: Malformed `malformed-query`, `unknown-parameter`; HttpProblem with 414.
    """
    if not raw:
        return {}
    if len(raw) > _QUERY_MAX:
        raise HttpProblem(414, "query-too-long", f"a query has at most {_QUERY_MAX} bytes")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=20,
            errors="strict",
        )
    except ValueError:
        raise Malformed("malformed-query", "the query cannot be read") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Malformed("malformed-query", "a name stands twice in the query")
    if any("\0" in value for value in query.values()):
        raise Malformed("malformed-query", "NUL is not allowed in text")
    for name in query:
        if name not in known and "*" not in known:
            raise Malformed("unknown-parameter", _nearest(name, known))
    return query


def _nearest(name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    return f"there is no parameter {name[:40]!r}; {hint}"


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int, adds: Adds) -> bytes:
    """Read a whole body, bounded in size and time; `adds` may say that there is no room for it.

    Raises: TooLarge; Malformed `body-truncated`; HttpProblem with 408 or 415; Unavailable.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpProblem(415, "content-encoding", "send the body without content encoding")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        raw: bytes = message.get("body", b"")
        _bounded(raw, limit)
        adds(len(raw))
        return raw
    try:
        async with asyncio.timeout(_BODY_SECONDS_MAX):
            return await _collected(message, receive, limit, adds)
    except TimeoutError:
        detail = f"send the body within {_BODY_SECONDS_MAX:g} seconds"
        raise HttpProblem(408, "body-too-slow", detail) from None


async def _collected(message: Message, receive: Receive, limit: int, adds: Adds) -> bytes:
    raw = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise Malformed("body-truncated", "the body ended early")
        part = message.get("body", b"")
        adds(len(part))
        raw += part
        _bounded(raw, limit)
        if not message.get("more_body", False):
            return bytes(raw)
        message = await receive()


def _bounded(raw: bytes | bytearray, limit: int) -> None:
    if len(raw) > limit:
        raise TooLarge("body-too-large", f"a body has at most {limit} bytes here")
