"""A WebSocket that a device has bought: its handshake paid, or it runs under a session.

    async with client.socket("https://shop.example/feed") as feed:
        async for message in feed:
            ...

What a seller says about vouchers is answered by the session, and is no message of the socket.

Source: RFC 6455; docs/reference/metering.md, "Over a WebSocket".
"""

import asyncio
import contextlib
import hashlib
import secrets
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx
from wsproto import ConnectionType, events
from wsproto.connection import Connection, ConnectionState
from wsproto.utilities import ProtocolError

from farthing.errors import FarthingError, Unavailable

SWITCHING = 101
MESSAGE_BYTES_MAX = 1024 * 1024
UNREAD_MAX = 64
"""Messages that the caller has not taken yet; what comes behind them waits, vouchers as well."""

LOST, TOO_LONG = 1006, 1009
SILENT_SECONDS = 20.0
"""How long a seller may say nothing before it is asked whether it is there, and then once more."""

_READ_BYTES = 64 * 1024
_WRITE_SECONDS, _CLOSE_SECONDS = 30.0, 5.0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SCHEMES = {"ws": "http", "wss": "https"}

Answer = Callable[[str], Awaitable[Sequence[str] | None]]
"""Gives what to say to a message about vouchers; None for one that is the caller's."""


class Handshake:
    """What asks for a WebSocket in a request, and tells whether an answer opens it."""

    def __init__(self, subprotocols: Sequence[str] = ()) -> None:
        self._key = b64encode(secrets.token_bytes(16))
        self.fields = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": self._key.decode(),
        }
        if subprotocols:
            self.fields["sec-websocket-protocol"] = ", ".join(subprotocols)

    def require_opened(self, response: httpx.Response) -> None:
        """Refuse an answer that opens no socket.

        Raises: Unavailable `no-socket`.
        """
        if response.status_code != SWITCHING:
            detail = f"no WebSocket opens: the answer is {response.status_code}"
            raise Unavailable("no-socket", detail, answered=response.status_code)
        told = response.headers.get("sec-websocket-accept", "")
        expected = b64encode(hashlib.sha1(self._key + _GUID, usedforsecurity=False).digest())
        upgrade = response.headers.get("upgrade", "").strip().lower()
        connection = response.headers.get("connection", "").lower().split(",")
        switched = upgrade == "websocket" and "upgrade" in (each.strip() for each in connection)
        extended = "sec-websocket-extensions" in response.headers
        if told != expected.decode() or extended or not switched:
            raise Unavailable("no-socket", "no WebSocket opens: the answer is to another request")


