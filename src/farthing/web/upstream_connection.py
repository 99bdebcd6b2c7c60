"""One connection to an upstream: a request goes out, and exactly its answer comes back.

What an upstream sends beyond its answer, or unasked, is never anybody's answer: the connection is
closed. Trailers and interim answers are dropped.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, cast

import httptools

from farthing.web.asgi import RawHeaders
from farthing.web.incoming import HEADER_BYTES_MAX

BUFFERED_BYTES_MAX = 256 * 1024
_UNREAD_BYTES_MAX = 2 * HEADER_BYTES_MAX
_NO_BODY = (204, 304)


class UpstreamBroke(OSError):
    """The upstream's answer cannot be read, or ended before its end."""


class Connection(asyncio.Protocol):
    """Asks one request at a time.

    Shape: after `begin`, `head` gives status and header fields, `parts` the body; `usable` tells
           whether another request may follow.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.lost = False
        self._asking = False
        self.begin(bodyless=False)
        self._asking = False

    def begin(self, *, bodyless: bool) -> None:
        """Get ready for the answer to one request; `bodyless` for HEAD."""
        self._parser = httptools.HttpResponseParser(self)
        self._bodyless = bodyless
        self._head: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told = asyncio.Event()
        self._parts: deque[bytes] = deque()
        self._size = self._head_bytes = self._unread_bytes = 0
        self.status = 0
        self.headers: RawHeaders = []
        self._in_head = True
        self._delimited = self._keeps_alive = False
        self.heard = self.done = self._spoiled = False
        self._fault: UpstreamBroke | None = None
        self._asking = True

    @property
    def usable(self) -> bool:
        """Tell whether the last answer left nothing behind that could be taken for the next."""
        sound = self.done and self._keeps_alive and not self._spoiled
        return sound and self._delimited and not self._size and not self.lost

    async def head(self) -> None:
        """Wait for status and header fields.

        Raises: UpstreamBroke.
        """
        await asyncio.shield(self._head)

    async def parts(self, idle_seconds: float) -> AsyncGenerator[bytes]:
        """Give the body as it comes in.

        Raises: UpstreamBroke, TimeoutError after so much silence.
        """
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._size -= len(part)
                if not self._size and self._transport is not None and not self.lost:
                    self._transport.resume_reading()
                yield part
            if self.done:
                return
            if self._fault is not None:
                raise self._fault
            self._told.clear()
            async with asyncio.timeout(idle_seconds):
                await self._told.wait()

    async def write(self, data: bytes) -> None:
        """Send on, as fast as the upstream takes it.

        Raises: UpstreamBroke when it is gone.
        """
        if self.lost or self._transport is None:
            raise UpstreamBroke("the upstream hung up")
        self._transport.write(data)
        await self._writable.wait()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        """Wait with more."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Read what belongs to the answer; hang up on anything else."""
        if not self._asking or self.done:
            self._spoil()
            return
        self.heard = True
        self._unread_bytes += len(data)
        if self._unread_bytes > _UNREAD_BYTES_MAX + len(data):
            self._break("a header without end")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            if self.done:
                self._spoil()
            else:
                self._break(str(fault) or "another protocol")
        if self._spoiled:
            self._spoil()

    def connection_lost(self, exc: Exception | None) -> None:
        """End an answer that ends with its connection; any other is broken."""
        self.lost = True
        self._writable.set()
        if self._asking and not self.done:
            if exc is None and not self._in_head and not self._delimited:
                self._finish()
            else:
                self._break("the upstream hung up")
        # Both hold us: what nobody reads any more would stay until Python looks for garbage.
        self._transport, self._parser = None, cast(Any, None)

    # What the parser tells.

    def on_message_begin(self) -> None:
        """Notice a second answer."""
        self._unread_bytes = 0
        self._spoiled |= self.done

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field; trailers are dropped."""
        self._unread_bytes = 0
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEADER_BYTES_MAX:
            raise UpstreamBroke("too many header fields")
        if self._in_head and not self.done:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Tell that the head is there, unless it is an interim one."""
        if self.done:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self.headers = []
            return
        self._in_head = False
        self._frame()
        self._head.set_result(None)
        if self._bodyless:
            self._finish()

    def on_body(self, part: bytes) -> None:
        """Keep a part, and ask for no more while much is waiting."""
        self._unread_bytes = 0
        if self.done:
            return
        self._parts.append(part)
        self._size += len(part)
        self._told.set()
        if self._size > BUFFERED_BYTES_MAX and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Tell that the answer is whole."""
        if not self._in_head and not self.done:
            self._keeps_alive = self._parser.should_keep_alive()
            self._finish()

    def _frame(self) -> None:
        """See how the body ends; lengths that contradict each other are not read at all."""
        lengths = [value for name, value in self.headers if name == b"content-length"]
        codings = [value for name, value in self.headers if name == b"transfer-encoding"]
        chunked = [value.strip().lower() for value in codings] == [b"chunked"]
        if len(lengths) > 1 or (codings and (lengths or not chunked)):
            raise UpstreamBroke("no usable length")
        self._delimited = bool(lengths) or chunked or self.status in _NO_BODY

    def _finish(self) -> None:
        self.done = True
        self._told.set()

    def _spoil(self) -> None:
        self._spoiled = True
        self.close()

    def _break(self, why: str) -> None:
        self._fault = UpstreamBroke(why)
        self._told.set()
        if not self._head.done():
            self._head.set_exception(self._fault)
            self._head.exception()  # Nobody may be waiting: then it is not an error of ours.
        self.close()
