"""An endpoint, as the router, the authorisation and the OpenAPI document all see it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec

from farthing.codec import read_json
from farthing.core.decisions import Unit
from farthing.core.idempotency import Once, always, content_hash, idempotency_key
from farthing.core.owners import Principal, Scope
from farthing.core.places import place_of
from farthing.errors import Malformed, Unauthenticated
from farthing.misfits import misfit
from farthing.services.desk import Desk
from farthing.web.api.plain import read_plain
from farthing.web.asgi import RawHeaders, Receive, Send

T = TypeVar("T")
to_json = msgspec.json.encode
KEY_MAX = 128
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
"""Marks that turn the reading direction: a name with them can pose as another (UAX #9)."""

_CONTROL = {chr(code) for code in (*range(32), *range(127, 160), *_BIDI)}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: a value to write as JSON, or bytes; `media` is the endpoint's."""

    body: Any
    status: int = 200
    headers: RawHeaders = field(default_factory=list[tuple[bytes, bytes]])
    media: str = ""


@dataclass(slots=True)
class Call:
    """One request, read: who asks, for what, with what.

    Shape: `bearer` names who brought it: an owner, or the address of a stranger; `address` is
           empty for this machine.
    """

    desk: Desk
    endpoint: "Endpoint"
    principal: Principal | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    receive: Receive
    send: Send
    bearer: str
    address: str = ""

    @property
    def asker(self) -> Principal:
        """Who is asking.

        Raises: Unauthenticated.
        """
        if self.principal is None:
            raise Unauthenticated("key-missing", "send Authorization: Bearer and an API key")
        return self.principal

    @property
    def place(self) -> str:
        """The network that a device itself asks from; empty where somebody else brings its word."""
        brought = self.principal is not None and not self.principal.device
        return "" if brought else place_of(self.address)

    def body(self, kind: type[msgspec.Struct]) -> Any:
        """Read the body strictly as this type.

        Raises: Malformed, with the place of the first fault.
        """
        plain = read_plain(self.raw, kind)
        if plain is not None:
            return plain
        value = read_json(self.raw)
        _refuse_control(value)
        try:
            return msgspec.convert(value, kind, strict=True)
        except msgspec.ValidationError as fault:
            raise Malformed("invalid-body", str(misfit(kind, fault))) from None

    def key(self, who: str) -> tuple[bytes, bytes]:
        """Read the `Idempotency-Key`, scoped to `who` asks what, and hash what is asked.

        Shape:  the scoped key, empty if there is none, and the hash of path and body.
        Raises: Malformed `malformed-idempotency-key`.
        """
        key = self.headers.get("idempotency-key", "")
        if len(key) > KEY_MAX or not key.isprintable():
            raise Malformed("malformed-idempotency-key", f"at most {KEY_MAX} printable characters")
        if not key:
            return b"", b""
        scoped = idempotency_key(who, self.endpoint.method, self.endpoint.path, key)
        return scoped, content_hash(msgspec.json.encode(dict(self.path)), self.raw)

    async def once(
        self,
        unit: Unit[T],
        render: Callable[[T], Any],
        *,
        status: int = 200,
        secret: bool = False,
        final: Callable[[T], bool] = always,
        who: str = "",
    ) -> Reply:
        """Commit a unit, once per `Idempotency-Key` if the request has one.

        Shape: `who` is the principal where the request proves one without a key; `render` and
               `final` are functions that have a name, or such with arguments: the commit that
               calls them may be in another process.
        """
        scoped, content = self.key(who or self.asker.name)
        answer = await self.desk.ctx.books.commit_one(
            Once(unit, scoped, content, status, partial(_rendered, render), secret, final),
            who or self.asker.owner,
        )
        replayed = [(b"idempotent-replay", b"true")] if answer.answer.again else []
        return Reply(answer.answer.body, answer.answer.status, replayed)


def _rendered(render: Callable[[T], Any], answer: T) -> bytes:
    return to_json(render(answer))


Handler = Callable[[Call], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be asked.

    Shape: `scopes` None lets anybody ask; `devices` lets a device ask with its signature;
           a handler that answers None has sent its own answer; `streams` tells that it may;
           `body_bytes_max` is the least that its body may have, whatever the setting;
           `other_media` are types that it answers with when it is asked for them;
           `others` are the answers of further statuses that are no problems; `takes` is the
           JSON schema of a body that is read by its protocol's own rules, as no type of ours;
           `takes_media` is the type of a body that is no JSON;
           `told_apart_by` is what makes a request the same one again where no `Idempotency-Key`
           is looked at.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    scopes: tuple[Scope, ...] | None = ()
    devices: bool = False
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    media: str = "application/json"
    other_media: tuple[str, ...] = ()
    streams: bool = False
    body_bytes_max: int = 0
    others: Mapping[int, Any] = field(default_factory=dict[int, Any])
    takes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    takes_media: str = ""
    told_apart_by: str = ""

    @property
    def keyed(self) -> bool:
        """Whether it looks at an `Idempotency-Key`."""
        return self.method != "GET" and not self.told_apart_by

    @property
    def lists(self) -> bool:
        """Whether it answers pages of things."""
        return "limit" in self.query


def _refuse_control(value: Any) -> None:
    if isinstance(value, str):
        if not _CONTROL.isdisjoint(value):
            raise Malformed(
                "control-characters",
                "text may not contain control characters or marks of reading direction",
            )
    elif isinstance(value, dict):
        for name, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            _refuse_control(name)
            _refuse_control(item)
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            _refuse_control(item)
