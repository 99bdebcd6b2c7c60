"""From a request to its endpoint: route, authenticate, read, answer. Raw ASGI, one table."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import structlog

from farthing.clock import NS
from farthing.core.owners import Principal, Scope
from farthing.errors import (
    FarthingError,
    Forbidden,
    InvariantBroken,
    Missing,
    Unauthenticated,
    present,
)
from farthing.services.desk import Desk
from farthing.sharing import Room
from farthing.web.api import voucher_socket
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.rates import Rates
from farthing.web.api.reading import read_body, read_headers, read_query
from farthing.web.api.routes import Routes
from farthing.web.api.signed_request import authority_of, message_of, raw_path
from farthing.web.api.telling import Telling, challenge, note, written
from farthing.web.asgi import Message, Receive, Send
from farthing.web.asgi import Scope as AsgiScope
from farthing.web.body import check_digest
from farthing.web.guard import Intake
from farthing.web.incoming import read_envelope
from farthing.web.plain_head import PlainHead
from farthing.web.problems import (
    Answer,
    HttpProblem,
    problem_answer,
    send_answer,
)
from farthing.web.unpaid import refuse_websocket

log = structlog.get_logger()

LOCAL = "farthing.local"
"""Set in the scope by the hub's own socket, which only the operator can open."""

OPERATOR = Principal("operator", "", frozenset({Scope.OPERATOR}))


