"""Long answers: events as they happen, and exports of payments."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from farthing.core.events import Event
from farthing.errors import Malformed
from farthing.store.queries import PAGE_MAX, events_after, newest_event
from farthing.web.api import answers, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import limit_of
from farthing.web.api.long_answers import long_answer
from farthing.web.api.payments import ANY, select

_BEAT_SECONDS = 15.0
_BREATH_SECONDS = 0.05
_BATCH = 200
_COLUMNS = (
    "id", "state", "reason", "payer", "device", "payee", "asset", "amount", "captured",
    "refunded", "category", "resource", "created_at", "changed_at", "fee", "fee_returned",
)  # fmt: skip


def event_number(text: str) -> int:
    """Read the number of an event. Raises: Malformed `invalid-event-id`."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Malformed("invalid-event-id", "an event id is a number that this hub gave")
    return int(text)


async def events(call: Call) -> Reply | None:
    """Stream events as they happen; `Last-Event-ID` goes on after the last one seen."""
    last = call.headers.get("last-event-id") or call.query.get("after")
    cursor = event_number(last) if last else await call.desk.ctx.database.read(newest_event)
    if "limit" in call.query:
        return await _some(call, cursor if last else 0)
    await long_answer(call, _told(call, cursor))
    return None


async def _some(call: Call, cursor: int) -> Reply:
    limit = limit_of(call)
    found = await call.desk.ctx.database.read(
        lambda tx: events_after(tx, call.asker.sees, cursor, limit)
    )
    return Reply({"items": [shapes.show_event(event) for event in found]}, media="application/json")


async def _told(call: Call, cursor: int) -> None:
    """Tell what happens from now on; a comment now and then keeps the connection alive."""
    feed, owner = call.desk.feed, call.asker.sees
    await _start(call, b"text/event-stream")
    await _send(call, b": hello\n\n")
    with feed.following(owner) as signal:
        while not call.desk.closing:
            seen = signal.given
            found = await feed.after(owner, cursor, _BATCH)
            if found:
                cursor = found[-1].number
                await _send(call, b"".join(feed.written(event, _sse) for event in found))
                await asyncio.sleep(_BREATH_SECONDS)  # Much that happens is told in one piece.
            elif not await signal.wait_past(seen, _BEAT_SECONDS):
                await _send(call, b": beat\n\n")
    await _send(call, b"", more=False)


def _sse(event: Event) -> bytes:
    body = msgspec.json.encode(shapes.show_event(event))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, event.kind.encode(), body)


async def _start(call: Call, media: bytes, *more: tuple[bytes, bytes]) -> None:
    fields = [(b"content-type", media), (b"cache-control", b"no-store"), *more]
    await call.send({"type": "http.response.start", "status": 200, "headers": fields})


async def _send(call: Call, body: bytes, more: bool = True) -> None:
    await call.send({"type": "http.response.body", "body": body, "more_body": more})


async def export(call: Call) -> None:
    """Stream all payments that the asker may see, as CSV or JSON lines, newest first."""
    await long_answer(call, _exported(call))


async def _exported(call: Call) -> None:
    form = call.query.get("format", "csv")
    if form not in ("csv", "jsonl"):
        raise Malformed("invalid-format", "format is csv or jsonl")
    media = b"text/csv; charset=utf-8" if form == "csv" else b"application/jsonl"
    name = f'attachment; filename="payments.{form}"'.encode()
    first = await select(call, PAGE_MAX, "")
    await _start(call, media, (b"content-disposition", name))
    if form == "csv":
        await _send(call, _csv_line(_COLUMNS))
    async for page in _pages(call, first):
        now, asker = call.desk.ctx.clock(), call.asker
        shown = [shapes.show_payment_to(row, now, asker) for row in page]
        if form == "csv":
            await _send(call, b"".join(_csv_line(_cells(row)) for row in shown))
        else:
            await _send(call, b"".join(msgspec.json.encode(row) + b"\n" for row in shown))
    await _send(call, b"", more=False)


async def _pages(call: Call, page: Any) -> AsyncIterator[Any]:
    while page:
        yield page
        if len(page) < PAGE_MAX:
            return
        page = await select(call, PAGE_MAX, page[-1].id)


def _cells(row: answers.PaymentAnswer) -> list[str]:
    # A cell that a spreadsheet would run as a formula is made text.
    fees = row.get("fees", [])
    totals = {
        "fee": sum(int(fee["units"]) for fee in fees),
        "fee_returned": sum(int(fee["returned"]) for fee in fees),
    }
    cells = {**row, **totals}
    texts = ["" if cells[name] is None else str(cells[name]) for name in _COLUMNS]
    return [f"'{text}" if text[:1] in ("=", "+", "-", "@") else text for text in texts]


def _csv_line(cells: Iterable[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(list(cells))
    return out.getvalue().encode()


ENDPOINTS = [
    Endpoint(
        "GET",
        "/v1/events",
        "events",
        "Events as they happen (SSE), or some with `limit`",
        events,
        scopes=ANY,
        media="text/event-stream",
        other_media=("application/json",),
        streams=True,
        query={
            "after": "go on after this event id, as Last-Event-ID does",
            "limit": "answer so many as JSON instead of a stream",
        },
    ),
    Endpoint(
        "GET",
        "/v1/payments/export",
        "export_payments",
        "All payments as CSV or JSON lines",
        export,
        scopes=ANY,
        media="text/csv",
        other_media=("application/jsonl",),
        streams=True,
        query={
            "format": "csv or jsonl",
            "state": "only payments in this state",
            "payer": "only from this account",
            "payee": "only to this account",
            "device": "only of this device",
            "asset": "only in this asset",
            "role": "payer, payee or either",
        },
    ),
]
