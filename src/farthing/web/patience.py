"""How long a connection waits for its client: for a head, for a body, for an answer to be read.

One timer for each connection, and one for the time between requests, set anew only when they ring.
"""

import asyncio
import fcntl
import struct
import termios
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from farthing.errors import FarthingError
from farthing.web.guard import Guard
from farthing.web.problems import HttpProblem

BODY_BYTES_MIN = 16 * 1024
READ_BYTES_MIN = 4 * 1024
"""What has to come, and what has to be read, in the time a client may stall: some 500 and 100
bytes a second."""

LINGER_SECONDS = 1.0


class Patient(HttpToolsProtocol):
    """A connection that hangs up on who neither sends nor reads what is due.

    Shape: `guard` is what the connections of a server share.
    """

    guard: ClassVar[Guard] = Guard()

    _head_since: float | None = None
    _body_since: float | None = None
    _held_up = False
    _unread_since: float | None = None
    _came = _unread = 0
    _timer: asyncio.TimerHandle | None = None
    _idle_since: float | None = None
    _idle_timer: asyncio.TimerHandle | None = None

    def cut(self, problem: FarthingError) -> None:
        """Hang up, and say why if that can be said."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._seconds = self.guard.stall_seconds
        self._head_since = self.loop.time()
        self._timer = self.loop.call_later(self._seconds, self._look)

    def stop_waiting(self) -> None:
        """Wait for nothing any more."""
        for timer in (self._timer, self._idle_timer):
            if timer is not None:
                timer.cancel()

    def end(self) -> None:
        """Hang up, but let the client read our last word, though it may still be sending.

        Source: RFC 9112, 9.6: closed at once, the connection would be reset and the word lost.
        """
        self.stop_waiting()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.give_up)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def give_up(self) -> None:
        """Hang up on a client that does not read: what waits for it is dropped."""
        self.transport.abort()

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        self._head_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait for a body. Shape: of a head that cannot be served none comes."""
        super().on_headers_complete()
        self._head_since, self._body_since, self._came = None, self.loop.time(), 0

    def on_body(self, body: bytes) -> None:
        """Give whoever sends enough its time anew."""
        self._came += len(body)
        if self._came >= BODY_BYTES_MIN:
            self._body_since, self._came = self.loop.time(), 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have the whole request."""
        self._body_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request: as uvicorn does, but without a new timer for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._look_idle)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _look_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None:
            return  # Something has come since; the next answer sets the timer again.
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look_idle)
        else:
            self.timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Wait until the client has read."""
        self._unread_since, self._unread = self.loop.time(), unread_bytes(self.transport)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Have the answer read, or nearly."""
        self._unread_since = None
        super().resume_writing()

    @property
    def last_cycle(self) -> RequestResponseCycle | None:
        """The request that came last; none before the first one."""
        return cast(RequestResponseCycle | None, self.cycle)

    @property
    def serves(self) -> bool:
        """Whether a request is being answered."""
        cycle = self.last_cycle
        return cycle is not None and not cycle.response_complete

    def _look(self) -> None:
        now = self.loop.time()
        left = min(self._head_left(now), self._body_left(now), self._reader_left(now))
        if left > 0:
            self._timer = self.loop.call_later(left, self._look)

    def _head_left(self, now: float) -> float:
        if self.serves or self._head_since is None:
            self._head_since = None if self.serves else now
            return self._seconds
        left = self._head_since + self._seconds - now
        if left <= 0:
            detail = f"send the head of a request within {self._seconds:g} seconds"
            self.cut(HttpProblem(408, "head-too-slow", detail))
        return left

    def _body_left(self, now: float) -> float:
        if self._body_since is None:
            return self._seconds
        held_up, self._held_up = self._held_up, self._holds_up()
        if held_up or self._held_up:
            self._body_since = now  # It was up to us that no more came, and may still be.
        left = self._body_since + self._seconds - now
        if left <= 0:
            detail = f"send {BODY_BYTES_MIN} bytes, or all the rest, in {self._seconds:g} seconds"
            self.cut(HttpProblem(408, "body-too-slow", detail))
        return left

    def _holds_up(self) -> bool:
        return self.flow.read_paused or self.cycle.waiting_for_100_continue

    def _reader_left(self, now: float) -> float:
        if self._unread_since is None:
            return self._seconds
        left = self._unread_since + self._seconds - now
        if left > 0:
            return left
        unread = unread_bytes(self.transport)
        if unread > self._unread - READ_BYTES_MIN:
            self.give_up()
            return left
        self._unread_since, self._unread = now, unread
        return self._seconds


def unread_bytes(transport: asyncio.Transport) -> int:
    """Count what the client has not acknowledged: here, and in the system's own buffer."""
    here = transport.get_write_buffer_size()
    try:
        asked = fcntl.ioctl(transport.get_extra_info("socket"), termios.TIOCOUTQ, b"\0" * 4)
    except (OSError, AttributeError, TypeError):
        return here  # Not every system tells; then what waits here has to do.
    return here + struct.unpack("i", asked)[0]
