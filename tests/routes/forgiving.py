"""A service that gives its secret to whoever comes near the right words.

It decodes as often as it can, cuts at every mark, ignores letter case, believes every field that
names another path or method: what some service somewhere does, this one does.
"""

import posixpath
import re
import unicodedata
from typing import Any
from urllib.parse import unquote_to_bytes

from farthing.web.asgi import Receive, Scope, Send

SECRET = b"<the secret page>"
SECRETS = ("/paid", "/vault/gold")
_OTHER_PATHS = re.compile(r"(url|uri|path|prefix|rewrite|script-name)$")
_CUTS = re.compile(r"[;?#\0\r\n].*", re.DOTALL)


class Forgiving:
    """The ASGI app.

    Shape: `delivered` counts what it gave under a payment, `unpaid` without one; a browser's
           preflight passes the paywall unpaid and is not counted, for its answer loses its body.
    """

    def __init__(self) -> None:
        self.delivered = self.unpaid = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole request, and answer."""
        if scope["type"] == "websocket":
            await receive()
            secret, paid = comes_near(scope), is_paid(scope)
            self.delivered += secret and paid
            self.unpaid += secret and not paid
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "bytes": SECRET if secret else b"free"})
            await send({"type": "websocket.close"})
            return
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                await send({"type": "http.response.start", "status": 400, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            more = message.get("more_body", False)
        secret, paid = comes_near(scope), is_paid(scope)
        self.delivered += secret and paid
        self.unpaid += secret and not paid and scope["method"] != "OPTIONS"
        body = SECRET if secret else b"free"
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


def is_paid(scope: Scope) -> bool:
    """Tell whether the paywall says that it was paid for."""
    return any(name == b"farthing-payment-id" for name, _ in scope["headers"])


def comes_near(scope: Scope) -> bool:
    """Tell whether anybody could have meant the secret."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    query = scope.get("query_string", b"")
    named = [raw, *(value for name, value in scope["headers"] if _names_a_path(name))]
    return any(_near(path) or _near(path + b"?" + query) for path in named)


def _names_a_path(name: bytes) -> bool:
    return _OTHER_PATHS.search(name.decode("latin-1").lower().replace("_", "-")) is not None


def _near(raw: bytes) -> bool:
    """Try every reading of a path, one forgiveness after the other."""
    readings = {raw.decode("utf-8", "replace")}
    for _ in range(3):
        raw = unquote_to_bytes(re.sub(rb"%u00", b"%", raw))
        readings |= {raw.decode("utf-8", "replace"), _overlong(raw)}
    return any(_simple(one) in SECRETS for text in readings for one in _variants(text))


def _variants(text: str) -> list[str]:
    bare = re.sub(r"^\w+:/*[^/]*", "", text)
    cut = re.sub(r";[^/]*", "", text)
    return [form for one in (text, bare, cut) for form in (one, _CUTS.sub("", one))]


def _overlong(raw: bytes) -> str:
    """Read two bytes for one letter, as a decoder does that was never told not to."""
    two = re.sub(
        rb"[\xc0\xc1]([\x80-\xbf])", lambda m: bytes([m[0][0] << 6 & 64 | m[1][0] & 63]), raw
    )
    return two.decode("latin-1")


def _simple(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold().replace("\\", "/")
    text = "".join(char for char in text if unicodedata.category(char)[0] not in "CM")
    path = posixpath.normpath(
        "/" + re.sub(r"[ .]+(/|$)", r"\1", re.sub(r"/+", "/", text)).strip("/")
    )
    return re.sub(r"(\.\w+|:.*)$", "", "/" + path.strip("/ ").rstrip("."))


def books(app: Any) -> dict[str, int]:
    """Tell what it gave away."""
    return {"delivered": app.delivered, "unpaid": app.unpaid}
