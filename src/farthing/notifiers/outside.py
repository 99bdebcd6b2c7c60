"""Asking addresses that owners name, without being led into the hub's own network (SSRF).

Every name is looked up here and the connection is made to an address that was looked at, so a name
that means another address a moment later changes nothing. A proxy of the environment is not used,
and no redirect is followed.

Source: OWASP, Server-Side Request Forgery Prevention; RFC 6890 (special addresses).
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore

from farthing.errors import Malformed
from farthing.notifiers.base import Posted

ANSWER_BYTES_MAX = 65_536
_WAIT_SECONDS_MAX = 3600
_CONNECTIONS = 64
_REFUSED = [
    ip_network(each)
    for each in (
        "100.64.0.0/10",  # Carriers' own; one cloud keeps its metadata there.
        "168.63.129.16/32",  # A public address at which another cloud keeps its.
        "192.0.0.0/24",  # And so does a third; older Pythons call it public.
        "192.88.99.0/24",
        "fec0::/10",  # Sites' own, before there were others.
        "3fff::/20",
    )
]
_WRAPPED = IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"), IPv6Network("2001::/32")
"""IPv6 that stands for some IPv4: NAT64, 6to4 and Teredo."""

Address = IPv4Address | IPv6Address
LookUp = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressRefused(Exception):
    """An address that nobody outside may send the hub to."""


class Networks:
    """Which addresses may be asked.

    Shape: `allowed` are networks of the operator's own that may be, besides the public ones.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = [ip_network(each) for each in allowed]

    def configured(self, address: Address) -> bool:
        """Tell whether the operator allows it by name."""
        return any(address.version == net.version and address in net for net in self._allowed)

    def any_configured(self, address: Address | None) -> bool:
        """Tell whether an address, or some address (None), is allowed by name."""
        return bool(self._allowed) if address is None else self.configured(address)

    def may_ask(self, address: Address) -> bool:
        """Tell whether an owner may have the hub ask it."""
        return self.configured(address) or _is_public(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if any(address in net for net in _WRAPPED) or address.scope_id:
            return False
    if any(address.version == net.version and address in net for net in _REFUSED):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )


def check_url(url: str, networks: Networks) -> None:
    """Look at a URL before it is kept: what it names is looked at again at each connection.

    Raises: Malformed `malformed-url`, `url-refused`.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise Malformed("malformed-url", "this is no URL") from None
    odd = not url.isascii() or not url.isprintable() or " " in url or "#" in url or "\\" in url
    if odd or not url.startswith(("https://", "http://")) or not _can_be_looked_up(host):
        raise Malformed("malformed-url", "give a whole URL like https://shop.example/paid")
    if parts.username is not None or parts.password is not None:
        raise Malformed("url-refused", "a URL with a name or a password in it is not kept")
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is not None and not networks.may_ask(address):
        raise Malformed("url-refused", "this address is not one that the hub asks for others")
    if parts.scheme == "http" and not networks.any_configured(address):
        raise Malformed("url-refused", "use https://; what happened is nobody else's business")


def _can_be_looked_up(host: str) -> bool:
    """Tell whether a name has parts, none of them empty or too long. Source: RFC 1035, 2.3.4."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


