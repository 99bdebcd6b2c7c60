"""Request bodies of priced routes: read whole, bounded and digested, then handed on."""

import asyncio
import base64
import hashlib
from collections.abc import Iterable

from farthing.errors import Malformed, TooLarge
from farthing.web.asgi import Message, Receive
from farthing.web.guard import Adds
from farthing.web.incoming import Incoming
from farthing.web.problems import HttpProblem

_SUMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


class ClientGone(Malformed):
    """The client hung up before its request was complete, or the server could not read on.

    Some servers say so by the same word; then somebody is still there to be told.
    """

    def __init__(self) -> None:
        super().__init__("body-truncated", "the connection ended before the body did")


async def read_body(
    request: Incoming, receive: Receive, *, bytes_max: int, seconds_max: float, adds: Adds
) -> bytes:
    """Read a whole request body; `adds` may say that there is no room for it.

    Raises: TooLarge `body-too-large`; HttpProblem `body-too-slow` (408); ClientGone; Unavailable.
    """
    if request.length is not None and request.length > bytes_max:
        raise _too_large(bytes_max)
    if request.length == 0:
        return b""
    try:
        async with asyncio.timeout(seconds_max):
            return await _collect(receive, bytes_max, adds)
    except TimeoutError:
        raise HttpProblem(
            408, "body-too-slow", f"send the body within {seconds_max:g} seconds"
        ) from None


async def _collect(receive: Receive, bytes_max: int, adds: Adds) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        adds(len(part))
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(
        "body-too-large",
        f"a body here has at most {bytes_max} bytes, because the price is bound to its digest; "
        "the seller can set bind_body = false",
    )


def content_digest(body: bytes) -> str:
    """Write a body's `Content-Digest` value; nothing for no body.

    Source: RFC 9530, section 2.
    """
    if not body:
        return ""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def check_digest(told: Iterable[str], body: bytes) -> None:
    """Compare the SHA-256 or SHA-512 of `Content-Digest` fields; other sums are ignored.

    Raises: Malformed `digest-mismatch`.
    """
    for value in told:
        for part in value.split(","):
            name, _, summed = part.strip().partition("=")
            known = _SUMS.get(name)
            if (
                known is not None
                and summed != f":{base64.b64encode(known(body).digest()).decode()}:"
            ):
                raise Malformed("digest-mismatch", "the body is not what Content-Digest says")


def whole(body: bytes, rest: Receive) -> Receive:
    """Make a `receive` that gives `body` at once, and then whatever comes after it."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await rest()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
