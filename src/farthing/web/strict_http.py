"""uvicorn's HTTP parser, with what ASGI cannot show refused before an app sees it.

ASGI hands on only the path of an absolute-form target, bounds no headers, and waits for ever for
who neither sends nor reads; uvicorn takes what follows a body for headers, and loses the body of
a request that asks for another protocol. Use it as `uvicorn.run(app, http=StrictHttp)`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, cast

import httptools

from farthing.errors import FarthingError, Malformed, Unavailable
from farthing.web.asgi import Receive, Scope, Send
from farthing.web.corked import Corked
from farthing.web.guard import no_room
from farthing.web.incoming import HEADER_BYTES_MAX, TARGET
from farthing.web.patience import Patient
from farthing.web.problems import Answer, HttpProblem, problem_answer, send_answer

URL_BYTES_MAX = 16 * 1024
FIELDS_MAX = 128
FIELD_COST = 200
"""About what a field costs in memory beyond its own bytes."""

FREE_BYTES = 4 * 1024
"""What a request may cost before it is counted; the number of connections bounds the rest."""

UNTOLD_BYTES_MAX = 2 * HEADER_BYTES_MAX
"""How much may come in without the parser telling anything of it; it keeps one header whole."""

LINGER_BYTES_MAX = 1024 * 1024
"""How much is taken, and dropped, of who still sends after a refusal."""

UNREAD_BYTES = 16 * 1024
"""What may wait in a connection before its answer has to wait for the client."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class StrictHttp(Patient):
    """Bounds requests in bytes and time, answers in time, and tells the app the target as sent."""

    open_now: ClassVar[int] = 0
    refused: ClassVar[Counter[int]] = Counter()
    """Connections now, and refusals that no app has seen, of all servers of this process."""

    _head_bytes = _fields = _untold = 0
    _in_head = False
    _held, _free = 0, FREE_BYTES
    _refusal: FarthingError | None = None
    _over = False
    left: Callable[[], None] | None = None
    """Told when the connection is no more."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # uvicorn would answer in plain text where there are too many.
        self._most, self.limit_concurrency = self.limit_concurrency, None

    # A connection comes, and goes.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Send heads together with bodies, and start to watch whether the client keeps up."""
        StrictHttp.open_now += 1
        transport.set_write_buffer_limits(high=UNREAD_BYTES)
        super().connection_made(cast(asyncio.Transport, Corked(transport, self.loop)))
        self._who = self.guard.who(self.client)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._let_go()
        if self.left is not None:
            self.left()
        super().connection_lost(exc)
        self._drop()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to another protocol, which has its own watch over it."""
        self._let_go()
        who = self._who
        super().handle_websocket_upgrade()
        taken_over: Any = cast(Corked, self.transport).get_protocol()
        taken_over.left, self.left = self.left, None
        taken_over.guard, taken_over.who = self.guard, who

    def _let_go(self) -> None:
        StrictHttp.open_now -= 1
        self.stop_waiting()
        self.guard.unread.over(self._who, self)
        self._give_back()

    # A request comes in.

    def data_received(self, data: bytes) -> None:
        """Read on, but bound what the parser keeps: a header, trailer or chunk extension without
        end. What comes after a refusal is not looked at.
        """
        self._untold += len(data)
        if self._over:
            if self._untold > LINGER_BYTES_MAX:
                self.give_up()
            return
        if self.parser is None:
            return
        if self._untold > UNTOLD_BYTES_MAX + len(data):
            self.cut(_too_large())
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Start counting anew; a request that comes before the last was answered is not read.

        Source: RFC 9112, 9.3.2: clients that pipeline ask again when the connection is closed.
        """
        if self.serves:
            self.cycle.keep_alive, self._over = False, True
            raise Malformed("bad-request", "one request at a time")
        self._head_bytes = self._fields = self._untold = 0
        self._in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the target's bytes."""
        if len(self.url) + len(url) > URL_BYTES_MAX:
            self._refuse(HttpProblem(414, "target-too-long", "the request target is too long"))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the header's fields and bytes; what comes after the body is no header, and is
        dropped.
        """
        self._untold = 0
        self._fields += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEADER_BYTES_MAX or self._fields > FIELDS_MAX:
            self._refuse(_too_large())
        self._hold(self._head_cost())
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note the target for the app, which refuses anything but a path."""
        self._in_head = False
        upgrading = self.parser is not None and self.parser.should_upgrade()
        if upgrading and any(name in _FRAMING for name, _ in self.headers):
            detail = "ask for another protocol without a body; or stay with HTTP/1.1"
            self._refuse(Malformed("bad-framing", detail))
        self.scope[TARGET] = self.url  # type: ignore[literal-required]
        served = self.app
        if self._most is not None and self._crowded(self._most):
            self.app = cast(Any, _busy)
        try:
            super().on_headers_complete()
        finally:
            self.app = served
        if upgrading and self.last_cycle is not None:
            self.cycle.keep_alive = False  # Nobody knows what the client speaks from here on.

    def on_body(self, body: bytes) -> None:
        """Count what comes, and what the app has not taken yet."""
        if self._over:
            return
        self._untold = 0
        super().on_body(body)
        try:
            self._hold(self._head_cost() + len(self.cycle.body))
        except FarthingError as problem:
            self.cut(problem)

    def _head_cost(self) -> int:
        return len(self.url) + self._head_bytes + self._fields * FIELD_COST

    def _hold(self, cost: int) -> None:
        """Take room for a request that has grown; its answer gives it back."""
        if cost <= self._free:
            return
        more = max(cost - self._free, FREE_BYTES)
        verdict = self.guard.requests.take(self._who, more)
        if verdict:
            self._refuse(no_room(verdict, "too many bytes are being read"))
        self._held += more
        self._free += more

    def _give_back(self) -> None:
        if self._held:
            self.guard.requests.give(self._who, self._held)
            self._held, self._free = 0, FREE_BYTES

    def _crowded(self, most: int) -> bool:
        return max(len(self.connections) - 1, len(self.tasks)) >= most

    # An answer goes out.

    def pause_writing(self) -> None:
        """Count an answer that is not read as fast as it is written."""
        super().pause_writing()
        self.guard.unread.wait(self._who, self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on writing to a client that reads."""
        self.guard.unread.over(self._who, self)
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Send it, and keep nothing of a request that was answered, however long it stays here.

        Shape: what the app has to put in order after its answer, nobody waits for.
        """
        cast(Corked, self.transport).flush()
        super().on_response_complete()
        self._give_back()
        self.cycle.body = bytearray()
        self.cycle.scope = self.scope = cast(Any, {})
        self.headers, self.url = [], b""
        if self._over:
            self.transport.close()

    # What is refused.

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says it better
        """Answer a request that cannot be read with a problem, and hang up."""
        self.cut(self._refusal or Malformed("bad-request", "this is not a valid HTTP/1.1 request"))

    def cut(self, problem: FarthingError) -> None:
        """Hang up, and say why where the word cannot be taken for another answer."""
        if self._over:
            return
        self._over = True
        answer = problem_answer(problem)
        StrictHttp.refused[answer.status] += 1
        if self._may_speak():
            self.transport.write(written(answer))
        if self.last_cycle is not None:
            self.cycle.disconnected = True  # Whatever the app still says, nobody hears it.
            self.cycle.message_event.set()
        self._drop()
        self.end()

    def _drop(self) -> None:
        """Keep nothing of what came: a refusal remembers where it was raised, and so all of it.

        Without this it would stay until Python looks for garbage, which it does seldom here.
        """
        self._refusal = None
        if self.last_cycle is not None:
            self.cycle.body = bytearray()

    def _may_speak(self) -> bool:
        if self._body_since is not None:
            return not self.cycle.response_started
        return not self.serves

    def _refuse(self, problem: FarthingError) -> None:
        self._refusal = problem
        try:
            raise problem
        finally:
            del problem  # Else frame and fault would hold each other, and all that was read.


def written(answer: Answer) -> bytes:
    """Write a whole answer after which the connection is closed."""
    phrase = HTTPStatus(answer.status).phrase
    lines = [b"HTTP/1.1 %d %b" % (answer.status, phrase.encode())]
    lines += [b"%b: %b" % field for field in answer.headers]
    return b"\r\n".join([*lines, b"connection: close", b"", answer.body])


def _too_large() -> HttpProblem:
    detail = f"send at most {HEADER_BYTES_MAX} bytes in {FIELDS_MAX} fields"
    return HttpProblem(431, "headers-too-large", detail)


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    """Answer in the app's place where too many ask at once."""
    answer = problem_answer(Unavailable("too-busy", "too many requests are being answered"))
    StrictHttp.refused[answer.status] += 1
    answer.headers.append((b"connection", b"close"))
    await send_answer(send, answer, head=scope["method"] == "HEAD")
