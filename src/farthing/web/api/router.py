"""From a request to its endpoint: route, authenticate, read, answer. Raw ASGI, one table."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from farthing.core.owners import Principal, Scope
from farthing.errors import FarthingError, Forbidden, Malformed, Missing, TooLarge, Unauthenticated
from farthing.protocols.message_signatures import SignedMessage
from farthing.services.desk import Desk
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.asgi import RawHeaders, Receive, Send
from farthing.web.asgi import Scope as AsgiScope
from farthing.web.problems import Answer, HttpProblem, problem_answer, send_answer

LOCAL = "farthing.local"
"""Set in the scope by the hub's own socket, which only the operator can open."""

OPERATOR = Principal("operator", "", frozenset({Scope.OPERATOR}))
_SEGMENT = re.compile(r"[A-Za-z0-9_.:~-]{1,200}", re.ASCII)
_QUERY_MAX = 4096


class Router:
    """Serve a table of endpoints."""

    def __init__(self, desk: Desk, endpoints: Sequence[Endpoint]) -> None:
        self._desk = desk
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._shaped: dict[int, list[tuple[list[str], dict[str, Endpoint]]]] = {}
        for endpoint in endpoints:
            self._add(endpoint)

    def _add(self, endpoint: Endpoint) -> None:
        if "{" not in endpoint.path:
            self._exact.setdefault(endpoint.path, {})[endpoint.method] = endpoint
            return
        parts = endpoint.path.split("/")
        shaped = self._shaped.setdefault(len(parts), [])
        for known, methods in shaped:
            if known == parts:
                methods[endpoint.method] = endpoint
                return
        shaped.append((parts, {endpoint.method: endpoint}))

    def serves(self, path: str) -> bool:
        """Tell whether any endpoint has this path."""
        return self._find(path) is not None

    def _find(self, path: str) -> tuple[dict[str, Endpoint], dict[str, str]] | None:
        if path in self._exact:
            return self._exact[path], {}
        parts = path.split("/")
        for shape, methods in self._shaped.get(len(parts), ()):
            values = _match(shape, parts)
            if values is not None:
                return methods, values
        return None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        head = scope["method"] == "HEAD"
        try:
            call = await self._read(scope, receive, send)
            reply = await call.endpoint.handler(call)
        except FarthingError as error:
            await send_answer(send, problem_answer(error, _challenge(error)), head=head)
            return
        if reply is not None:
            await send_answer(send, _written(reply, call.endpoint), head=head)

    async def _read(self, scope: AsgiScope, receive: Receive, send: Send) -> Call:
        path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or scope["path"]
        found = self._find(path)
        if found is None:
            raise Missing("no-such-path", "see /openapi.json for what this hub serves")
        methods, values = found
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = methods.get(method)
        if endpoint is None:
            raise HttpProblem(405, "method-not-allowed", f"allowed: {', '.join(sorted(methods))}")
        headers = _headers(scope["headers"])
        raw = await _body(receive, headers, self._desk.config.server.body_bytes_max)
        query = _query(scope.get("query_string", b""))
        principal = await self._who(scope, endpoint, headers, raw)
        client = scope.get("client") or ("local", 0)
        return Call(self._desk, endpoint, principal, values, query, headers, raw, send, client[0])

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
            return await self._desk.access.by_signature(_message(scope, headers, raw))
        raise Unauthenticated("key-missing", "send Authorization: Bearer and an API key")


def _match(shape: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for known, part in zip(shape, parts, strict=True):
        if known.startswith("{"):
            text = unquote(part)
            if _SEGMENT.fullmatch(text) is None:
                return None
            values[known[1:-1]] = text
        elif known != part:
            return None
    return values


def _headers(raw: RawHeaders) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _query(raw: bytes) -> dict[str, str]:
    if len(raw) > _QUERY_MAX:
        raise HttpProblem(414, "query-too-long", f"a query has at most {_QUERY_MAX} bytes")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            max_num_fields=20,
            errors="strict",
        )
    except ValueError:
        raise Malformed("malformed-query", "the query cannot be read") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Malformed("malformed-query", "a name stands twice in the query")
    if any("\0" in value for value in query.values()):
        raise Malformed("malformed-query", "NUL is not allowed in text")
    return query


async def _body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpProblem(415, "content-encoding", "send the body without content encoding")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("body-truncated", "the body ended early")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge("body-too-large", f"a body has at most {limit} bytes here")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _message(scope: AsgiScope, headers: Mapping[str, str], raw: bytes) -> SignedMessage:
    query = scope.get("query_string", b"").decode("latin-1")
    path = scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1") or scope["path"]
    return SignedMessage(
        method=scope["method"],
        authority=scope.get("farthing.authority") or headers.get("host", ""),
        target=f"{path}?{query}" if query else path,
        headers=headers,
        body=raw,
    )


def _challenge(error: FarthingError) -> list[tuple[str, str]]:
    if isinstance(error, Unauthenticated):
        return [("www-authenticate", 'Bearer realm="farthing"')]
    if isinstance(error, HttpProblem) and error.answer_status == 405:
        return [("allow", error.detail.removeprefix("allowed: "))]
    return []


def _written(reply: Reply, endpoint: Endpoint) -> Answer:
    body: Any = reply.body
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    fields: RawHeaders = [
        (b"content-type", endpoint.media.encode()),
        (b"content-length", str(len(raw)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    if not any(name == b"cache-control" for name, _ in reply.headers):
        fields.append((b"cache-control", b"no-store"))
    return Answer(reply.status, [*fields, *reply.headers], raw)


def require(condition: bool, what: str) -> None:
    """Stop a request that the endpoint's own rules do not allow.

    Raises: Forbidden.
    """
    if not condition:
        raise Forbidden("not-allowed", what)
