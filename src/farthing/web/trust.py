"""Is this request private on its way? Prices and payments travel over TLS or not at all."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from farthing.errors import BadConfig
from farthing.web.asgi import Scope
from farthing.web.incoming import Incoming, scheme_of
from farthing.web.pace import counted_as
from farthing.web.problems import HttpProblem

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HERE = ("127.0.0.1", "::1")
"""This machine, which many programs and people may ask from."""

UNIX = "unix"
"""Stands for a proxy that reaches us over a Unix socket."""

_FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}
)


class Trust:
    """Which proxies may say that the request came to them over TLS.

    Shape:  `proxies` are addresses, networks (`10.0.0.0/8`), or `unix`.
    Raises: BadConfig `bad-trusted-proxy`.
    """

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._unix = False
        for proxy in proxies:
            if proxy == UNIX:
                self._unix = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(proxy))
            except ValueError:
                raise BadConfig(
                    "bad-trusted-proxy", f"{proxy!r} is no address, network or {UNIX!r}"
                ) from None

    def scheme(self, request: Incoming) -> str:
        """Give the scheme the client used, believing only a trusted proxy's word for it."""
        told = request.values(b"x-forwarded-proto")
        if told and self._trusts(request.scope):
            return "https" if told == ["https"] else "http"
        return scheme_of(request.scope)

    def address(self, request: Incoming) -> str:
        """Give the address a client is counted under; empty for somebody on this very machine.

        Shape: behind a trusted proxy it is the last address the proxy itself has written.
        """
        client = request.scope.get("client")
        told = request.values(b"x-forwarded-for")
        if told and self._trusts(request.scope):
            return counted_as(told[-1].rpartition(",")[2].strip())
        if not client or _is_local(request):
            return ""
        return counted_as(client[0])

    def counted(self, client: str) -> str:
        """Give what a connection is counted under; empty where many may come from its address."""
        address = _address(client)
        if client in HERE or address is None or self._is_proxy(address):
            return ""
        return counted_as(client)

    def check_private(self, request: Incoming) -> None:
        """Refuse plain HTTP, except from this very machine with no proxy between.

        Raises: HttpProblem `tls-required` with 403.
        Source: draft-httpauth-payment-00, transport security.
        """
        if self.scheme(request) == "https" or _is_local(request):
            return
        raise HttpProblem(
            403,
            "tls-required",
            "prices and payments travel over TLS only; use https, or declare the proxy that "
            "speaks TLS for this server as trusted",
        )

    def _trusts(self, scope: Scope) -> bool:
        client = scope.get("client")
        if not client:
            return self._unix
        address = _address(client[0])
        return address is not None and self._is_proxy(address)

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@lru_cache(maxsize=4096)
def _is_loopback(text: str) -> bool:
    address = _address(text)
    return address is not None and address.is_loopback


def _is_local(request: Incoming) -> bool:
    """Tell whether the client itself is here; a proxy here may speak for someone far away."""
    client = request.scope.get("client")
    if not client or not _FORWARDED.isdisjoint(request.names):
        return False
    return _is_loopback(client[0])
