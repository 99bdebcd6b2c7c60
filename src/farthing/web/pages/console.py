"""The console: how the hub is, how fast, what is in motion, how its books stand, what is stuck."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from farthing import ids
from farthing.core.accounts import ACCOUNTS, AccountRecord
from farthing.core.events import Event
from farthing.core.owners import OWNERS
from farthing.core.payments import PAYMENTS
from farthing.errors import Malformed
from farthing.services.audit_note import read_note
from farthing.services.books_clock import BEHIND_SECONDS_MAX, seconds_behind
from farthing.services.event_log import once_each
from farthing.store.accounts import account_counters
from farthing.store.database import Tx
from farthing.store.history import newest_head
from farthing.store.overview import (
    Motion,
    Pace,
    Stuck,
    look_back,
    motion,
    open_sessions,
    owed,
    pace,
    sessions_in_motion,
    stuck,
)
from farthing.store.queries import newest_event, page, sessions_unsettled
from farthing.web.api.endpoint import Reply
from farthing.web.api.streams import event_number
from farthing.web.pages.place import one_line
from farthing.web.pages.visit import Visit

_STATES = ("held", "awaiting", "sessions", "unsettled", "accounts")
MOTION_QUERY = {"state": f"What is in motion, or where it lies: {', '.join(_STATES)}."}
LOG_QUERY = {"find": "How a kind begins, or a whole subject.", "before": "Before this event."}
_EVENTS, _LOGGED, _LISTED = 15, 30, 50
_FIND_MAX = 60


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, at one moment of the books. Units: `owed` counts smallest units, by asset."""

    commits: int
    head: str
    pace: Pace
    motion: list[Motion]
    sessions: int
    unsettled: int
    owed: dict[str, int]
    stuck: Stuck
    events: list[Event]


class Held(NamedTuple):
    """An account, and what it holds. Units: smallest units; `held` is part of `units`."""

    record: AccountRecord
    units: int
    held: int


async def console_page(visit: Visit) -> Reply:
    """Show the overview."""
    desk = visit.call.desk
    now_ns = desk.ctx.clock()
    async with desk.turns.turn(visit.me.person.id):
        looked = await desk.ctx.database.read(lambda tx: _look(tx, now_ns))
    behind = await seconds_behind(desk.ctx)
    fault = "clock-behind-books" if behind > BEHIND_SECONDS_MAX else desk.fault()
    return visit.page(
        "console.html",
        looked=looked,
        fault=fault,
        audit=read_note(desk.config),
        hub=desk.ctx.identity.hub,
        engine=desk.config.books.engine,
    )


def _look(tx: Tx, now_ns: int) -> Looked:
    head = newest_head(tx)
    open_, unsettled = sessions_in_motion(tx)
    newest = look_back(tx, newest_event(tx) + 1, "", 4 * _EVENTS).events
    return Looked(
        head.number if head else 0,
        head.digest.hex() if head else "",
        pace(tx, now_ns),
        motion(tx),
        open_,
        unsettled,
        {asset: units for asset, units in owed(tx).items() if units},
        stuck(tx, now_ns),
        _each_once(newest)[:_EVENTS],
    )


async def stuck_page(visit: Visit) -> Reply:
    """Show what was not delivered, or is not known yet."""
    ctx = visit.call.desk.ctx
    now_ns = ctx.clock()
    async with visit.call.desk.turns.turn(visit.me.person.id):
        found = await ctx.database.read(lambda tx: stuck(tx, now_ns))
    return visit.page("stuck.html", stuck=found)


async def motion_page(visit: Visit) -> Reply:
    """Show the payments, sessions or accounts that one figure of the overview is made of.

    Raises: Malformed.
    """
    state = visit.call.query.get("state", "held")
    if state not in _STATES:
        raise Malformed("malformed-form", f"state is one of {', '.join(_STATES)}")
    rows, names = await visit.call.desk.ctx.database.read(lambda tx: _in_motion(tx, state))
    return visit.page(
        "motion.html", state=state, states=_STATES, rows=rows, names=names, most=_LISTED
    )


def _in_motion(tx: Tx, state: str) -> tuple[list[Any], dict[str, str]]:
    rows: list[Any]
    if state == "accounts":
        return _held(tx)
    if state == "sessions":
        rows = open_sessions(tx, _LISTED)
    elif state == "unsettled":
        rows = sessions_unsettled(tx, _LISTED)
    else:
        rows = page(tx, PAYMENTS, {"state": state}, limit=_LISTED)
    owners = tx.fetch(OWNERS, list({side for row in rows for side in (row.owner, row.payee_owner)}))
    return rows, {ident: owner.name for ident, owner in owners.items()}


def _held(tx: Tx) -> tuple[list[Any], dict[str, str]]:
    """List the newest accounts, each with its balance and what of it is on hold."""
    records = page(tx, ACCOUNTS, {}, limit=_LISTED)
    found = [(one, account_counters(tx, ids.number("acc", one.id))) for one in records]
    rows = [
        Held(one, had.credits_posted - had.debits_posted, had.debits_pending)
        for one, had in found
        if had is not None
    ]
    return rows, {
        one.id: one.name for one in tx.fetch(OWNERS, [row.record.owner for row in rows]).values()
    }


async def log_page(visit: Visit) -> Reply:
    """Show everybody's events, newest first, or those that are looked for.

    Raises: Malformed.
    """
    query, ctx = visit.call.query, visit.call.desk.ctx
    find = one_line(query.get("find", ""), _FIND_MAX)
    told = query.get("before", "")
    before = event_number(told) if told else 0

    def work(tx: Tx) -> Any:
        found = look_back(tx, before or newest_event(tx) + 1, find, _LOGGED)
        return found, tx.fetch(OWNERS, list({one.owner for one in found.events}))

    async with visit.call.desk.turns.turn(visit.me.person.id):
        found, owners = await ctx.database.read(work)
    names = {ident: owner.name for ident, owner in owners.items()}
    events = _each_once(found.events)
    return visit.page("log.html", events=events, older=found.older, names=names, find=find)


def _each_once(events: list[Event]) -> list[Event]:
    """Leave out what was written for another owner as well; newest first, as it came."""
    return once_each(events[::-1])[::-1]
