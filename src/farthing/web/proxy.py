"""A streaming reverse proxy: bodies of any size in both directions, nothing buffered.

The upstream's answers are input like any other: redirects are passed on, not followed; cookies
are nobody's; bodies stay as they are encoded. The request goes to the one upstream that was
configured, with exactly the path that was priced.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx

from farthing.errors import BadConfig, FarthingError
from farthing.services.watch import UNWATCHED, Watch
from farthing.web.asgi import RawHeaders, Receive, Scope, Send, raw_headers
from farthing.web.incoming import Incoming, is_websocket, read_request
from farthing.web.problems import HttpProblem, problem_answer, send_answer
from farthing.web.trust import Trust
from farthing.web.unpaid import refuse_websocket

log = logging.getLogger("farthing.proxy")

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_ENDING = frozenset({b"authorization", b"content-length", b"content-type", b"cookie", b"host"})
"""Fields that a `Connection` field cannot take out, as neither can it any `farthing-` one."""

_FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"}
)


class ReverseProxy:
    """An ASGI app that answers with what an upstream answers.

    Units:  `head_seconds` bounds the wait for a response head, counted from the last byte of the
            request; `idle_seconds` the silence within a body (an event stream may be silent long).
    Raises: BadConfig `bad-upstream`.
    """

    def __init__(
        self,
        upstream: str,
        *,
        head_seconds: float = 30.0,
        idle_seconds: float = 300.0,
        connect_seconds: float = 5.0,
        connections_max: int = 1000,
        preserve_host: bool = False,
        trust: Trust | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._url = _upstream(upstream)
        self._prefix = self._url.raw_path.rstrip(b"/")
        self._head_seconds = head_seconds
        self._preserve_host = preserve_host
        self._trust, self._watch = trust or Trust(), watch
        limits = httpx.Limits(max_connections=connections_max, max_keepalive_connections=100)
        self._transport = transport or httpx.AsyncHTTPTransport(
            trust_env=False, limits=limits, retries=0
        )
        self._timeouts = {
            "connect": connect_seconds,
            "read": idle_seconds,
            "write": idle_seconds,
            "pool": connect_seconds,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        head = scope.get("method") == "HEAD"
        try:
            request = read_request(scope)
            if scope["type"] == "websocket" or is_websocket(request):
                raise HttpProblem(501, "websocket-refused", "this proxy speaks plain HTTP only")
            with self._watch.step("upstream"):
                response = await self._ask(request, scope, receive)
        except FarthingError as problem:
            answer = problem_answer(problem)
            if scope["type"] == "websocket":
                await refuse_websocket(scope, receive, send, answer)
            else:
                await send_answer(send, answer, head=head)
            return
        if response is not None:
            await self._pass_on(response, receive, send, head=head)

    async def aclose(self) -> None:
        """Close the connections to the upstream."""
        await self._transport.aclose()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                await self.aclose()
                return

    async def _ask(
        self, request: Incoming, scope: Scope, receive: Receive
    ) -> httpx.Response | None:
        """Send the request on, and wait for the head of the answer; None when the client left.

        Raises: HttpProblem with 502, 503 or 504.
        """
        deadline = asyncio.timeout(self._head_seconds)
        body = _Body(receive, deadline, self._head_seconds, empty=request.length == 0)
        onward = httpx.Request(
            request.method,
            self._url,
            headers=self._headers(request, scope),
            stream=body,
            extensions={
                "timeout": self._timeouts,
                # httpx would spell the path its own way; the upstream gets the priced spelling.
                "target": self._prefix + request.target.encode("ascii"),
            },
        )
        try:
            async with deadline:
                response = await self._transport.handle_async_request(onward)
        except _Gone:
            return None
        except (TimeoutError, httpx.TimeoutException) as fault:
            raise self._too_late(fault) from None
        except httpx.TransportError as fault:
            if body.client_gone:
                return None
            log.warning("upstream failed: %s", type(fault).__name__)
            raise HttpProblem(
                502, "upstream-failed", "the service behind this proxy does not answer"
            ) from None
        if not 200 <= response.status_code < 600:
            await response.aclose()
            raise HttpProblem(502, "upstream-failed", "the service's answer has no usable status")
        return response

    def _too_late(self, fault: Exception) -> HttpProblem:
        log.warning("upstream timed out: %s", type(fault).__name__)
        if isinstance(fault, httpx.PoolTimeout):
            return HttpProblem(503, "upstream-busy", "too many requests wait; try again shortly")
        if isinstance(fault, httpx.ConnectTimeout):
            return HttpProblem(502, "upstream-failed", "the service behind this proxy is away")
        return HttpProblem(
            504, "upstream-too-late", "the service behind this proxy took too long to answer"
        )

    def _headers(self, request: Incoming, scope: Scope) -> RawHeaders:
        trace = raw_headers(self._watch.carried())
        dropped = _FORWARDED | _unhopped(request.headers, b"farthing-") | {b"host", b"expect"}
        dropped |= {name for name, _ in trace}
        kept = [(name, value) for name, value in request.headers if name not in dropped]
        host = request.host.encode("ascii")
        client = scope.get("client")
        onward = host if self._preserve_host and host else self._url.netloc
        fields: RawHeaders = [(b"host", onward), *kept, *trace]
        if request.length is None:
            fields.append((b"transfer-encoding", b"chunked"))
        if host:
            fields.append((b"x-forwarded-host", host))
        fields.append((b"x-forwarded-proto", self._trust.scheme(request).encode("ascii")))
        if client:
            fields.append((b"x-forwarded-for", str(client[0]).encode("ascii")))
        return fields

    async def _pass_on(
        self, response: httpx.Response, receive: Receive, send: Send, *, head: bool
    ) -> None:
        """Stream an answer to the client, and let the upstream go when the client leaves."""
        copying = asyncio.create_task(_copy(response, send, head=head))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({copying, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if copying.done():
                await copying
        finally:
            for task in (copying, leaving):
                task.cancel()
            await asyncio.gather(copying, leaving, return_exceptions=True)
            await response.aclose()


class _Gone(Exception):
    """The client left before its request was complete."""


class _Body(httpx.AsyncByteStream):
    """A request's body as it comes in; each part gives the upstream its time anew."""

    def __init__(
        self, receive: Receive, deadline: asyncio.Timeout, seconds: float, *, empty: bool
    ) -> None:
        self._receive = receive
        self._deadline = deadline
        self._seconds = seconds
        self._empty = empty
        self.client_gone = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = not self._empty
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.client_gone = True
                raise _Gone
            more = message.get("more_body", False)
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
            if part := message.get("body", b""):
                yield part


