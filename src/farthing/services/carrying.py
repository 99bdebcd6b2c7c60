"""One lane of one webhook: its events are sent in order, and what became of each is written."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from farthing.clock import NS
from farthing.core.events import Event
from farthing.core.webhooks import (
    UNTIL_ALWAYS,
    Delivery,
    GiveUp,
    Lane,
    Sent,
    SetWebhookState,
    Webhook,
)
from farthing.log_lines import Log
from farthing.notifiers.base import Post, Posted
from farthing.notifiers.signed import message_body, message_id, signed_headers
from farthing.services.context import Context
from farthing.store.webhooks import late_lanes, next_to_send

log = Log("webhooks")

_AT_ONCE = 20
_NOTE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an endpoint is waited for.

    Units: the pause after the first failure is `first_seconds`, each after that three times as
           long, up to `longest_seconds`; an event that an endpoint answered with a refusal
           `aside_after` times is set aside, and others go ahead, as long as fewer than `late_max`
           are; it is given up after `tries_max` in all. A webhook to which nothing gets through
           for `off_after_seconds` is turned off.
    """

    first_seconds: float = 5.0
    longest_seconds: float = 6 * 3600.0
    aside_after: int = 6
    late_max: int = 100
    tries_max: int = 16
    off_after_seconds: int = 5 * 86_400

    def pause_ns(self, attempts: int, luck: float) -> int:
        """Give how long to wait after so many tries; nobody else's luck is the same."""
        steps = min(attempts - 1, 20)
        seconds = min(self.first_seconds * 3**steps, self.longest_seconds)
        return round(seconds * (0.75 + luck / 2) * NS)


class Carrier:
    """Carries lanes.

    Shape: `unfinished` are lanes that still have to be looked at, those first that wait longest.
    """

    def __init__(
        self, ctx: Context, post: Post, patience: Patience, luck: Callable[[], float]
    ) -> None:
        self._ctx, self._post, self._patience, self._luck = ctx, post, patience, luck
        self._looked: dict[str, int] = {}
        self.unfinished: dict[str, None] = {}

    async def carry(self, lane: Lane, webhook: Webhook) -> None:
        """Send what a lane has, until it has no more, or the endpoint fails."""
        self.unfinished[lane.id] = None
        at = max(lane.number, self._looked.get(lane.id, 0))
        while True:
            found = await self._ctx.database.read(
                partial(
                    next_to_send, webhook=webhook.id, after=at, until=lane.until, limit=_AT_ONCE
                )
            )
            if found.webhook.state != "on":
                self.unfinished.pop(lane.id, None)
                return
            sent = await self._send(lane, found.webhook, found.events) if found.events else lane
            if sent is None:
                return
            lane = sent
            if len(found.events) < _AT_ONCE:
                break
            at = lane.number
        await self._all_sent(lane, found.newest)

    async def _all_sent(self, lane: Lane, newest: int) -> None:
        if lane.until == UNTIL_ALWAYS:
            self._looked[lane.id] = newest  # What of it was not sent is not for this webhook.
        else:
            now = self._ctx.clock()
            after = msgspec.structs.replace(
                lane, number=lane.until, over=True, attempts=0, next_ns=now
            )
            await self._ctx.books.commit_one(Sent(lane, after, []))
        self.unfinished.pop(lane.id, None)

    async def _send(self, lane: Lane, webhook: Webhook, events: list[Event]) -> Lane | None:
        """Send events in order, and give the lane as it then is; None after the first to fail."""
        at, tries, noted = lane, list[Delivery](), time.monotonic()
        for event in events:
            posted = await self._one(webhook, event)
            tries.append(self._delivery(at, event, posted))
            if not posted.delivered:
                await self._failed(lane, at, webhook, event, posted, tries)
                return None
            at = msgspec.structs.replace(
                at, number=event.number, attempts=0, next_ns=0, failing_ns=0
            )
            if time.monotonic() - noted > _NOTE_SECONDS or event is events[-1]:
                if not await self._note(Sent(lane, at, tries)):
                    return None
                lane, tries, noted = at, [], time.monotonic()
        return lane

    async def _one(self, webhook: Webhook, event: Event) -> Posted:
        ident, body = message_id(webhook, event.number), message_body(event)
        headers = signed_headers(ident, self._ctx.now_s(), body, webhook.signs_with)
        return await self._post(webhook.url, headers, body)

    def _delivery(self, lane: Lane, event: Event, posted: Posted) -> Delivery:
        ctx = self._ctx
        return Delivery(
            ctx.fresh_name("dlv"),
            lane.webhook,
            lane.owner,
            event.number,
            event.kind,
            lane.attempts + 1,
            posted.status,
            posted.fault,
            posted.took_ms,
            ctx.clock(),
        )

    async def _note(self, unit: Sent) -> bool:
        # What was sent is sent whether or not we are told to end meanwhile: write it down.
        done = await asyncio.shield(self._ctx.books.commit_one(unit))
        return done.answer

    async def _failed(
        self,
        lane: Lane,
        at: Lane,
        webhook: Webhook,
        event: Event,
        posted: Posted,
        tries: list[Delivery],
    ) -> None:
        now, patience = self._ctx.clock(), self._patience
        attempts = at.attempts + 1
        pause = max(patience.pause_ns(attempts, self._luck()), posted.wait_seconds * NS)
        after = msgspec.structs.replace(
            at, attempts=attempts, next_ns=now + pause, failing_ns=at.failing_ns or now
        )
        aside = None
        if at.kind != "late" and posted.heard and attempts >= patience.aside_after:
            aside = await self._aside(after, event)
        if aside is not None:
            after = msgspec.structs.replace(
                at, number=event.number, attempts=0, next_ns=0, failing_ns=at.failing_ns or now
            )
        if await self._note(Sent(lane, after, tries, aside)):
            self.unfinished.pop(lane.id, None)  # It is found by when it is tried again.
        if aside is not None:
            self.unfinished[lane.id] = None
        if posted.gone:
            await self._turn_off(webhook, "gone")
        elif at.kind != "late" and now - after.failing_ns > patience.off_after_seconds * NS:
            await self._turn_off(webhook, "failing")
        elif at.kind == "late" and attempts >= patience.tries_max:
            await self._ctx.books.commit_one(GiveUp(after))

    async def _aside(self, lane: Lane, event: Event) -> Lane | None:
        """Make a lane for one event that the endpoint does not take; None if too many are."""
        waiting = await self._ctx.database.read(lambda tx: late_lanes(tx, lane.webhook))
        if waiting >= self._patience.late_max:
            return None
        ident = f"{lane.webhook}/late/{event.number}"
        return msgspec.structs.replace(
            lane, id=ident, kind="late", number=event.number - 1, until=event.number
        )

    async def _turn_off(self, webhook: Webhook, why: str) -> None:
        await self._ctx.books.commit_one(SetWebhookState(webhook.id, None, "off", why))
        log.warning("webhooks.turned_off", webhook=webhook.id, why=why)
