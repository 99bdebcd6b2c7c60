"""What whoever looks after the hub wants to see at a glance: how fast, how much, and what is stuck.

Each question is bounded, or has an index of its own: none walks over all that ever was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import clearing_account
from farthing.core.events import PER_LEAF, Event
from farthing.core.movements import LOOKS, MOVEMENTS, Look, Movement, rail_account
from farthing.core.sessions import SESSIONS, Session
from farthing.core.telling import NOTICE_TRIES, NoticeTry
from farthing.core.webhooks import LANES, WEBHOOKS, Lane, Webhook
from farthing.errors import Malformed
from farthing.store.accounts import account_counters
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.queries import events_between, sessions_unsettled

PARTS, PART_SECONDS = 30, 10
COMMITS_MAX = 5_000
"""The newest commits that are counted for how fast the hub is."""

LISTED = 50
OVERDUE_SECONDS = 60
_SPAN = 200_000 * PER_LEAF
"""How many numbers of events one look goes back: they are numbered with gaps."""


class Pace(NamedTuple):
    """What was committed lately, in parts of ten seconds, the oldest first.

    Units: `seconds` is how long that is; `units` counts what was stated or moved.
    """

    seconds: int
    commits: int
    units: int
    parts: Sequence[int]

    @property
    def per_second(self) -> str:
        """How much a second, to a tenth."""
        tenths = 10 * self.units // max(1, self.seconds)
        return f"{tenths // 10}.{tenths % 10}"

    def bars(self) -> list[tuple[int, int]]:
        """Give each part's place and height, of a hundred; anything at all is seen."""
        top = max(*self.parts, 1)
        return [(i, max(2 if one else 0, 100 * one // top)) for i, one in enumerate(self.parts)]


def pace(tx: Tx, now_ns: int) -> Pace:
    """Count the last five minutes, or as much of them as the newest commits are of."""
    sql = "SELECT time_ns, leaves FROM commits ORDER BY number DESC LIMIT ?"
    since = now_ns - PARTS * PART_SECONDS * NS
    newest = tx.rows(sql, (COMMITS_MAX,))
    rows = [row for row in newest if row[0] >= since]
    parts = [0] * PARTS
    for time_ns, leaves in rows:
        place = (time_ns - since) // (PART_SECONDS * NS)
        parts[min(place, PARTS - 1)] += leaves
    whole = len(rows) < COMMITS_MAX
    seconds = PARTS * PART_SECONDS if whole else max(1, (now_ns - rows[-1][0]) // NS)
    return Pace(seconds, len(rows), sum(parts), parts)


@dataclass(frozen=True, slots=True)
class Motion:
    """Payments that have begun and not ended, of one asset. Units: smallest units."""

    state: str
    asset: str
    count: int
    units: int


def motion(tx: Tx) -> list[Motion]:
    """Add up what is held and what awaits its owner."""
    found: list[Motion] = []
    for state in ("held", "awaiting"):
        sql = f"SELECT asset, amount FROM payments WHERE state = '{state}'"  # noqa: S608 - ours
        sums: dict[str, tuple[int, int]] = {}
        for asset, amount in tx.rows(sql):
            count, units = sums.get(asset, (0, 0))
            sums[asset] = count + 1, units + amount
        found += [Motion(state, asset, *told) for asset, told in sorted(sums.items())]
    return found


def sessions_in_motion(tx: Tx) -> tuple[int, int]:
    """Count the sessions that are open, and those that are to be settled."""
    [(open_,)] = tx.rows("SELECT COUNT(*) FROM sessions WHERE state = 'open'")
    [(unsettled,)] = tx.rows("SELECT COUNT(*) FROM sessions WHERE unsettled > 0")
    return open_, unsettled


def owed(tx: Tx) -> dict[str, int]:
    """Tell what all owners' accounts hold together, by asset: what money's sources owe.

    Units: smallest units.
    """
    rails = [rail for (rail,) in tx.rows("SELECT DISTINCT rail FROM movements")]
    return {
        asset: sum(_owes(tx, source) for source in _sources(ledger, rails))
        for asset, ledger in tx.rows("SELECT code, ledger FROM assets ORDER BY code")
    }


def _sources(ledger: int, rails: Sequence[str]) -> list[int]:
    accounts = [clearing_account(ledger), *(rail_account(rail, ledger) for rail in rails)]
    return [account.id for account in accounts]


def _owes(tx: Tx, ident: int) -> int:
    found = account_counters(tx, ident)
    return 0 if found is None else found.debits_posted - found.credits_posted


@dataclass(frozen=True, slots=True)
class Stuck:
    """What was not delivered, or is not known yet. Shape: at most fifty of each."""

    webhooks: Sequence[tuple[Lane, Webhook]]
    off: Sequence[Webhook]
    notices: Sequence[NoticeTry]
    movements: Sequence[tuple[Movement, Look]]
    sessions: Sequence[Session]
    holds: int
    asks: int

    @property
    def count(self) -> int:
        """How many there are in all."""
        listed = (self.webhooks, self.off, self.notices, self.movements, self.sessions)
        return sum(map(len, listed)) + self.holds + self.asks


def stuck(tx: Tx, now_ns: int) -> Stuck:
    """Look for what is stuck."""
    late = now_ns - OVERDUE_SECONDS * NS
    return Stuck(
        _failing(tx),
        _turned_off(tx),
        _untold(tx, now_ns - 86_400 * NS),
        _unknown(tx, now_ns),
        sessions_unsettled(tx, LISTED),
        _late(tx, "held", "hold_ends_ns", late),
        _late(tx, "awaiting", "ask_ends_ns", late),
    )


def _failing(tx: Tx) -> list[tuple[Lane, Webhook]]:
    lanes = mapping(LANES)
    sql = f"{lanes.select} WHERE over = 0 AND attempts > 0 ORDER BY next_ns, id LIMIT ?"
    found = [lanes.row(row) for row in tx.rows(sql, (LISTED,))]
    webhooks = tx.fetch(WEBHOOKS, list({lane.webhook for lane in found}))
    return [(lane, webhooks[lane.webhook]) for lane in found if _is_on(webhooks, lane)]


def _is_on(webhooks: dict[str, Webhook], lane: Lane) -> bool:
    return lane.webhook in webhooks and webhooks[lane.webhook].state == "on"


def _turned_off(tx: Tx) -> list[Webhook]:
    """List webhooks that the hub itself has turned off."""
    mapped = mapping(WEBHOOKS)
    sql = f"{mapped.select} WHERE state = 'off' AND why <> 'owner' ORDER BY id DESC LIMIT ?"
    return [mapped.row(row) for row in tx.rows(sql, (LISTED,))]


def _untold(tx: Tx, since_ns: int) -> list[NoticeTry]:
    """List the newest tries of notices that nobody was told until now, one for each notice."""
    mapped = mapping(NOTICE_TRIES)
    sql = (
        f"{mapped.select} WHERE time_ns >= ? AND fault <> '' AND NOT EXISTS (SELECT 1 FROM"  # noqa: S608 - our words
        " notice_tries AS told WHERE told.person = notice_tries.person AND told.notice ="
        " notice_tries.notice AND told.fault = '') ORDER BY id DESC LIMIT ?"
    )
    newest: dict[str, NoticeTry] = {}
    for row in tx.rows(sql, (since_ns, 4 * LISTED)):
        one = mapped.row(row)
        newest.setdefault(one.notice, one)
    return list(newest.values())[:LISTED]


def _unknown(tx: Tx, now_ns: int) -> list[tuple[Movement, Look]]:
    """List movements that a rail has not ended within a minute, or that are not booked."""
    looks = mapping(LOOKS)
    sql = f"{looks.select} WHERE over = 0 ORDER BY id LIMIT ?"
    found = [looks.row(row) for row in tx.rows(sql, (LISTED,))]
    rows = tx.fetch(MOVEMENTS, [look.id for look in found])
    late = now_ns - OVERDUE_SECONDS * NS
    return [
        (rows[look.id], look)
        for look in found
        if look.id in rows and (rows[look.id].state == "unknown" or rows[look.id].created_ns < late)
    ]


def _late(tx: Tx, state: str, column: str, before_ns: int) -> int:
    sql = f"SELECT COUNT(*) FROM payments WHERE state = '{state}' AND {column} <= ?"  # noqa: S608
    return tx.rows(sql, (before_ns,))[0][0]


def open_sessions(tx: Tx, limit: int = LISTED) -> list[Session]:
    """List the newest open sessions."""
    mapped = mapping(SESSIONS)
    sql = f"{mapped.select} WHERE state = 'open' ORDER BY id DESC LIMIT ?"
    return [mapped.row(row) for row in tx.rows(sql, (limit,))]


class Found(NamedTuple):
    """Some events, newest first. Shape: `older` is where to go on, 0 at the beginning of all."""

    events: list[Event]
    older: int


def look_back(tx: Tx, before: int, text: str, limit: int) -> Found:
    """Look for events before a number: all, those whose kind begins so, or those about something.

    Shape: at most so far back that payments go on meanwhile; `older` says where that was.
    """
    also, values = "", list[Any]()
    if text:
        begins = f"substr(events.kind, 1, {len(text)}) = ?"
        also = f"({begins} OR events.subject = ? OR leaves.subject = ?)"
        values = [text, text, _of_payment(text)]
    after = max(0, before - _SPAN)
    events = events_between(tx, after, before, limit, also, values)
    if len(events) == limit:
        return Found(events, events[-1].number)
    return Found(events, after + 1 if after else 0)


def _of_payment(text: str) -> bytes:
    """Give how the statement of a payment names it: its events leave that to the statement."""
    try:
        return ids.number("pay", text).to_bytes(16, "big")
    except Malformed:
        return b""