async def _copy(response: httpx.Response, send: Send, *, head: bool) -> None:
    # The server writes its own Date, and two would be one too many.
    dropped = _unhopped(response.headers.raw, b"") | {b"date"}
    headers = [(name, value) for name, value in _lower(response.headers.raw) if name not in dropped]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    if not head:
        stream: Any = response.stream
        async for part in stream:
            if part:
                await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _lower(headers: Any) -> RawHeaders:
    return [(name.lower(), value) for name, value in headers]


def _unhopped(headers: Any, ours: bytes) -> frozenset[bytes]:
    """Name the fields that end at this hop: the known ones, and those `Connection` names.

    Source: RFC 9110, section 7.6.1; a client cannot take out what we or the upstream rely on.
    """
    named: set[bytes] = set()
    for name, value in _lower(headers):
        if name == b"connection":
            named |= {part.strip().lower() for part in value.split(b",")}
    kept = {name for name in named if name in _ENDING or (ours and name.startswith(ours))}
    return _HOP_BY_HOP | (named - kept)


def _upstream(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        raise BadConfig("bad-upstream", f"{text!r} is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise BadConfig("bad-upstream", "an upstream is http(s)://host[:port][/path]")
    if url.userinfo:
        raise BadConfig("bad-upstream", "an upstream's URL carries no user or password")
    return url
