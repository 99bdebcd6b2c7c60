"""A streaming reverse proxy: bodies of any size in both directions, nothing buffered; WebSockets.

The upstream's answers are input like any other: redirects are passed on, not followed; cookies
are nobody's; bodies stay as they are encoded. The request goes to the one upstream that was
configured, with exactly the path that was priced.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import httpx

from farthing.errors import BadConfig, FarthingError
from farthing.services.watch import UNWATCHED, Watch
from farthing.web.asgi import RawHeaders, Receive, Scope, Send, raw_headers
from farthing.web.body import ClientGone
from farthing.web.hops import backward, onward
from farthing.web.incoming import Incoming, is_websocket, read_request
from farthing.web.problems import HttpProblem, problem_answer, send_answer
from farthing.web.proxied_socket import GOING_AWAY
from farthing.web.socket_proxy import SOCKETS_MAX, SocketProxy
from farthing.web.trust import Trust
from farthing.web.unpaid import refuse_websocket
from farthing.web.upstream import Asked, Upstream, upstream_faults
from farthing.web.upstream_socket import MESSAGE_BYTES_MAX, STALL_SECONDS


class ReverseProxy:
    """An ASGI app that answers with what an upstream answers.

    Units:  `head_seconds` bounds the wait for a response head, counted from the last byte of the
            request; `idle_seconds` the silence within a body (an event stream may be silent long);
            `socket_message_bytes_max` a message of a WebSocket, of which `sockets_max` are open
            and may take nothing for `stall_seconds`.
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
        socket_message_bytes_max: int = MESSAGE_BYTES_MAX,
        sockets_max: int = SOCKETS_MAX,
        stall_seconds: float = STALL_SECONDS,
        trust: Trust | None = None,
        watch: Watch = UNWATCHED,
    ) -> None:
        url = _upstream(upstream)
        self._netloc, self._origin = url.netloc, b"%b://%b" % (url.raw_scheme, url.netloc)
        self._prefix = url.raw_path.rstrip(b"/")
        self._head_seconds = head_seconds
        self._preserve_host = preserve_host
        self._trust, self._watch = trust or Trust(), watch
        self._upstream = Upstream(
            url,
            connect_seconds=connect_seconds,
            idle_seconds=idle_seconds,
            connections_max=connections_max,
        )
        self._sockets = SocketProxy(
            self._upstream,
            self._onward,
            self._backward,
            trust=self._trust,
            watch=watch,
            head_seconds=head_seconds,
            message_bytes_max=socket_message_bytes_max,
            sockets_max=sockets_max,
            stall_seconds=stall_seconds,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        head = scope.get("method") == "HEAD"
        try:
            request = read_request(scope)
            if scope["type"] == "websocket":
                await self._sockets(request, self._target(request), scope, receive, send)
                return
            if is_websocket(request):
                raise HttpProblem(501, "websocket-refused", "this is no handshake of a WebSocket")
            with self._watch.step("upstream"):
                asked = await self._ask(request, receive)
        except FarthingError as problem:
            answer = problem_answer(problem)
            if scope["type"] == "websocket":
                await refuse_websocket(scope, receive, send, answer)
            else:
                await send_answer(send, answer, head=head)
            return
        await self._pass_on(asked, receive, send)

    async def aclose(self) -> None:
        """Close the connections to the upstream."""
        self._sockets.close(GOING_AWAY)
        await self._upstream.aclose()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                await self.aclose()
                return

    def _target(self, request: Incoming) -> str:
        return self._prefix.decode("ascii") + request.target

    def _onward(self, request: Incoming) -> RawHeaders:
        trace = raw_headers(self._watch.carried())
        return onward(request, self._netloc, self._trust, trace, preserve_host=self._preserve_host)

    def _backward(self, headers: RawHeaders) -> RawHeaders:
        return backward(headers, self._origin, self._prefix)

    async def _ask(self, request: Incoming, receive: Receive) -> Asked:
        """Send the request on, and wait for the head of the answer.

        Raises: HttpProblem with 502, 503 or 504; ClientGone.
        """
        headers = self._onward(request)
        deadline = asyncio.timeout(self._head_seconds)
        body = None if request.length == 0 else _body(receive, deadline, self._head_seconds)
        with upstream_faults(self._head_seconds):
            async with deadline:
                if body is not None and request.length is None:
                    body = await _unless_empty(body)
                    headers += [] if body is None else [(b"transfer-encoding", b"chunked")]
                asked = await self._upstream.ask(
                    request.method, self._target(request).encode("ascii"), headers, body
                )
        if not 200 <= asked.status < 600:
            await asked.aclose()
            raise HttpProblem(502, "upstream-failed", "the service's answer has no usable status")
        return asked

    async def _pass_on(self, asked: Asked, receive: Receive, send: Send) -> None:
        """Stream an answer to the client, and let the upstream go when the client leaves."""
        copying = asyncio.create_task(self._copy(asked, send))
        leaving = asyncio.create_task(_until_gone(asked, receive))
        try:
            await asyncio.wait({copying, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if copying.done():
                await copying
        finally:
            for task in (copying, leaving):
                task.cancel()
            await asyncio.gather(copying, leaving, return_exceptions=True)
            await asked.aclose()

    async def _copy(self, asked: Asked, send: Send) -> None:
        headers = self._backward(asked.headers)
        await send({"type": "http.response.start", "status": asked.status, "headers": headers})
        async with contextlib.aclosing(asked.parts()) as parts:
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _body(
    receive: Receive, deadline: asyncio.Timeout, seconds: float
) -> AsyncGenerator[bytes]:
    """Give a request's body as it comes in; each part gives the upstream its time anew."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        more = message.get("more_body", False)
        with contextlib.suppress(RuntimeError):  # The answer may have begun already.
            deadline.reschedule(asyncio.get_running_loop().time() + seconds)
        if part := message.get("body", b""):
            yield part


async def _unless_empty(body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes] | None:
    """Give a body of unknown length, or None when it turns out that there is none."""
    first = await anext(body, None)
    return None if first is None else _after(first, body)


async def _after(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for part in rest:
        yield part


async def _until_gone(asked: Asked, receive: Receive) -> None:
    with contextlib.suppress(ClientGone):
        await asked.sent()
        while (await receive())["type"] != "http.disconnect":
            pass


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
