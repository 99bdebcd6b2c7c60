"""What a request was, as its caller signed and knows it: authority, target, and path as sent."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from farthing.protocols.message_signatures import SignedMessage
from farthing.settings import LOOPBACK
from farthing.web.asgi import Scope

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def authority_of(public_url: str) -> str:
    """Give host and port as callers know them, without the scheme's own port."""
    parts = urlsplit(public_url)
    return parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))


def message_of(
    scope: Scope, headers: Mapping[str, str], raw: bytes, authority: str
) -> SignedMessage:
    """Give what a caller's signature covers. Shape: without `authority` it is the Host it names."""
    query = scope.get("query_string", b"").decode("latin-1")
    path = raw_path(scope)
    return SignedMessage(
        method=scope["method"],
        authority=authority or host_of(scope, headers),
        target=f"{path}?{query}" if query else path,
        headers=headers,
        body=raw,
    )


def host_of(scope: Scope, headers: Mapping[str, str]) -> str:
    """Give the host that the caller names, of a hub that does not know its own.

    Shape: nothing where a hub of this machine alone is called by another machine's name: that was
           signed for somebody else.
    """
    host = headers.get("host", "")
    ours = (scope.get("server") or ("",))[0]
    return "" if ours in LOOPBACK and _name_in(host) not in LOOPBACK else host


def _name_in(host: str) -> str:
    """Give the name in a Host field, without its port; nothing where it cannot be read as one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def raw_path(scope: Scope) -> str:
    """Give the path as it was sent, percent-encoded, which is also safe to write to a log."""
    raw: bytes = scope.get("raw_path", b"").partition(b"?")[0]
    return raw.decode("latin-1") or quote(scope["path"])
