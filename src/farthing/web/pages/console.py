"""The console: how the hub is, what is in motion, who may sign in, and what happened last."""

from dataclasses import dataclass
from typing import Any

from farthing.core.events import Event
from farthing.core.people import PEOPLE, Person
from farthing.errors import Missing
from farthing.services.books_clock import BEHIND_SECONDS_MAX, seconds_behind
from farthing.services.event_log import once_each
from farthing.store.database import Tx
from farthing.store.history import newest_head
from farthing.store.queries import events_after, newest_event, page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.visit import Visit

_EVENTS = 40
_EVENTS_SPAN = 1600
"""Events are numbered with gaps: so far back there are forty of them, or all that there are."""

_PEOPLE_MAX = 50


@dataclass(frozen=True, slots=True)
class Motion:
    """Payments that have begun and not ended, of one asset. Units: smallest units."""

    state: str
    asset: str
    count: int
    units: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, at one moment of the books."""

    commits: int
    head: str
    motion: list[Motion]
    sessions: int
    unsettled: int
    people: list[Person]
    events: list[Event]


async def console_page(visit: Visit) -> Reply:
    """Show the console to who looks after the hub; to others there is no such page.

    Raises: Missing.
    """
    if not visit.me.is_operator:
        raise Missing("no-such-path", "see /openapi.json for what this hub serves")
    desk = visit.call.desk
    looked = await desk.ctx.database.read(_look)
    behind = await seconds_behind(desk.ctx)
    fault = "clock-behind-books" if behind > BEHIND_SECONDS_MAX else desk.fault()
    return visit.page(
        "console.html",
        looked=looked,
        fault=fault,
        hub=desk.ctx.identity.hub,
        engine=desk.config.books.engine,
    )


def _look(tx: Tx) -> Looked:
    head, newest = newest_head(tx), newest_event(tx)
    events = events_after(tx, None, max(0, newest - _EVENTS_SPAN), _EVENTS_SPAN)
    open_, unsettled = (
        _one(tx, "SELECT COUNT(*), 0 FROM sessions WHERE state = 'open'"),
        _one(tx, "SELECT COUNT(*), 0 FROM sessions WHERE unsettled > 0"),
    )
    return Looked(
        head.number if head else 0,
        head.digest.hex() if head else "",
        _motion(tx),
        open_,
        unsettled,
        page(tx, PEOPLE, {}, limit=_PEOPLE_MAX),
        once_each(events)[::-1][:_EVENTS],
    )


def _motion(tx: Tx) -> list[Motion]:
    found: list[Motion] = []
    for state in ("held", "awaiting"):
        sql = f"SELECT asset, amount FROM payments WHERE state = '{state}'"  # noqa: S608 - ours
        sums: dict[str, tuple[int, int]] = {}
        for asset, amount in tx.rows(sql):
            count, units = sums.get(asset, (0, 0))
            sums[asset] = count + 1, units + amount
        found += [Motion(state, asset, *told) for asset, told in sorted(sums.items())]
    return found


def _one(tx: Tx, sql: str) -> Any:
    return tx.rows(sql)[0][0]
