"""Asking an app for its own OpenAPI document, so that prices can be written into it."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

from farthing.core.paths import AmbiguousPath, normal_path
from farthing.errors import BadConfig
from farthing.log_lines import Log
from farthing.web.asgi import App, Message, RawHeaders, Receive, Scope, Send
from farthing.web.for_sale import ForSale
from farthing.web.own_openapi import NotAnnotated, annotated
from farthing.web.problems import Answer, send_answer

log = Log("discovery")

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
JSON = b"application/json"

_CONDITIONS = frozenset(
    {
        b"accept-encoding",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
    }
)
"""Fields of a request by which an app would answer with less than the whole document."""

_OF_THESE_BYTES = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-length",
        b"content-md5",
        b"content-type",
        b"digest",
        b"etag",
        b"last-modified",
        b"repr-digest",
    }
)
"""Fields of an answer that are no longer true once prices are written into it."""


def document_place(path: str) -> str:
    """Check where an app has its document.

    Raises: BadConfig `bad-document-path`.
    """
    try:
        return normal_path(path.encode()).text
    except AmbiguousPath as fault:
        raise BadConfig("bad-document-path", f"{path!r}: {fault.detail}") from None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is written into a document, our own where there is none, and its media type if set."""

    sale: ForSale
    service: dict[str, Any]
    ours: Answer | None
    media: bytes = b""


class OwnDocument:
    """Annotates what an app answers, and keeps the last result."""

    def __init__(self) -> None:
        self._key: tuple[bytes, ForSale, str] | None = None
        self._result = b""
        self._told = False

    async def answer(
        self, app: App, scope: Scope, receive: Receive, send: Send, wanted: Wanted
    ) -> None:
        """Let the app answer, its document with prices in it; or ours, where it has none."""
        head = scope["method"] == "HEAD"
        await app(_whole(scope), receive, _Held(send, self, wanted, head=head))

    async def with_prices(self, raw: bytes, wanted: Wanted) -> bytes | None:
        """Write prices into a document; None where it has to stay as it is."""
        key = (hashlib.sha256(raw).digest(), wanted.sale, str(wanted.service))
        if key != self._key:
            try:
                result = await asyncio.to_thread(annotated, raw, wanted.sale, wanted.service)
            except NotAnnotated as why:
                if not self._told:
                    self._told = True
                    log.warning("openapi.unpriced", why=why)
                return None
            self._key, self._result = key, result
        return self._result


def _whole(scope: Scope) -> Scope:
    """Ask for the whole document, as it is, by messages that carry it."""
    kept = [field for field in scope["headers"] if field[0] not in _CONDITIONS]
    headers: RawHeaders = [*kept, (b"accept-encoding", b"identity")]
    return {**scope, "method": "GET", "headers": headers, "extensions": {}}


class _Held:
    """Takes in an answer that may be a document, and passes on every other one as it comes."""

    def __init__(self, send: Send, own: OwnDocument, wanted: Wanted, *, head: bool) -> None:
        self._send, self._own, self._wanted, self._head = send, own, wanted, head
        self._start: Message | None = None
        self._body = bytearray()
        self._replaced = self._passing = False

    async def __call__(self, message: Message) -> None:
        """Take one message of the app's."""
        if self._replaced:
            return
        if self._passing:
            await self._pass(message)
        elif message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._take(message)

    async def _begin(self, message: Message) -> None:
        if message["status"] == 404 and self._wanted.ours is not None:
            self._replaced = True
            await send_answer(self._send, self._wanted.ours, head=self._head)
        elif _may_be_document(message):
            self._start = message
        else:
            self._passing = True
            await self._pass(message)

    async def _take(self, message: Message) -> None:
        self._body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(self._body) > DOCUMENT_BYTES_MAX:
            await self._pass_whole(more=more)
        elif not more:
            written = await self._own.with_prices(bytes(self._body), self._wanted)
            if written is None:
                await self._pass_whole(more=False)
            else:
                await self._answer(written)

    async def _answer(self, written: bytes) -> None:
        start = self._start or {}
        headers: RawHeaders = list(start.get("headers", []))
        kept = [field for field in headers if field[0].lower() not in _OF_THESE_BYTES]
        media = self._wanted.media or _value(headers, b"content-type")
        kept += [(b"content-type", media), (b"content-length", str(len(written)).encode())]
        if not _value(headers, b"cache-control"):
            kept.append((b"cache-control", b"max-age=300"))
        self._passing = True
        await self._pass({**start, "headers": kept})
        await self._pass({"type": "http.response.body", "body": written})

    async def _pass_whole(self, *, more: bool) -> None:
        self._passing = True
        await self._pass(self._start or {})
        await self._pass(
            {"type": "http.response.body", "body": bytes(self._body), "more_body": more}
        )

    async def _pass(self, message: Message) -> None:
        if self._head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def _may_be_document(message: Message) -> bool:
    headers: RawHeaders = list(message.get("headers", []))
    media = _value(headers, b"content-type").partition(b";")[0].strip().lower()
    coding = _value(headers, b"content-encoding").strip().lower()
    is_json = media == JSON or (media.startswith(b"application/") and media.endswith(b"+json"))
    return message["status"] == 200 and is_json and coding in (b"", b"identity")


def _value(headers: RawHeaders, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name.lower() == wanted), b"")
