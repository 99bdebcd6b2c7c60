"""A WebSocket to the web service behind a proxy: whole messages, and few of them in memory.

What comes is read only while little waits to be taken, so that a slow client slows the service
itself; what goes out waits until the service takes it, but not for ever.

Source: RFC 6455.
"""

import asyncio
from collections import deque
from typing import Any, NamedTuple, cast

from wsproto import ConnectionType, WSConnection, events
from wsproto.connection import ConnectionState
from wsproto.utilities import ProtocolError

from farthing.web.problems import Answer
from farthing.web.upstream_connection import UpstreamBroke

MESSAGE_BYTES_MAX = 256 * 1024
REFUSAL_BYTES_MAX = 256 * 1024
STALL_SECONDS = 30.0
PING_SECONDS = 20.0
CLOSE_SECONDS = 5.0
NO_CODE, LOST, TOO_LARGE = 1005, 1006, 1009

_WAITING_MAX = 64
_WAITING_BYTES_MAX = 64 * 1024
_MAY_CLOSE = (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING)


class Closed(NamedTuple):
    """How the service closed a socket."""

    code: int
    reason: str


class UpstreamSocket(asyncio.Protocol):
    """Sends a handshake, and then messages.

    Shape: `opened` gives the service's answer, `receive` what it sends; `close` is always called.
    """

    def __init__(
        self,
        request: events.Request,
        *,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
        stall_seconds: float = STALL_SECONDS,
        ping_seconds: float = PING_SECONDS,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._handshake = self._wire.send(request)
        self._most, self._stall_seconds = message_bytes_max, stall_seconds
        self._ping_seconds, self._timer = ping_seconds, cast(asyncio.TimerHandle | None, None)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[events.AcceptConnection | Answer] = self._loop.create_future()
        self._refusal: Answer | None = None
        self._writable, self._told = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._came: deque[str | bytes] = deque()
        self._waiting = self._size = 0
        self._pieces: list[Any] = []
        self._heard, self._paused = True, False
        self._leaving = self._dropping = False
        self._closed: Closed | None = None
        self._fault: UpstreamBroke | None = None

    async def opened(self) -> events.AcceptConnection | Answer:
        """Wait for the answer to the handshake: the socket is open, or the service refuses it.

        Raises: UpstreamBroke.
        """
        return await asyncio.shield(self._answer)

    async def receive(self) -> str | bytes | Closed:
        """Give the next message, and in the end how the service closed the socket.

        Raises: UpstreamBroke.
        """
        while not self._came:
            if self._closed is not None:
                return self._closed
            if self._fault is not None:
                raise self._fault
            self._told.clear()
            await self._told.wait()
        message = self._came.popleft()
        self._waiting -= len(message)
        if self._paused and not self._full:
            self._read_on()
        return message

    async def send(self, message: str | bytes) -> None:
        """Send a message, as fast as the service takes it; after its end nobody hears it.

        Raises: UpstreamBroke when it is gone, or takes nothing for too long.
        """
        if self._fault is None and self._wire.state is ConnectionState.OPEN and not self._leaving:
            said = events.TextMessage if isinstance(message, str) else events.BytesMessage
            self._write(said(data=cast(Any, message)))
        if not self._writable.is_set():
            await self._taken()
        if self._fault is not None:
            raise self._fault

    def close(self, code: int, reason: str = "") -> None:
        """Close the socket, and hang up when that is answered, or soon; twice does no harm."""
        if code == LOST or self._wire.connection is None:
            self._hang_up()
            return
        self._say_closed(code, reason)
        self._leave()
        self._dropping = True  # What still comes, up to the service's own close.
        self._came.clear()
        self._waiting = 0
        if self._paused:
            self._read_on()

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._handshake)

    def pause_writing(self) -> None:
        """Wait with more."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Read frames, and stop while much waits."""
        self._heard = True
        if self._fault is None:
            self._feed(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End whatever waits: without a close frame the socket has broken."""
        if self._refusal is not None and not self._answer.done():
            self._feed(None)  # A refusal may end with its connection.
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._writable.set()
        if self._closed is None:
            self._break("the upstream hung up")

    # What comes.

    @property
    def _full(self) -> bool:
        """Whether so much waits to be taken that no more is read."""
        return len(self._came) >= _WAITING_MAX or self._waiting >= _WAITING_BYTES_MAX

    def _feed(self, data: bytes | None) -> None:
        try:
            self._wire.receive_data(data)
        except ProtocolError:
            self._break("this is no WebSocket")
            return
        if not self._paused:
            self._advance()

    def _advance(self) -> None:
        """Read what is here, frame by frame, until much waits."""
        try:
            for event in self._wire.events():
                self._take(event)
                if self._full:
                    break
        except ProtocolError:
            self._break("this is no WebSocket")
        self._paused = self._full
        if self._paused and self._transport is not None:
            self._transport.pause_reading()

    def _read_on(self) -> None:
        self._paused, self._heard = False, True
        if self._transport is not None:
            self._transport.resume_reading()
        self._advance()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.AcceptConnection():
                self._answer.set_result(event)
                self._timer = self._loop.call_later(self._ping_seconds, self._look)
            case events.RejectConnection():
                self._refused(event)
            case events.RejectData():
                self._refused_with(event)
            case events.TextMessage() | events.BytesMessage():
                self._piece(event)
            case events.Ping() if self._writable.is_set():  # Who reads no answer gets none.
                self._write(event.response())
            case events.CloseConnection():
                self._over(event)
            case _:
                pass

    def _refused(self, event: events.RejectConnection) -> None:
        if event.status_code < 200:
            self._break("an interim answer")
            return
        headers = [(bytes(name).lower(), bytes(value)) for name, value in event.headers]
        self._refusal = Answer(event.status_code, headers)

    def _refused_with(self, event: events.RejectData) -> None:
        self._pieces.append(bytes(event.data))
        self._size += len(event.data)
        if self._size > REFUSAL_BYTES_MAX:
            self._break("its refusal is too large")
        elif event.body_finished and self._refusal is not None and not self._answer.done():
            told = Answer(self._refusal.status, self._refusal.headers, b"".join(self._pieces))
            self._answer.set_result(told)

    def _piece(self, event: events.TextMessage | events.BytesMessage) -> None:
        """Keep a part of a message until it is whole; one that is too large ends the socket."""
        if self._dropping:
            return
        self._pieces.append(event.data)
        self._size += len(event.data.encode() if isinstance(event.data, str) else event.data)
        if self._size > self._most:
            self._say_closed(TOO_LARGE, f"a message has {self._most} bytes at most")
            self._break("its message is too large")
        elif event.message_finished:
            whole = (
                "".join(self._pieces)
                if isinstance(event, events.TextMessage)
                else b"".join(self._pieces)
            )
            self._came.append(whole)
            self._waiting += len(whole)
            self._pieces, self._size = [], 0
            self._told.set()

    def _over(self, event: events.CloseConnection) -> None:
        """Answer a close frame; what else ends a socket is a frame that cannot be read."""
        if self._wire.state is ConnectionState.OPEN:
            self._break(f"a frame that cannot be read: {event.reason}")
            return
        if self._wire.state is ConnectionState.REMOTE_CLOSING:
            self._write(event.response())
        self._closed = Closed(int(event.code), event.reason or "")
        self._told.set()
        self._leave()
        if self._transport is not None:
            self._transport.close()

    # The end.

    async def _taken(self) -> None:
        try:
            async with asyncio.timeout(self._stall_seconds):
                await self._writable.wait()
        except TimeoutError:
            self._break("the upstream does not read")

    def _look(self) -> None:
        """Ask whether the service is still there; who has said nothing since the last time is not.

        While nothing is read, nothing can be heard.
        """
        if not self._heard and not self._paused:
            self._break("the upstream answers no ping")
            return
        self._heard = False
        if self._writable.is_set():
            self._write(events.Ping())
        self._timer = self._loop.call_later(self._ping_seconds, self._look)

    def _say_closed(self, code: int, reason: str) -> None:
        if self._wire.state in _MAY_CLOSE:
            bare = code == NO_CODE
            told = cast(int, None) if bare else code
            self._write(events.CloseConnection(code=told, reason=None if bare else reason))

    def _leave(self) -> None:
        """Give the service a moment to hang up."""
        if not self._leaving:
            self._leaving = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(CLOSE_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _break(self, why: str) -> None:
        if self._fault is None and self._closed is None:
            self._fault = UpstreamBroke(why)
        self._dropping = True
        self._told.set()
        self._writable.set()
        if not self._answer.done():
            self._answer.set_exception(UpstreamBroke(why))
            self._answer.exception()  # Nobody may be waiting: then it is not an error of ours.
        if self._transport is not None:
            self._transport.close()
        self._leave()

    def _write(self, event: events.Event) -> None:
        if self._transport is not None:
            self._transport.write(self._wire.send(event))
