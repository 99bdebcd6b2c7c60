"""Reading a request strictly, once: one path, one host, one framing, bounded headers.

Whatever two programs could read in two ways is refused here, before a price is looked up, and
what passes is handed on in the spelling that was looked up.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Any
from urllib.parse import quote

from farthing.core.paths import AmbiguousPath, Path, normal_path, normal_query
from farthing.errors import Malformed
from farthing.web.asgi import RawHeaders, Scope
from farthing.web.problems import HttpProblem

HEADER_BYTES_MAX = 64 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TARGET = "farthing.target"
"""Where our own server notes the request target as it was sent; ASGI itself keeps the path only."""

READ = "farthing.read"
"""Marks a request that was read strictly already: fields that only we set are ours by then."""

_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?")
_HOST_BYTES_MAX, _PORT_MAX = 255, 65_535
_CODING = b"transfer-encoding"
_LENGTH = re.compile(rb"[0-9]{1,18}")
_REWRITES = frozenset(
    {
        b"request-uri",
        b"script-name",
        b"x-accel-mapping",
        b"x-envoy-original-path",
        b"x-forwarded-method",
        b"x-forwarded-path",
        b"x-forwarded-prefix",
        b"x-forwarded-uri",
        b"x-http-method",
        b"x-http-method-override",
        b"x-invoke-path",
        b"x-matched-path",
        b"x-method-override",
        b"x-middleware-rewrite",
        b"x-request-uri",
        b"x-script-name",
        b"x-sendfile-type",
        b"x-waws-unencoded-url",
    }
)
"""Fields by which a client asks some frameworks to serve another path or method than it sent."""

_TAKEN_OUT = (b"farthing-", b"x-original-", b"x-rewrite-")
"""How the names begin of what only we may send on, and of more such fields."""

_OLD = ("1.0", "1")
"""HTTP/1.0, which may do without a Host; granian calls it 1."""

_SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it will be priced and served.

    Shape: `scope` holds the normal path and no field that only we may set; `length` is None
           where the body's length is not announced; `names` are those of its fields.
    """

    scope: Scope
    method: str
    path: Path
    query: str
    host: str
    length: int | None
    names: frozenset[bytes]

    @property
    def target(self) -> str:
        """Give the path and query as they are signed and forwarded."""
        return self.path.raw + (f"?{self.query}" if self.query else "")

    @property
    def resource(self) -> str:
        """Name what is bought: the method and the target."""
        return f"{self.method} {self.target}"

    @property
    def headers(self) -> RawHeaders:
        """Give the header fields that are passed on."""
        return self.scope["headers"]

    @property
    def is_safe(self) -> bool:
        """Whether its client takes it to change nothing, so that serving it twice does no harm.

        Source: RFC 9110, section 9.2.1; what is upgraded is another protocol's matter.
        """
        return self.method in ("GET", "HEAD") and not self.has(b"upgrade")

    def values(self, name: bytes) -> list[str]:
        """Give the values of every field of that name."""
        if name not in self.names:
            return []  # As nearly always: a request is asked for many fields that few have.
        return [value.decode("latin-1") for have, value in self.headers if have == name]

    def has(self, name: bytes) -> bool:
        """Tell whether a field is there."""
        return name in self.names


def read_request(scope: Scope) -> Incoming:
    """Read a request's head, or refuse it.

    Raises: AmbiguousPath; Malformed; HttpProblem with 431 or 501.
    """
    method = scope.get("method", "GET")
    headers: RawHeaders = [(name.lower(), value) for name, value in scope["headers"]]
    if sum(len(name) + len(value) + 4 for name, value in headers) > HEADER_BYTES_MAX:
        raise HttpProblem(431, "headers-too-large", f"send at most {HEADER_BYTES_MAX} bytes")
    if method not in METHODS:
        raise HttpProblem(501, "unknown-method", f"methods are {', '.join(sorted(METHODS))}")
    host, length = read_envelope(scope, headers)
    path = normal_path(_raw_path(scope))
    query = normal_query(scope.get("query_string", b""))
    changed = dict(scope)
    changed["path"] = path.text
    changed["raw_path"] = path.raw.encode("ascii")
    read_before = scope.get(READ, False)
    kept = headers if read_before else [field for field in headers if not _is_ours(field[0])]
    changed["headers"], changed[READ] = kept, True
    names = frozenset([name for name, _ in kept])
    return Incoming(changed, method, path, query, host, length, names)