class BoughtSocket:
    """One open socket. Shape: `response` is what opened it, for `paid(socket.response)`; `code` and
    `reason` say how it ended, 1006 for one that was lost.
    """

    def __init__(self, response: httpx.Response, answer: Answer | None = None) -> None:
        self.response, self._answer = response, answer
        self._stream: Any = response.extensions["network_stream"]
        self._wire = Connection(ConnectionType.CLIENT)
        self._came: asyncio.Queue[str | bytes | None] = asyncio.Queue(UNREAD_MAX)
        self._parts: list[str | bytes] = []
        self._size = 0
        self._writing = asyncio.Lock()
        self._fault: FarthingError | None = None
        self._leaving = self._heard_all = False
        self.code, self.reason = 0, ""
        self._reading = asyncio.create_task(self._read())

    @property
    def subprotocol(self) -> str:
        """What both sides have agreed to speak, if anything."""
        return self.response.headers.get("sec-websocket-protocol", "")

    async def receive(self) -> str | bytes | None:
        """Give the next message; None once the socket is closed.

        Raises: WillNotPay when more is asked for than may be promised; PaymentRefused when the
                seller does not take what is.
        """
        if self._heard_all:
            return None
        message = await self._came.get()
        if message is None:
            self._heard_all = True
            if self._fault is not None:
                raise self._fault
        return message

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Give messages until the socket is closed."""
        while (message := await self.receive()) is not None:
            yield message

    async def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises: Unavailable `socket-closed`.
        """
        kind = events.TextMessage if isinstance(message, str) else events.BytesMessage
        await self._say(kind(data=message))  # type: ignore[arg-type]

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; what comes until the other side has closed as well is passed over."""
        self._leaving = True
        while not self._came.empty():
            self._came.get_nowait()
        with contextlib.suppress(Unavailable):
            await self._say(events.CloseConnection(code=code, reason=reason))
        await asyncio.wait({self._reading}, timeout=_CLOSE_SECONDS)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._heard_all = True

    async def _say(self, event: events.Event) -> None:
        async with self._writing:
            closing = isinstance(event, events.CloseConnection) and not self._is_over
            if self._wire.state is not ConnectionState.OPEN and not closing:
                raise Unavailable("socket-closed", f"the socket is closed ({self.code})")
            try:
                await self._stream.write(self._wire.send(event), _WRITE_SECONDS)
            except Exception:  # Whatever carries the connection has errors of its own.
                self._wire.receive_data(None)
                raise Unavailable("socket-closed", "the socket was lost") from None

    @property
    def _is_over(self) -> bool:
        return self._wire.state in (ConnectionState.CLOSED, ConnectionState.LOCAL_CLOSING)

    # What comes

    async def _read(self) -> None:
        try:
            while self._wire.state is not ConnectionState.CLOSED and not self.code:
                data = await self._some()
                self._wire.receive_data(data or None)
                for event in self._wire.events():
                    await self._take(event)
        except ProtocolError as fault:
            await self._give_up(int(getattr(fault, "code", 1002)))
        except FarthingError as fault:
            self._fault = fault
            await self._give_up(1000)
        self.code = self.code or LOST
        await self._came.put(None)

    async def _some(self) -> bytes:
        """Read what is there; nothing once the connection is gone, or the seller is."""
        for _ in range(2):
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    return await self._stream.read(_READ_BYTES)
            except TimeoutError:
                with contextlib.suppress(Unavailable):
                    await self._say(events.Ping())
            except Exception:  # Whatever carries the connection has errors of its own.
                break
        return b""

    async def _take(self, event: Any) -> None:
        if isinstance(event, events.Message):
            await self._take_part(event)
        elif isinstance(event, events.Ping):
            with contextlib.suppress(Unavailable):
                await self._say(event.response())
        elif isinstance(event, events.CloseConnection):
            self.code, self.reason = event.code, event.reason or ""
            with contextlib.suppress(Unavailable):
                await self._say(event.response())

    async def _take_part(self, event: Any) -> None:
        self._parts.append(event.data)
        self._size += len(event.data)
        if self._size > MESSAGE_BYTES_MAX:
            await self._give_up(TOO_LONG)
        elif event.message_finished:
            parts, self._parts, self._size = self._parts, [], 0
            await self._heard(type(event.data)().join(parts))

    async def _heard(self, message: Any) -> None:
        if self._answer is not None and isinstance(message, str):
            words = await self._answer(message)
            if words is not None:
                for word in words:
                    with contextlib.suppress(Unavailable):
                        await self._say(events.TextMessage(data=word))
                return
        if not self._leaving:
            await self._came.put(message)

    async def _give_up(self, code: int) -> None:
        self.code = code
        with contextlib.suppress(Unavailable):
            await self._say(events.CloseConnection(code=code))


@contextlib.asynccontextmanager
async def opened(
    response: httpx.Response, handshake: Handshake, answer: Answer | None = None
) -> AsyncGenerator[BoughtSocket]:
    """Use what opened a socket as one, and close it at the end.

    Raises: Unavailable `no-socket`.
    """
    try:
        handshake.require_opened(response)
        socket = BoughtSocket(response, answer)
        try:
            yield socket
        finally:
            await socket.close()
    finally:
        await response.aclose()


def as_request(url: str | httpx.URL) -> httpx.URL:
    """Give where to ask for a socket: `ws` is asked for by HTTP."""
    asked = httpx.URL(url)
    return asked.copy_with(scheme=_SCHEMES.get(asked.scheme, asked.scheme))