class Router:
    """Serve a table of endpoints.

    Shape: `room` is for the bodies of requests that are being answered; `refuse` writes the answer
           to what is refused, a problem where nothing else is said.
    """

    def __init__(
        self,
        desk: Desk,
        endpoints: Sequence[Endpoint],
        room: Room | None = None,
        refuse: "Refuse | None" = None,
    ) -> None:
        self._desk, self._refuse = desk, refuse or _problem
        self._room = room or Room(desk.config.limits.requests_bytes_max)
        self._authority = authority_of(desk.config.server.public_url)
        self._rates = Rates(desk.config, lambda: desk.ctx.clock() / NS)
        self._routes = Routes(endpoints)

    def serves(self, path: str) -> bool:
        """Tell whether any endpoint has this path."""
        return self._routes.find(path) is not None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; whatever goes wrong, with a problem."""
        with (
            self._desk.ctx.watch.request(scope["headers"]) as seen,
            Intake(self._room) as intake,
        ):
            await self._serve(scope, receive, Telling(send, seen), intake)

    async def socket(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket: vouchers alone come over one.

        Shape: who asks is known by the key in the request's head, as over HTTP; a page of
               somebody else's in a browser is refused by its origin.
        """
        watch = self._desk.ctx.watch.request(scope["headers"])
        with watch as seen:
            seen.named("draw_by_socket")
            try:
                principal, address = await self._socket_of(scope)
                with self._desk.streams.place(principal.owner if principal else "", address):
                    await receive()
                    seen.answered(101)
                    one = voucher_socket.VoucherSocket(self._desk, self._rates, scope, principal)
                    await one(receive, send)
            except FarthingError as error:
                problem = self._rates.counted(scope, error)
                answer = problem_answer(problem, challenge(problem))
                seen.answered(answer.status)
                await refuse_websocket(scope, receive, send, answer)

    async def _socket_of(self, scope: AsgiScope) -> tuple[Principal | None, str]:
        local = bool(scope.get(LOCAL))
        if not local:
            read_envelope({**scope, "method": "GET"}, [(n.lower(), v) for n, v in scope["headers"]])
        headers = read_headers(scope["headers"])
        if raw_path(scope) != voucher_socket.PATH:
            raise Missing("no-such-path", "vouchers are sent to /v1/vouchers")
        read_query(scope.get("query_string", b""), {})
        self._check_origin(headers.get("origin", ""))
        address = "" if local else self._rates.address(scope)
        if local:
            return OPERATOR, address
        authorization = headers.get("authorization", "")
        if not authorization:
            return None, address
        kind, _, secret = authorization.partition(" ")
        if kind.lower() != "bearer":
            raise Unauthenticated("key-missing", "send Authorization: Bearer and an API key")
        return await self._desk.access.by_key(secret.strip()), address

    def _check_origin(self, origin: str) -> None:
        """Refuse a browser's page that is not the hub's own.

        Source: RFC 6455, section 10.2; ASVS 4.4.2.
        """
        if origin and origin.partition("://")[2].lower() != (self._authority or None):
            raise Forbidden("foreign-origin", "a page of another origin opens no socket here")

    async def _serve(
        self, scope: AsgiScope, receive: Receive, telling: Telling, intake: Intake
    ) -> None:
        head = scope["method"] == "HEAD"
        try:
            call = await self._read(scope, receive, telling, intake)
            if head and call.endpoint.streams:
                await send_answer(telling, written(Reply(b""), call.endpoint), head=True)
                return
            answer = await _answered(call)
        except Exception as fault:
            if telling.begun:  # It cannot be taken back: the server cuts the answer off.
                raise self._wrong(scope, fault) from fault
            answer = self._refusal(scope, fault)
        if answer is not None:
            await send_answer(telling, answer, head=head)

    def takes(self, path: str, length: int) -> bool:
        """Tell whether a plain request to this path, with so long a body, is answered at once.

        Shape: it is where anybody may ask, and the answer is given whole.
        """
        endpoint = self._routes.quick.get(path)
        return endpoint is not None and length <= self._body_bytes_max(endpoint)

    async def answer(self, head: PlainHead, body: bytes, client: Any) -> Answer:
        """Answer a plain request as its endpoint does, without ASGI in between."""
        endpoint = self._routes.quick[head.path]
        scope = {"method": "POST", "raw_path": head.path.encode(), "client": client}
        with self._desk.ctx.watch.request(head.fields) as seen:
            seen.named(endpoint.name)
            try:
                who = self._rates.take(scope, None)
                call = Call(
                    self._desk, endpoint, None, _NONE, _NONE, head.headers, body,
                    _nothing_more, _nothing_more, who, who,
                )  # fmt: skip
                reply = present(await endpoint.handler(call), "a short way's endpoint replies")
                answer = written(reply, endpoint)
            except Exception as fault:
                answer = self._refusal(scope, fault)
            seen.answered(answer.status)
            return answer

    def _body_bytes_max(self, endpoint: Endpoint) -> int:
        return max(self._desk.config.server.body_bytes_max, endpoint.body_bytes_max)

    def _refusal(self, scope: AsgiScope, fault: Exception) -> Answer:
        error = self._wrong(scope, fault)  # Not kept by who caught it: it would keep them.
        return self._refuse(scope, error)

    def _wrong(self, scope: AsgiScope, fault: Exception) -> FarthingError:
        """Give what is answered of a fault, and tell the log what the operator has to know."""
        if not isinstance(fault, FarthingError):
            # As text, for a prettier traceback may show the values of variables, keys included.
            log.error("request.failed", path=raw_path(scope), trace=traceback.format_exc())
            return InvariantBroken("internal-error")
        error = self._rates.counted(scope, fault)
        note(scope, error)
        return error

    async def _read(
        self, scope: AsgiScope, receive: Receive, send: Telling, intake: Intake
    ) -> Call:
        if not scope.get(LOCAL):
            read_envelope(scope, [(name.lower(), value) for name, value in scope["headers"]])
        path = raw_path(scope)
        found = self._routes.find(path)
        if found is None:
            raise Missing("no-such-path", "see /openapi.json for what this hub serves")
        methods, values = found
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = methods.get(method)
        if endpoint is None:
            allowed = sorted(set(methods) | ({"HEAD"} if "GET" in methods else set[str]()))
            raise HttpProblem(405, "method-not-allowed", f"allowed: {', '.join(allowed)}")
        send.seen.named(endpoint.name)
        headers = read_headers(scope["headers"])
        intake.who = "" if scope.get(LOCAL) else self._rates.address(scope)
        raw = await read_body(receive, headers, self._body_bytes_max(endpoint), intake.add)
        check_digest([headers.get("content-digest", "")], raw)
        query = read_query(scope.get("query_string", b""), endpoint.query)
        principal = await self._who(scope, endpoint, headers, raw)
        bearer = self._rates.take(scope, principal)
        return Call(
            self._desk,
            endpoint,
            principal,
            values,
            query,
            headers,
            raw,
            receive,
            send,
            bearer,
            intake.who,
        )

    async def _who(
        self, scope: AsgiScope, endpoint: Endpoint, headers: Mapping[str, str], raw: bytes
    ) -> Principal | None:
        if scope.get(LOCAL):
            return OPERATOR
        authorization = headers.get("authorization", "")
        if authorization:
            kind, _, secret = authorization.partition(" ")
            if kind.lower() != "bearer":
                raise Unauthenticated("key-missing", "send Authorization: Bearer and an API key")
            principal = await self._desk.access.by_key(secret.strip())
            if endpoint.scopes is not None:
                principal.need(*endpoint.scopes)
            return principal
        if endpoint.scopes is None:
            return None
        if endpoint.devices and "signature-input" in headers:
            return await self._desk.access.by_signature(
                message_of(scope, headers, raw, self._authority)
            )
        raise Unauthenticated("key-missing", "send Authorization: Bearer and an API key")


Refuse = Callable[[AsgiScope, FarthingError], Answer]


def _problem(_scope: AsgiScope, error: FarthingError) -> Answer:
    return problem_answer(error, challenge(error))


_NONE: Mapping[str, str] = MappingProxyType({})


async def _nothing_more(*_message: Message) -> Any:
    raise InvariantBroken("a plain request came whole")


async def _answered(call: Call) -> Answer | None:
    """Let the endpoint answer; one that lists things waits for its turn."""
    endpoint = call.endpoint
    if "limit" not in call.query and not (endpoint.lists and not endpoint.streams):
        reply = await endpoint.handler(call)
        return None if reply is None else written(reply, endpoint)
    async with call.desk.turns.turn(call.bearer):
        reply = await endpoint.handler(call)
        return None if reply is None else written(reply, endpoint)
