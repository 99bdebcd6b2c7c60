"""`farthing api` and `farthing tail`: the hub's own API and events, from a terminal."""

import asyncio
import difflib
import secrets
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx
import msgspec
import typer

from farthing import asking
from farthing.cli.local import hub_client
from farthing.cli.options import ConfigOption
from farthing.codec import read_json
from farthing.config import load_config
from farthing.core.events import Kind
from farthing.errors import Malformed, Unavailable
from farthing.sockets import is_running
from farthing.terminal.frame import Answer
from farthing.terminal.talk import emit, manners, plain
from farthing.terminal.typed import header_fields, typed_file, typed_method
from farthing.web.remote_hub import error_of

T = TypeVar("T")


def api(
    method: Annotated[str, typer.Argument(help="GET, POST …")],
    path: Annotated[str, typer.Argument(help="Such as /v1/accounts?limit=5.")],
    *,
    data: Annotated[
        str, typer.Option("--data", "-d", help="A JSON body, or @FILE, or @- for stdin.")
    ] = "",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help='A header: "Name: value", or @FILE, @-.'),
    ] = None,
    include: Annotated[
        bool, typer.Option("--include", "-i", help="Write status and headers before the body.")
    ] = False,
    config: ConfigOption = None,
) -> Any:
    """Ask the hub's API, as the operator here or with $FARTHING_KEY elsewhere.

    A POST gets an Idempotency-Key of its own unless you give one.

    Example: farthing api POST /v1/accounts -d '{"asset": "USD", "owner": "own_01j…"}'
    """
    if not path.startswith("/"):
        raise Malformed("malformed-option", "a path starts with /, such as /v1/accounts")
    method = typed_method(method)
    fields = _fields(method, header or [], data)
    body = _body(data)

    async def run() -> Answer:
        async with hub_client(config) as client:
            request = client.build_request(method, path, headers=fields, content=body)
            return await _told(await client.send(request, stream=True), include)

    return _reached(run())


def _reached(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise Unavailable("hub-unreachable", f"the hub does not answer: {fault}") from None


async def _told(response: httpx.Response, include: bool) -> Answer:
    if include:
        print(plain(f"HTTP/1.1 {response.status_code} {response.reason_phrase}"))
        for name, value in response.headers.multi_items():
            print(plain(f"{name}: {value}"))
        print(flush=True)
    if response.status_code >= 400:
        raise error_of(await asking.whole(response))
    if response.headers.get("content-type", "").partition(";")[0] == "application/json":
        return Answer(read_json((await asking.whole(response, asking.LIST_BYTES_MAX)).content))
    try:
        async for part in response.aiter_bytes():
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
    finally:
        await response.aclose()
    return Answer(None)


def _fields(method: str, headers: list[str], data: str) -> dict[str, str]:
    fields: dict[str, str] = {"content-type": "application/json"} if data else {}
    fields["accept-encoding"] = "identity"
    fields |= {name.lower(): value for name, value in header_fields(headers)}
    if method == "POST":
        fields.setdefault("idempotency-key", secrets.token_urlsafe(16))
    return fields


def _body(data: str) -> bytes | None:
    if data.startswith("@"):
        return typed_file(data[1:])
    return data.encode() if data else None


def tail(
    *,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind: payment.held …")] = None,
    after: Annotated[str, typer.Option(help="From this event on; 0 is the first.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Show events as they happen; Ctrl-C ends it.

    Example: farthing tail --kind payment.captured --kind payment.refused
    """
    wanted = _kinds(kind or [])
    if not manners.get().hub and not is_running(load_config(config)):
        raise Unavailable("hub-not-running", "there is nothing to follow: no hub runs here")
    return _reached(_follow(config, wanted, after))


async def _follow(config: Path | None, kinds: set[str], after: str) -> None:
    query, plain = ({"after": after} if after else {}), {"accept-encoding": "identity"}
    async with (
        hub_client(config) as client,
        client.stream("GET", "/v1/events", params=query, headers=plain, timeout=None) as response,
    ):
        if response.status_code >= 400:
            raise error_of(await asking.whole(response))
        news = News(kinds)
        async for line in asking.lines(response, asking.ANSWER_BYTES_MAX):
            if line.startswith(b"data: "):
                event = read_event(line.removeprefix(b"data: "))
                if news.is_one(event):
                    _show(event)


def read_event(raw: bytes) -> dict[str, Any]:
    """Read an event, from a hub that may be anybody's.

    Raises: Malformed.
    """
    event = read_json(raw)
    try:
        msgspec.convert(event, _Event)
    except msgspec.ValidationError:
        raise Malformed("malformed-answer", "the hub's answer is no event") from None
    return event


class _Event(msgspec.Struct, frozen=True):
    """What is shown of an event; members that a newer hub adds are shown with `--json`."""

    kind: str
    subject: str
    at: str
    body: dict[str, Any]


class News:
    """Tells which events are shown: of these kinds, and each once.

    Shape: what two owners may know are two events, one after the other, and happened once.
    """

    def __init__(self, kinds: set[str]) -> None:
        self._kinds, self._before = kinds, ("", "", "")

    def is_one(self, event: dict[str, Any]) -> bool:
        """Tell whether an event is shown."""
        before, self._before = self._before, (event["kind"], event["subject"], event["at"])
        return self._before != before and (not self._kinds or event["kind"] in self._kinds)


def _kinds(told: list[str]) -> set[str]:
    known = [kind.value for kind in Kind]
    for kind in told:
        if kind not in known:
            near = difflib.get_close_matches(kind, known, 1) or known[:1]
            raise Malformed(
                "invalid-filter", f"no event is called {kind!r}; did you mean {near[0]}?"
            )
    return set(told)


def _show(event: dict[str, Any]) -> None:
    facts = " ".join(f"{name}={value}" for name, value in event["body"].items())
    emit(event, f"{event['at']}  {event['kind']:<22}  {event['subject']}  {facts}".rstrip())
