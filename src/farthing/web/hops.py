"""Which header fields a proxy sends on, towards the upstream and back.

Source: RFC 9110, section 7.6; a client cannot take out what we or the upstream rely on.
"""

from collections.abc import Iterable
from typing import Any

from farthing.web.asgi import RawHeaders
from farthing.web.incoming import Incoming
from farthing.web.trust import Trust

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_ENDING = frozenset({b"authorization", b"content-length", b"content-type", b"cookie", b"host"})
"""Fields that a `Connection` field cannot take out, as neither can it any `farthing-` one."""

_ANOTHER_WAY = frozenset({b"alt-svc", b"date"})
"""Of an answer: `Alt-Svc` leads around the proxy, and the server writes its own `Date`."""

_PLACES = frozenset({b"location", b"content-location"})


def onward(
    request: Incoming, netloc: bytes, trust: Trust, trace: RawHeaders, *, preserve_host: bool
) -> RawHeaders:
    """Write the fields of a request for the upstream at `netloc`."""
    unhopped = _unhopped(request.headers, b"farthing-")
    ours = {b"host", b"expect", b"forwarded", b"cookie", *(name for name, _ in trace)}
    kept = [
        (name, value)
        for name, value in request.headers
        if name not in unhopped and name not in ours and not _forwarded(name)
    ]
    host = request.host.encode("ascii")
    fields = [(b"host", host if preserve_host and host else netloc), *kept, *trace]
    cookies = [value for name, value in request.headers if name == b"cookie"]
    if cookies:  # HTTP/2 may send them apart; RFC 9113, section 8.2.3.
        fields.append((b"cookie", b"; ".join(cookies)))
    if host:
        fields.append((b"x-forwarded-host", host))
    fields.append((b"x-forwarded-proto", trust.scheme(request).encode("ascii")))
    client = request.scope.get("client")
    if client:
        fields.append((b"x-forwarded-for", str(client[0]).encode("ascii")))
    return fields


def backward(headers: RawHeaders, origin: bytes, prefix: bytes) -> RawHeaders:
    """Write the fields of an answer for the client, which knows nothing of `origin`."""
    dropped = _unhopped(headers, b"") | _ANOTHER_WAY
    return [
        (name, _seen_from_here(value, origin, prefix) if name in _PLACES else value)
        for name, value in headers
        if name not in dropped
    ]


def _seen_from_here(place: bytes, origin: bytes, prefix: bytes) -> bytes:
    """Turn a URL of the upstream itself into the path by which clients reach it."""
    if not place.lower().startswith(origin.lower()):
        return place
    path = place[len(origin) :]
    if path and path[:1] not in b"/?#":
        return place  # Another port or name that only begins alike.
    if prefix and (path == prefix or path.startswith(prefix + b"/")):
        path = path[len(prefix) :]
    return (
        path if path.startswith(b"/") and not path.startswith(b"//") else b"/" + path.lstrip(b"/")
    )


def _forwarded(name: bytes) -> bool:
    """Tell whether a field says where a request came from: that is ours to say."""
    return name.replace(b"_", b"-").startswith(b"x-forwarded-")


def _unhopped(headers: Iterable[Any], ours: bytes) -> frozenset[bytes]:
    """Name the fields that end at this hop: the known ones, and those `Connection` names."""
    named: set[bytes] = set()
    for name, value in headers:
        if name == b"connection":
            named |= {part.strip().lower() for part in value.split(b",")}
    kept = {name for name in named if name in _ENDING or (ours and name.startswith(ours))}
    return _HOP_BY_HOP | (named - kept)
