"""uvicorn's HTTP parser, with what ASGI cannot show refused before an app sees it.

ASGI hands on only the path of an absolute-form target, and bounds no headers. Use it as
`uvicorn.run(app, http=StrictHttp)`.
"""

import asyncio
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from farthing.errors import FarthingError, Malformed
from farthing.web.corked import Corked
from farthing.web.incoming import HEADER_BYTES_MAX, TARGET
from farthing.web.problems import HttpProblem, problem_answer

URL_BYTES_MAX = 16 * 1024


class StrictHttp(HttpToolsProtocol):
    """Bounds the head of a request, and tells the app the target as it was sent."""

    _head_bytes = 0
    _refusal: FarthingError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send heads together with bodies."""
        super().connection_made(cast(asyncio.Transport, Corked(transport, self.loop)))

    def on_message_begin(self) -> None:
        """Start counting anew for each request of a connection."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the target's bytes."""
        if len(self.url) + len(url) > URL_BYTES_MAX:
            self._refuse(HttpProblem(414, "target-too-long", "the request target is too long"))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the header's bytes."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEADER_BYTES_MAX:
            detail = f"send at most {HEADER_BYTES_MAX} bytes"
            self._refuse(HttpProblem(431, "headers-too-large", detail))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note the target for the app, which refuses anything but a path."""
        self.scope[TARGET] = self.url  # type: ignore[literal-required]
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says it better
        """Answer a request that cannot be read with a problem, and hang up."""
        problem = self._refusal or Malformed("bad-request", "this is not a valid HTTP/1.1 request")
        answer = problem_answer(problem)
        phrase = HTTPStatus(answer.status).phrase
        lines = [b"HTTP/1.1 %d %b" % (answer.status, phrase.encode())]
        lines += [b"%b: %b" % field for field in answer.headers]
        lines += [b"connection: close", b"", answer.body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def _refuse(self, problem: FarthingError) -> None:
        self._refusal = problem
        raise problem
