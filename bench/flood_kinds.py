"""The floods: each sends what costs a server most, from many addresses of this machine.

Every one takes an `Aim` and a size, and gives how many connections or requests it sent.
"""

import asyncio
import contextlib
import gzip
import itertools
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.fleet import Fleet, Spender, sign
from bench.payments import request as payment_of
from farthing import ids
from farthing.keys import Ed25519Signer

PROXY_IN_FRONT = "127.9.9.9"
"""The address that both servers trust to name others."""

_AT_ONCE = 100
_PER_CONNECTION = 50
_PATIENCE_SECONDS = 5.0
_BOMB = gzip.compress(bytes(20_000_000))
_HOSTS = itertools.cycle(f"127.1.{n // 200}.{1 + n % 200}" for n in range(1000))


@dataclass(frozen=True)
class Aim:
    """Where a flood goes.

    Shape: `page` is asked for, `sink` takes bodies, `long` answers with much; `key` is an API
           key of the hub, or nothing; what is begun is held for `held_seconds`.
    """

    port: int
    page: str
    sink: str
    long: str
    fleet: Fleet
    key: str = ""
    held_seconds: float = 2.0

    def head(self, method: str, path: str, *fields: str) -> bytes:
        """Write the head of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *fields]
        return "\r\n".join([*lines, "", ""]).encode()

    @property
    def bearer(self) -> str:
        """Write the field with the key."""
        return f"Authorization: Bearer {self.key}"


Flood = Callable[[Aim, int], Awaitable[int]]
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(aim: Aim, host: str = "", buffer: int = 0) -> AsyncIterator[Wire]:
    """Connect from one of many addresses; `buffer` bounds what the system takes in for us."""
    wire = socket.socket()
    wire.setblocking(False)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if buffer:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    wire.bind((host or next(_HOSTS), 0))
    await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", aim.port))
    reader, writer = await asyncio.open_connection(sock=wire, limit=buffer or 65536)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def hold(aim: Aim, count: int, begin: bytes, drip: bytes = b"", buffer: int = 0) -> int:
    """Open connections, begin something on each, and hold them; `drip` comes now and then."""
    async with contextlib.AsyncExitStack() as stack:
        wires: list[Wire] = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                wires.append(await stack.enter_async_context(connected(aim, buffer=buffer)))
                wires[-1][1].write(begin)
        for _ in range(4):
            await asyncio.sleep(aim.held_seconds / 4)
            for _, writer in wires:
                if drip and not writer.is_closing():
                    writer.write(drip)
        return len(wires)


async def ask(aim: Aim, count: int, write: Callable[[int], bytes], host: str = "") -> int:
    """Send requests on many connections at once, and read the answers; go on where one ends."""
    numbers = iter(range(count))

    async def go_on() -> None:
        for number in numbers:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                async with connected(aim, host) as wire:
                    await asked(wire, write(number))
                    for next_one in itertools.islice(numbers, _PER_CONNECTION):
                        await asked(wire, write(next_one))

    await asyncio.gather(*(go_on() for _ in range(min(_AT_ONCE, count))))
    return count


async def asked(wire: Wire, request: bytes, seconds: float = _PATIENCE_SECONDS) -> bytes:
    """Send one request, read its answer, and give the head in lower case.

    Raises: OSError where the connection ends with it; TimeoutError.
    """
    reader, writer = wire
    writer.write(request)
    async with asyncio.timeout(seconds):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
    if b"connection: close" in head:
        raise ConnectionResetError
    return head


async def idle(aim: Aim, size: int) -> int:
    """Connect, and say nothing."""
    return await hold(aim, size, b"")


async def half_heads(aim: Aim, size: int) -> int:
    """Begin a head of 50 KB, and never end it."""
    head = aim.head("GET", aim.page)[:-2] + b"X: " + b"a" * 50_000
    return await hold(aim, size, head, b"a")


async def slow_bodies(aim: Aim, size: int) -> int:
    """Send half of a body, and then a byte now and then."""
    head = aim.head("POST", aim.sink, "Content-Length: 200000")
    return await hold(aim, size, head + bytes(100_000), b"x")


async def big_bodies(aim: Aim, size: int) -> int:
    """Send bodies that are just not too big."""
    request = aim.head("POST", aim.sink, "Content-Length: 262144") + bytes(262_144)
    return await ask(aim, size, lambda _: request)


async def huge_bodies(aim: Aim, size: int) -> int:
    """Send 4 MB in chunks, where no length warns of them."""
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    request = aim.head("POST", aim.sink, "Transfer-Encoding: chunked") + chunk * 64 + b"0\r\n\r\n"
    return await ask(aim, max(1, size // 8), lambda _: request)


async def bombs(aim: Aim, size: int) -> int:
    """Send 20 KB that would be 20 MB if somebody unpacked them."""
    fields = (f"Content-Length: {len(_BOMB)}", "Content-Encoding: gzip")
    request = aim.head("POST", aim.sink, *fields) + _BOMB
    return await ask(aim, size, lambda _: request)


async def big_heads(aim: Aim, size: int) -> int:
    """Send a head of 100 KB."""
    request = aim.head("GET", aim.page, *(f"X-{n}: {'a' * 1000}" for n in range(100)))
    return await ask(aim, size, lambda _: request)


async def pipelined(aim: Aim, size: int) -> int:
    """Send 500 requests at once on each connection."""
    requests = aim.head("GET", aim.page) * 500
    return 500 * await hold(aim, max(1, size // 4), requests)


async def unread(aim: Aim, size: int) -> int:
    """Ask for long answers, and read nothing of them."""
    fields = (aim.bearer,) if aim.key else ()
    return await hold(aim, size, aim.head("GET", aim.long, *fields), buffer=4096)


async def streams(aim: Aim, size: int) -> int:
    """Follow the events, over and over, with one key."""
    return await hold(aim, size, aim.head("GET", "/v1/events", aim.bearer))


async def forgeries(aim: Aim, size: int) -> int:
    """Send payments that somebody else has signed."""
    thief = Spender(aim.fleet.spenders[0].device, Ed25519Signer(bytes(32)))
    forged = payment_of(sign(aim.fleet.hub, thief, aim.fleet.payees[0], ""))
    return await ask(aim, size, lambda _: forged)


def _forwarded(number: int) -> tuple[str, str]:
    there = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return f"X-Forwarded-For: {there}", "X-Forwarded-Proto: https"


def _unknown(number: int) -> str:
    return ids.encode(number + (1 << 100))


async def no_such_devices(aim: Aim, size: int) -> int:
    """Send payments of devices that do not exist."""

    def write(number: int) -> bytes:
        nobody = Spender(f"dev_{_unknown(number)}", Ed25519Signer(bytes(32)))
        return payment_of(sign(aim.fleet.hub, nobody, aim.fleet.payees[0], ""))

    return await ask(aim, size, write)


async def addresses(aim: Aim, size: int) -> int:
    """Ask as somebody else each time, in the words of a proxy that is trusted."""

    def write(number: int) -> bytes:
        return aim.head("GET", aim.page, *_forwarded(number))

    return await ask(aim, size * 20, write, PROXY_IN_FRONT)


async def wrong_keys(aim: Aim, size: int) -> int:
    """Ask with another key each time, none of which opens anything."""

    def write(number: int) -> bytes:
        key = f"Authorization: Bearer fk_{number:042}0"
        return aim.head("GET", "/v1/accounts", key, *_forwarded(number))

    return await ask(aim, size, write, PROXY_IN_FRONT)


async def unknown_payments(aim: Aim, size: int) -> int:
    """Look up payments that do not exist."""
    return await ask(
        aim, size, lambda n: aim.head("GET", f"/v1/payments/pay_{_unknown(n)}", aim.bearer)
    )


async def nonsense_proofs(aim: Aim, size: int) -> int:
    """Pay with credentials that were made up."""
    proof = json.dumps({"x402Version": 2, "payload": {"n": "x" * 2000}}).encode().hex()
    return await ask(aim, size, lambda _: aim.head("GET", aim.page, f"PAYMENT-SIGNATURE: {proof}"))


EVERYWHERE: Mapping[str, Flood] = {
    "connections that say nothing": idle,
    "heads that never end, 50 KB so far": half_heads,
    "bodies that never end, 100 KB so far": slow_bodies,
    "bodies of 256 KB": big_bodies,
    "bodies of 4 MB in chunks": huge_bodies,
    "compressed bombs": bombs,
    "heads of 100 KB": big_heads,
    "500 requests at once per connection": pipelined,
    "long answers that nobody reads": unread,
    "another address each time": addresses,
}
HUB: Mapping[str, Flood] = EVERYWHERE | {
    "event streams with one key": streams,
    "payments with a wrong signature": forgeries,
    "payments of unknown devices": no_such_devices,
    "another wrong key each time": wrong_keys,
    "look-ups of unknown payments": unknown_payments,
}
PROXY: Mapping[str, Flood] = EVERYWHERE | {"made-up credentials": nonsense_proofs}
