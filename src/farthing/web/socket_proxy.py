"""The WebSockets of a reverse proxy: which may open, and what the service says to a handshake."""

import asyncio
from collections.abc import Callable

import h11
from wsproto import events

from farthing.errors import Malformed
from farthing.services.watch import Watch
from farthing.sharing import Room
from farthing.web.asgi import RawHeaders, Receive, Scope, Send
from farthing.web.guard import no_room
from farthing.web.incoming import Incoming
from farthing.web.metered_run import SCOPE_COUNT
from farthing.web.problems import Answer, HttpProblem
from farthing.web.proxied_socket import ProxiedSocket
from farthing.web.trust import Trust
from farthing.web.unpaid import refuse_websocket
from farthing.web.upstream import Upstream, upstream_faults
from farthing.web.upstream_socket import LOST, MESSAGE_BYTES_MAX, STALL_SECONDS, UpstreamSocket

SOCKETS_MAX = 1000

_OF_THIS_HOP = b"sec-websocket-"
"""How the names begin of what two ends of one connection agree on."""


class SocketProxy:
    """Opens a WebSocket to the upstream for each that a client opens.

    Units: `head_seconds` bounds the wait for the answer to a handshake, `stall_seconds` how long
           the service may take nothing of what is sent.
    Shape: `onward` gives the fields of a request as the upstream gets them, the host first, and
           `backward` those of an answer as the client does.
    """

    def __init__(
        self,
        upstream: Upstream,
        onward: Callable[[Incoming], RawHeaders],
        backward: Callable[[RawHeaders], RawHeaders],
        *,
        trust: Trust,
        watch: Watch,
        head_seconds: float = 30.0,
        stall_seconds: float = STALL_SECONDS,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
        sockets_max: int = SOCKETS_MAX,
    ) -> None:
        self._upstream, self._onward, self._backward = upstream, onward, backward
        self._trust, self._watch, self._head_seconds = trust, watch, head_seconds
        self._message_bytes_max, self._stall_seconds = message_bytes_max, stall_seconds
        self._room = Room(sockets_max)
        self._open: set[UpstreamSocket] = set()

    async def __call__(
        self, request: Incoming, target: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Carry one WebSocket from its handshake to its end.

        Raises: FarthingError before it opens; UpstreamBroke after.
        """
        if SCOPE_COUNT in scope:
            raise HttpProblem(
                501, "websocket-refused", "what a service counts itself is told in HTTP alone"
            )
        who = self._trust.address(request)
        verdict = self._room.take(who)
        if verdict:
            raise no_room(verdict, "too many WebSockets are open")
        try:
            with self._watch.step("upstream"):
                socket = await self._connect(request, target)
            self._open.add(socket)
            try:
                await self._serve(socket, scope, receive, send)
            finally:
                self._open.discard(socket)
        finally:
            self._room.give(who)

    def close(self, code: int) -> None:
        """Close the sockets to the upstream."""
        for socket in self._open:
            socket.close(code)

    async def _connect(self, request: Incoming, target: str) -> UpstreamSocket:
        handshake = self._handshake(request, target)
        try:
            socket = UpstreamSocket(
                handshake,
                message_bytes_max=self._message_bytes_max,
                stall_seconds=self._stall_seconds,
            )
        except (h11.LocalProtocolError, UnicodeError):
            raise Malformed("bad-request", "this handshake cannot be passed on") from None
        return await self._upstream.connect(lambda: socket)

    async def _serve(
        self, socket: UpstreamSocket, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            opened = await self._opened(socket)
            if isinstance(opened, Answer):
                await refuse_websocket(scope, receive, send, self._refusal(opened))
                return
            await receive()
            await send(
                {
                    "type": "websocket.accept",
                    "subprotocol": opened.subprotocol,
                    "headers": self._of_answer(opened.extra_headers),
                }
            )
        except BaseException:
            socket.close(LOST)
            raise
        await ProxiedSocket(socket, receive, send)()

    async def _opened(self, socket: UpstreamSocket) -> events.AcceptConnection | Answer:
        """Wait for what the upstream says to the handshake.

        Raises: HttpProblem with 502 or 504.
        """
        with upstream_faults(self._head_seconds):
            async with asyncio.timeout(self._head_seconds):
                return await socket.opened()

    def _refusal(self, answer: Answer) -> Answer:
        """Pass a refusal on.

        Shape:  only from 400 on: else what a page costs could be read by asking for a socket.
        Raises: HttpProblem with 502.
        """
        if not 400 <= answer.status < 600:
            raise HttpProblem(
                502, "upstream-failed", "the service behind this proxy opens no WebSocket here"
            )
        length = (b"content-length", b"%d" % len(answer.body))
        return Answer(answer.status, [*self._of_answer(answer.headers), length], answer.body)

    def _of_answer(self, headers: RawHeaders) -> RawHeaders:
        kept = self._backward(headers)
        dropped = (b"content-length",)
        return [
            field
            for field in kept
            if field[0] not in dropped and not field[0].startswith(_OF_THIS_HOP)
        ]

    def _handshake(self, request: Incoming, target: str) -> events.Request:
        (_, host), *fields = self._onward(request)
        return events.Request(
            host=host.decode("ascii"),
            target=target,
            subprotocols=list(request.scope.get("subprotocols", ())),
            extra_headers=[field for field in fields if not field[0].startswith(_OF_THIS_HOP)],
        )
