"""Connections to the one web service behind a proxy.

Only a GET without a body shares a connection with requests before and after it. Whatever else
comes in has a connection of its own: a service that does not read a body, or answers HEAD with
one, must not take or give it for the next request or answer.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from typing import TypeVar

import httpx

from farthing.errors import ensure
from farthing.log_lines import Log
from farthing.web.asgi import RawHeaders
from farthing.web.problems import HttpProblem
from farthing.web.upstream_connection import Connection, UpstreamBroke

log = Log("proxy")

Spoken = TypeVar("Spoken", bound=asyncio.Protocol)

_KEPT_MAX = 100
_KEPT_SECONDS = 5.0
_QUIET_SECONDS = 0.05
"""How long a connection is silent before another request may follow: what a service sends beyond
its answer comes by then, and ends the connection."""


@contextlib.contextmanager
def upstream_faults(seconds: float) -> Generator[None]:
    """Say to the client what the service did not do: answer at all, or within these seconds.

    Raises: HttpProblem with 502 or 504.
    """
    try:
        yield
    except TimeoutError:
        log.warning("upstream.timed_out", seconds=seconds)
        raise HttpProblem(
            504, "upstream-too-late", "the service behind this proxy took too long to answer"
        ) from None
    except UpstreamBroke as fault:
        log.warning("upstream.failed", why=fault)
        raise HttpProblem(
            502, "upstream-failed", "the service behind this proxy does not answer"
        ) from None


class Asked:
    """An answer that has begun.

    Shape: `parts` gives its body; `aclose` lets the connection go, and is always called.
    """

    def __init__(
        self, upstream: "Upstream", connection: Connection, sending: "asyncio.Task[None] | None"
    ) -> None:
        self._upstream, self._connection, self._sending = upstream, connection, sending
        self.status, self.headers = connection.status, connection.headers

    def parts(self) -> AsyncGenerator[bytes]:
        """Give the body as it comes in.

        Raises: UpstreamBroke, TimeoutError.
        """
        return self._connection.parts(self._upstream.idle_seconds)

    async def sent(self) -> None:
        """Wait until the request is sent whole, or for its end.

        Raises: whatever its body raises.
        """
        if self._sending is not None:
            await self._sending

    async def aclose(self) -> None:
        """Stop sending, and keep the connection or hang up."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        self._upstream.give_back(self._connection, again=self._sending is None)


class Upstream:
    """Asks one web service.

    Units: `idle_seconds` bounds silence within a body; `connect_seconds` the way to a connection.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        connect_seconds: float = 5.0,
        idle_seconds: float = 300.0,
        connections_max: int = 1000,
    ) -> None:
        self._host = url.raw_host.decode("ascii").strip("[]")
        self._tls = _tls() if url.scheme == "https" else None
        self._port = url.port or (443 if self._tls else 80)
        self._connect_seconds = connect_seconds
        self.idle_seconds = idle_seconds
        self._room = asyncio.Semaphore(connections_max)
        self._kept: deque[tuple[Connection, asyncio.TimerHandle]] = deque()

    async def ask(
        self, method: str, target: bytes, headers: RawHeaders, body: AsyncIterator[bytes] | None
    ) -> Asked:
        """Send a request, and wait for the head of its answer.

        Raises: HttpProblem with 502 or 503; UpstreamBroke; whatever `body` raises.
        """
        shared = method == "GET" and body is None
        head = _written(method, target, headers, close=not shared)
        try:
            async with asyncio.timeout(self._connect_seconds):
                await self._room.acquire()
        except TimeoutError:
            raise HttpProblem(
                503, "upstream-busy", "too many requests wait; try again shortly"
            ) from None
        try:
            kept = await self._take_kept() if shared else None
            if kept is not None:
                asked = await self._ask_again(kept, head)
                if asked is not None:
                    return asked
            return await self._ask(await self.connect(Connection), head, method, body)
        except BaseException:
            self._room.release()
            raise

    def give_back(self, connection: Connection, *, again: bool) -> None:
        """Keep a connection for the next request, or close it."""
        self._room.release()
        if not again or not connection.usable or len(self._kept) >= _KEPT_MAX:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        self._kept.append((connection, loop.call_later(_KEPT_SECONDS, connection.close)))

    async def connect(self, protocol: Callable[[], Spoken]) -> Spoken:
        """Open a connection of its own, which speaks as given.

        Raises: HttpProblem with 502.
        """
        loop = asyncio.get_running_loop()
        name = self._host if self._tls else None
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    protocol, self._host, self._port, ssl=self._tls, server_hostname=name
                )
        except (TimeoutError, OSError) as fault:
            log.warning("upstream.away", why=type(fault).__name__)
            raise HttpProblem(
                502, "upstream-failed", "the service behind this proxy is away"
            ) from None
        return connection

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        while self._kept:
            connection, timer = self._kept.pop()
            timer.cancel()
            connection.close()

    async def _take_kept(self) -> Connection | None:
        youngest = asyncio.get_running_loop().time() + _KEPT_SECONDS - _QUIET_SECONDS
        while self._kept and self._kept[0][1].when() < youngest:
            connection, timer = self._kept.popleft()
            timer.cancel()
            await asyncio.sleep(0)  # What it sent unasked is read now, if it is there.
            if connection.usable:
                return connection
            connection.close()
        return None

    async def _ask_again(self, kept: Connection, head: bytes) -> Asked | None:
        """Ask on a kept connection; None when it was closed before anything was heard."""
        try:
            return await self._ask(kept, head, "GET", None)
        except UpstreamBroke:
            if kept.heard:
                raise
            return None

    async def _ask(
        self, connection: Connection, head: bytes, method: str, body: AsyncIterator[bytes] | None
    ) -> Asked:
        connection.begin(bodyless=method == "HEAD")
        sending: asyncio.Task[None] | None = None
        answered = asyncio.ensure_future(connection.head())
        try:
            await connection.write(head)
            if body is not None:
                chunked = b"\r\ntransfer-encoding: chunked\r\n" in head
                sending = asyncio.create_task(_send(connection, body, chunked=chunked))
                await asyncio.wait({sending, answered}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done() and not answered.done():
                    sending.result()
            await answered
        except BaseException:
            for task in (sending, answered):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            connection.close()
            raise
        return Asked(self, connection, sending)


async def _send(connection: Connection, body: AsyncIterator[bytes], *, chunked: bool) -> None:
    """Send a body on; a service that answers without reading all of it has its reasons."""
    with contextlib.suppress(UpstreamBroke):
        async for part in body:
            await connection.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            await connection.write(b"0\r\n\r\n")


def _written(method: str, target: bytes, headers: RawHeaders, *, close: bool) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), target)]
    lines += [b"%b: %b" % field for field in headers]
    if close:
        lines.append(b"connection: close")
    head = b"\r\n".join([*lines, b"", b""])
    ensure(head.count(b"\n") == head.count(b"\r") == len(lines) + 1, "a field is one line")
    return head


def _tls() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
