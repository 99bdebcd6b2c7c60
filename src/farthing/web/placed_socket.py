"""A client's WebSocket, in the bounds of every connection: places, bytes, time.

uvicorn waits for ever for a client that does not read, queues all frames of what came at once,
and answers pings of whoever reads no answer.
"""

import asyncio
from collections.abc import Callable, Generator
from typing import Any, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto import ConnectionType, WSConnection, events

from farthing.web.guard import Guard
from farthing.web.patience import LINGER_SECONDS, READ_BYTES_MIN, unread_bytes

LOST, TRY_AGAIN = 1006, 1013
FREE_BYTES = 4 * 1024
"""What a message may cost before it is counted; the number of connections bounds the rest."""


class InTurn(WSConnection):
    """Reads frame by frame. Shape: `full` tells whether what was read has to be taken first."""

    full: Callable[[], bool]

    def events(self) -> Generator[events.Event, None, None]:
        """Give what came, up to the first whole message."""
        for event in super().events():
            yield event
            if self.full():
                return


class PlacedSocket(WSProtocol):
    """uvicorn's WebSocket on wsproto, which holds no more than it may, and no longer.

    Shape: `left` is told once that the connection is no more; `guard` is what the connections of
           a server share, and `who` is whom this one is counted under.
    """

    left: Callable[[], None] | None = None
    guard: Guard | None = None
    who = ""
    _stalling: asyncio.TimerHandle | None = None
    _unread = _held = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; every ending that waits for the client ends by itself."""
        super().connection_made(transport)
        self.conn = InTurn(ConnectionType.SERVER)
        self.conn.full = lambda: self.read_paused
        self._endings: list[asyncio.TimerHandle] = []

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything; whoever left without a word is told apart from who closed."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": LOST})
        super().connection_lost(exc)
        self._read()
        self._hold(0)
        for ending in self._endings:
            ending.cancel()
        if self.left is not None:
            self.left()

    # What comes.

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is no ASCII is nobody's."""
        try:
            super().data_received(data)
        except UnicodeError:
            self.transport.abort()

    async def receive(self) -> Any:
        """Give the next message, and look for another in what was read before."""
        message = await super().receive()
        self._hold(self.buffer.length)
        if not self.read_paused and not self.disconnected:
            self.handle_events()
        return message

    def handle_message(self, event: events.TextMessage | events.BytesMessage) -> None:
        """Keep a part of a message while there is room for it, until the app has taken it."""
        super().handle_message(event)
        over = event.message_finished or self.close_sent
        if not over and not self._hold(self.buffer.length):
            self._end(TRY_AGAIN, "too many bytes are being read")

    def handle_ping(self, event: events.Ping) -> None:
        """Answer a client that reads."""
        if self.writable.is_set():
            super().handle_ping(event)

    def _hold(self, size: int) -> bool:
        """Take room for a message that grows, and give it back when it is whole."""
        wanted = max(0, size - FREE_BYTES)
        if self.guard is None:
            return True
        if wanted > self._held:
            if self.guard.requests.take(self.who, wanted - self._held):
                return False
        elif wanted < self._held:
            self.guard.requests.give(self.who, self._held - wanted)
        self._held = wanted
        return True

    # What goes.

    async def send(self, message: Any) -> None:
        """Send as fast as the client reads; what follows an end of our own is not sent."""
        await self.writable.wait()
        if self.close_sent and message["type"] in ("websocket.send", "websocket.close"):
            raise ClientDisconnected
        await super().send(message)

    def pause_writing(self) -> None:
        """Wait until the client has read, but not for ever."""
        super().pause_writing()
        if self.guard is not None:
            waiting = self.transport.get_write_buffer_size()
            self.guard.unread.wait(self.who, self, waiting)
            self._unread = unread_bytes(self.transport)
            self._stalling = self.loop.call_later(self.guard.stall_seconds, self._look)

    def resume_writing(self) -> None:
        """Go on writing to a client that reads."""
        self._read()
        super().resume_writing()

    def give_up(self) -> None:
        """Hang up on a client that does not read: what waits for it is dropped."""
        self.transport.abort()

    def _look(self) -> None:
        unread = unread_bytes(self.transport)
        if self.guard is None or unread > self._unread - READ_BYTES_MIN:
            self.give_up()
            return
        self._unread = unread
        self._stalling = self.loop.call_later(self.guard.stall_seconds, self._look)

    def _read(self) -> None:
        if self._stalling is not None:
            self._stalling.cancel()
        if self.guard is not None:
            self.guard.unread.over(self.who, self)

    # The end.

    def keepalive_timeout(self) -> None:
        """Hang up on a client that answers no ping."""
        super().keepalive_timeout()
        self._give_up_in(LINGER_SECONDS)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Wait for a client's goodbye no longer than for an answer to ours."""
        super().on_task_complete(task)
        self._give_up_in(self.close_timeout + LINGER_SECONDS)

    def shutdown(self) -> None:
        """Say that the server goes, and go."""
        super().shutdown()
        self._give_up_in(LINGER_SECONDS)

    def _give_up_in(self, seconds: float) -> None:
        if not self.disconnected:
            self._endings.append(self.loop.call_later(seconds, self.give_up))

    def _end(self, code: int, reason: str) -> None:
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        if not self.transport.is_closing():
            said = events.CloseConnection(code=code, reason=reason)
            self.transport.write(self.conn.send(cast(Any, said)))
            self.transport.close()
