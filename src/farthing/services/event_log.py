"""One structured log line per event: the hub's own story, told beside the payment path.

It follows the events table, so a line is written exactly when the event is durable, whoever made
it; what two owners may know is told once.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Literal, TextIO

import msgspec

from farthing.clock import write_time_ns
from farthing.core.events import Event
from farthing.services.context import Context
from farthing.store.queries import events_after, newest_event
from farthing.tasks import end

_AT_ONCE = 1000
_PATIENCE_SECONDS = 0.5
_BREATH_SECONDS = 0.2


class EventLog:
    """Writes what happened, in batches, off the event loop."""

    def __init__(
        self, ctx: Context, form: Literal["json", "text"], out: TextIO | None = None
    ) -> None:
        self._ctx, self._write = ctx, _json_line if form == "json" else _text_line
        self._out = out
        self._cursor = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin after what has happened so far."""
        self._cursor = await self._ctx.database.read(newest_event)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Tell the rest, and stop."""
        if self._task is not None:
            await end(self._task)
            await self.tell()

    async def _run(self) -> None:
        while True:
            seen = self._ctx.committed.given
            await self.tell()
            await asyncio.sleep(_BREATH_SECONDS)
            await self._ctx.committed.wait_past(seen, _PATIENCE_SECONDS)

    async def tell(self) -> int:
        """Write a line for every event since the last time, and say how many."""
        told = 0
        while True:
            found = await self._ctx.database.read(
                lambda tx: events_after(tx, None, self._cursor, _AT_ONCE)
            )
            if not found:
                return told
            self._cursor = found[-1].number
            lines = [self._write(event) for event in once_each(found)]
            print("\n".join(lines), file=self._out or sys.stderr)
            told += len(lines)


def once_each(events: Sequence[Event]) -> list[Event]:
    """Leave out what was written a second time, for another owner."""
    kept: list[Event] = []
    for event in events:
        if not kept or _fact(kept[-1]) != _fact(event):
            kept.append(event)
    return kept


def _fact(event: Event) -> tuple[object, ...]:
    # A payment may give the hub's fee and an offer's: these are two facts of one kind.
    return event.kind, event.subject, event.time_ns, event.body.get("of")


def _json_line(event: Event) -> str:
    line = {
        "timestamp": write_time_ns(event.time_ns),
        "level": "info",
        "event": event.kind,
        "id": str(event.number),
        "subject": event.subject,
        **event.body,
    }
    return msgspec.json.encode(line).decode()


def _text_line(event: Event) -> str:
    facts = " ".join(f"{name}={value}" for name, value in event.body.items())
    return f"{write_time_ns(event.time_ns)} [info     ] {event.kind:<30} {event.subject} {facts}"