async def look_up(host: str, port: int) -> list[str]:
    """Give a name's addresses. Raises: OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connections to addresses that may be asked.

    Shape: over plain HTTP only what the operator allows by name may be.
    """

    def __init__(self, may_ask: Callable[[Address], bool], names: LookUp) -> None:
        self._may_ask, self._names = may_ask, names
        self._inner: Any = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Look the name up, look at every address, and connect to one of these."""
        addresses = await self._names(host, port)
        if not addresses or not all(self._may_ask(ip_address(each)) for each in addresses):
            raise AddressRefused(host)
        fault: Exception | None = None
        for address in addresses[:4]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                fault = failed
        raise fault or AddressRefused(host)

    async def connect_unix_socket(self, *_given: Any, **_named: Any) -> Any:
        """Refuse: no URL names one."""
        raise AddressRefused("a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


_FAULTS: tuple[tuple[str, tuple[type[Exception], ...]], ...] = (
    ("address-refused", (AddressRefused,)),
    ("timeout", (TimeoutError, httpcore.TimeoutException)),
    ("tls-failed", (ssl.SSLError,)),
    ("unreachable", (httpcore.ConnectError, OSError)),
    ("answer-broken", (httpcore.ProtocolError, httpcore.NetworkError)),
)
"""What went wrong, by what was raised; the first that fits, since some are kinds of others."""

_FAILURES: tuple[type[Exception], ...] = tuple(kind for _, kinds in _FAULTS for kind in kinds)


def _fault_of(failed: Exception) -> str:
    fits = (fault for fault, kinds in _FAULTS if isinstance(failed, kinds))
    return next(fits, "answer-broken")


class Outside:
    """Posts to URLs that owners named.

    Units: `seconds` is how long one try may take, the answer's body included.
    """

    def __init__(
        self,
        networks: Networks,
        seconds: float = 10.0,
        trust: ssl.SSLContext | None = None,
        names: LookUp = look_up,
    ) -> None:
        self._seconds = seconds

        def pool(may_ask: Callable[[Address], bool]) -> httpcore.AsyncConnectionPool:
            return httpcore.AsyncConnectionPool(
                ssl_context=trust or ssl.create_default_context(),
                max_connections=_CONNECTIONS,
                keepalive_expiry=20,
                network_backend=_Guarded(may_ask, names),
            )

        self._pools = {"https": pool(networks.may_ask), "http": pool(networks.configured)}

    async def post(self, url: str, headers: list[tuple[str, str]], body: bytes) -> Posted:
        """Send a body once, and tell what became of it."""
        began = time.monotonic()
        status, fault, wait = 0, "", 0
        try:
            async with asyncio.timeout(self._seconds):
                status, wait = await self._ask(url, headers, body)
            fault = "" if 200 <= status < 300 else "refused"
        except _FAILURES as failed:
            fault = _fault_of(failed)
        except (KeyError, ValueError):  # A URL that was kept before it was looked at like this.
            fault = "unreachable"
        return Posted(status, fault, round((time.monotonic() - began) * 1000), wait)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        bytes_max: int,
    ) -> tuple[int, bytes, str]:
        """Ask once, and give the answer's status, its body and what went wrong.

        Shape: the status is 0 where nothing, or more than `bytes_max`, was answered.
        """
        try:
            async with asyncio.timeout(self._seconds):
                pool = self._pools[url.partition(":")[0]]
                async with pool.stream(method, url, headers=list(headers), content=body) as heard:
                    return heard.status, await _read_all(heard.aiter_stream(), bytes_max), ""
        except (*_FAILURES, ValueError, KeyError) as failed:
            return 0, b"", _fault_of(failed)

    async def _ask(self, url: str, headers: list[tuple[str, str]], body: bytes) -> tuple[int, int]:
        pool = self._pools[url.partition(":")[0]]
        async with pool.stream("POST", url, headers=headers, content=body) as response:
            await _read_some(response.aiter_stream())
            return response.status, _wait_seconds(response.headers)

    async def close(self) -> None:
        """Let go of the connections."""
        for pool in self._pools.values():
            await pool.aclose()


async def _read_all(parts: AsyncIterator[bytes], bytes_max: int) -> bytes:
    """Read an answer to its end. Raises: ValueError where it is longer than that."""
    taken = bytearray()
    async for part in parts:
        taken += part
        if len(taken) > bytes_max:
            raise ValueError("too long")
    return bytes(taken)


async def _read_some(parts: AsyncIterator[bytes]) -> None:
    """Read a short answer to its end, so that its connection can be used again; of a long one
    read no more than some.
    """
    taken = 0
    async for part in parts:
        taken += len(part)
        if taken > ANSWER_BYTES_MAX:
            return


def _wait_seconds(headers: Iterable[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 6:
            return min(int(value), _WAIT_SECONDS_MAX)
    return 0
