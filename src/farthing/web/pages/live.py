"""The wallet as it changes: rows of payments and the balance, told as they become true."""

import asyncio
from typing import Any

import msgspec

from farthing.core.events import OF_PAYMENTS, OF_RAILS
from farthing.core.payments import State
from farthing.store.queries import newest_event
from farthing.web.api.endpoint import Reply
from farthing.web.api.long_answers import long_answer
from farthing.web.api.streams import event_number
from farthing.web.pages.money import moved
from farthing.web.pages.render import GUARDS
from farthing.web.pages.visit import Visit
from farthing.web.pages.wallet import asking, book_of

_BEAT_SECONDS = 15.0
_BREATH_SECONDS = 0.2
_BATCH = 200
_MISSED_MAX = 100_000
"""How many events of the whole hub may lie between a page and its ear."""
_ROWS_MAX = 20
"""More than a screen has: of a crowd only the newest are drawn."""


async def live(visit: Visit) -> Reply | None:
    """Tell what happens, until the page is closed or nobody is signed in there any more.

    Raises: Malformed `invalid-event-id`; Unavailable `too-busy`; TooMuch `too-much-at-once`.
    """
    await long_answer(visit.call, _told(visit, await _since(visit)))
    return None


async def _since(visit: Visit) -> int:
    """Give the event from which on this page has to be told; an old page is told of news alone."""
    newest = await visit.call.desk.ctx.database.read(newest_event)
    after = visit.call.query.get("after", "")
    since = event_number(after) if after else newest
    return since if newest - _MISSED_MAX <= since <= newest else newest


async def _told(visit: Visit, cursor: int) -> None:
    call, owner = visit.call, visit.me.person.owner
    fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), *GUARDS]
    await call.send({"type": "http.response.start", "status": 200, "headers": fields})
    await _send(visit, await _all(visit))
    with call.desk.feed.following(owner) as signal:
        while (
            not call.desk.closing
            and await call.desk.people.register.visitor(visit.secret) is not None
        ):
            seen = signal.given
            found = await call.desk.feed.after(owner, cursor, _BATCH)
            if found:
                cursor = found[-1].number
                about = [event.subject for event in found if event.kind in OF_PAYMENTS]
                rails = any(event.kind in OF_RAILS for event in found)
                news = await _news(visit, list(dict.fromkeys(about))[-_ROWS_MAX:], rails=rails)
                await _send(visit, news)
                await asyncio.sleep(_BREATH_SECONDS)
            elif not await signal.wait_past(seen, _BEAT_SECONDS):
                await _send(visit, b": beat\n\n")
    await _send(visit, b"event: end\ndata: {}\n\n", more=False)


async def _all(visit: Visit) -> bytes:
    """Tell the balance at once: the page may have been in a drawer for a while."""
    return await _news(visit, [], rails=True)


async def _news(visit: Visit, payments: list[str], *, rails: bool) -> bytes:
    book, html = book_of(visit), visit.renderer.html
    lines = await book.some(payments)
    owner = visit.me.person.owner
    told: dict[str, Any] = {
        "balance": html("balance.html", balances=await book.balances()),
        "rows": [
            {"id": line.payment.id, "html": html("row.html", line=line)}
            for line in lines
            if line.payment.state is not State.AWAITING or line.payment.owner != owner
        ],
        "asks": [
            {
                "id": line.payment.id,
                "html": html("asked.html", line=line, me=visit.me, **asking(visit)),
            }
            for line in lines
            if line.payment.state is State.AWAITING and line.payment.owner == owner
        ],
    }
    if rails:
        told["moved"] = html("moved.html", **await moved(visit))
    return b"event: news\ndata: %b\n\n" % msgspec.json.encode(told)


async def _send(visit: Visit, body: bytes, *, more: bool = True) -> None:
    await visit.call.send({"type": "http.response.body", "body": body, "more_body": more})