def read_envelope(scope: Scope, headers: RawHeaders) -> tuple[str, int | None]:
    """Read whom a request is for and how long it is; refuse what could be read in two ways.

    Shape:  names in `headers` are in lower case; the length is None where it is not announced.
    Raises: AmbiguousPath; Malformed.
    Source: RFC 9112, sections 3.2 and 6.
    """
    target: bytes = scope.get(TARGET, b"/")
    if not target.startswith(b"/"):
        raise Malformed("absolute-target", "send the path alone, not a whole URL")
    if b"#" in target:
        raise AmbiguousPath("a fragment, from # on, is never sent")
    version: str = scope.get("http_version", "1.1")
    found: dict[bytes, list[bytes]] = {b"host": [], b"content-length": [], _CODING: []}
    for name, value in headers:
        if name in found:
            found[name].append(value)
    host = _one_host(found[b"host"], version)
    return host, _framing(found[b"content-length"], found[_CODING], version)


def _raw_path(scope: Scope) -> bytes:
    raw: Any = scope.get("raw_path")
    if raw is None:
        return quote(scope["path"], safe="/!$&'()*+,=:@-._~").encode("ascii")
    return raw


def _one_host(hosts: Sequence[bytes], version: str) -> str:
    if hosts in ([], [b""]) and version in _OLD:
        return ""
    if len(hosts) != 1 or len(hosts[0]) > _HOST_BYTES_MAX or not _is_host(hosts[0]):
        raise Malformed("bad-host", "send exactly one Host with a name or an address")
    return hosts[0].decode("ascii")


@lru_cache(maxsize=1024)
def _is_host(raw: bytes) -> bool:
    """Tell whether this names a host, as whoever takes it apart later will have it too."""
    read = _HOST.fullmatch(raw)
    if read is None or int(read[2] or 0) > _PORT_MAX:
        return False
    try:
        return read[1] is None or bool(IPv6Address(read[1].decode("ascii")))
    except AddressValueError:
        return False


def _framing(lengths: Sequence[bytes], codings: Sequence[bytes], version: str) -> int | None:
    codings = [value.strip().lower() for value in codings]
    if codings and (lengths or codings != [b"chunked"] or version != "1.1"):
        raise Malformed(
            "bad-framing", "send Content-Length or, in HTTP/1.1, Transfer-Encoding: chunked"
        )
    if len(lengths) > 1 or any(_LENGTH.fullmatch(value) is None for value in lengths):
        raise Malformed("bad-framing", "send one Content-Length, in digits")
    if lengths:
        return int(lengths[0])
    # From HTTP/2 on a body has an end of its own, and need not announce its length.
    return 0 if version in ("1.1", *_OLD) and not codings else None


def _is_ours(name: bytes) -> bool:
    """Tell whether only we may send this on: gateways read `_` as `-`, so both are."""
    spelled = name.replace(b"_", b"-")
    return spelled.startswith(_TAKEN_OUT) or spelled in _REWRITES


def is_websocket(request: Incoming) -> bool:
    """Tell whether a request asks to become a WebSocket."""
    return any("websocket" in value.lower() for value in request.values(b"upgrade"))


def scheme_of(scope: Scope) -> str:
    """Give `http` or `https`, for WebSockets too."""
    scheme: str = scope.get("scheme", "http")
    return _SCHEMES.get(scheme, scheme)
