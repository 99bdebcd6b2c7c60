"""uvicorn's HTTP parser, with what ASGI cannot show refused before an app sees it.

ASGI hands on only the path of an absolute-form target, and bounds no headers; uvicorn takes what
follows a body for headers, and loses the body of a request that asks for another protocol. Use it
as `uvicorn.run(app, http=StrictHttp)`.
"""

import asyncio
from collections import Counter
from http import HTTPStatus
from typing import ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from farthing.errors import FarthingError, Malformed
from farthing.web.corked import Corked
from farthing.web.incoming import HEADER_BYTES_MAX, TARGET
from farthing.web.problems import HttpProblem, problem_answer

URL_BYTES_MAX = 16 * 1024
UNREAD_BYTES_MAX = 2 * HEADER_BYTES_MAX
"""How much may come in without the parser telling anything of it; it keeps one header whole."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class StrictHttp(HttpToolsProtocol):
    """Bounds the head of a request in bytes and time, and tells the app the target as sent."""

    head_seconds: ClassVar[float] = 30.0
    """How long a head may take; a connection that asks for nothing is kept no longer either."""

    open_now: ClassVar[int] = 0
    refused: ClassVar[Counter[int]] = Counter()
    """Connections now, and refusals that no app has seen, of all servers of this process."""

    _head_bytes = 0
    _unread_bytes = 0
    _in_head = False
    _head_since: float | None = None
    _watch: asyncio.TimerHandle | None = None
    _refusal: FarthingError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send heads together with bodies, and start to watch for a head that never ends."""
        StrictHttp.open_now += 1
        super().connection_made(cast(asyncio.Transport, Corked(transport, self.loop)))
        self._head_since = self.loop.time()
        self._watch = self.loop.call_later(self.head_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        StrictHttp.open_now -= 1
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bound what the parser keeps: a header, trailer or chunk extension without end."""
        self._unread_bytes += len(data)
        if self._unread_bytes > UNREAD_BYTES_MAX + len(data):
            self._refusal = _too_large()
            self.send_400_response("")
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Start counting anew for each request of a connection."""
        self._head_bytes = self._unread_bytes = 0
        self._in_head = True
        self._head_since = self.loop.time()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the target's bytes."""
        if len(self.url) + len(url) > URL_BYTES_MAX:
            self._refuse(HttpProblem(414, "target-too-long", "the request target is too long"))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the header's bytes; what comes after the body is no header, and is dropped."""
        self._unread_bytes = 0
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEADER_BYTES_MAX:
            self._refuse(_too_large())
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note the target for the app, which refuses anything but a path."""
        self._head_since = None
        self._in_head = False
        upgrading = self.parser is not None and self.parser.should_upgrade()
        if upgrading and any(name in _FRAMING for name, _ in self.headers):
            detail = "ask for another protocol without a body; or stay with HTTP/1.1"
            self._refuse(Malformed("bad-framing", detail))
        self.scope[TARGET] = self.url  # type: ignore[literal-required]
        limit = self.limit_concurrency  # uvicorn answers by itself where there are too many.
        if limit is not None and max(len(self.connections), len(self.tasks)) >= limit:
            StrictHttp.refused[503] += 1
        super().on_headers_complete()
        if upgrading:
            self.cycle.keep_alive = False  # Nobody knows what the client speaks from here on.

    def on_body(self, body: bytes) -> None:
        """Count anew."""
        self._unread_bytes = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says it better
        """Answer a request that cannot be read with a problem, and hang up."""
        problem = self._refusal or Malformed("bad-request", "this is not a valid HTTP/1.1 request")
        answer = problem_answer(problem)
        StrictHttp.refused[answer.status] += 1
        phrase = HTTPStatus(answer.status).phrase
        lines = [b"HTTP/1.1 %d %b" % (answer.status, phrase.encode())]
        lines += [b"%b: %b" % field for field in answer.headers]
        lines += [b"connection: close", b"", answer.body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def _look(self) -> None:
        """Hang up on who has not finished a head in time; one timer for each connection."""
        cycle = cast(RequestResponseCycle | None, self.cycle)  # None before the first request.
        serving = cycle is not None and not cycle.response_complete
        if serving or self._head_since is None:
            self._head_since = None if serving else self.loop.time()
            self._watch = self.loop.call_later(self.head_seconds, self._look)
            return
        left = self.head_seconds - (self.loop.time() - self._head_since)
        if left > 0:
            self._watch = self.loop.call_later(left, self._look)
            return
        detail = f"send the head of a request within {self.head_seconds:g} seconds"
        self._refusal = HttpProblem(408, "head-too-slow", detail)
        self.send_400_response("")

    def _refuse(self, problem: FarthingError) -> None:
        self._refusal = problem
        raise problem


def _too_large() -> HttpProblem:
    return HttpProblem(431, "headers-too-large", f"send at most {HEADER_BYTES_MAX} bytes")
