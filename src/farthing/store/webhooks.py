"""What webhooks still have to be sent, and what they were sent."""

from collections.abc import Sequence
from typing import NamedTuple

from farthing.core.events import Event, Kind
from farthing.core.webhooks import LANES, WEBHOOKS, Lane, Webhook
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.queries import events_after, newest_event

_LANES_MAX = 2_000


def webhooks_of(tx: Tx, owner: str) -> int:
    """Count an owner's webhooks, without those removed."""
    sql = "SELECT COUNT(*) FROM webhooks WHERE owner = ? AND state <> 'removed'"
    return tx.rows(sql, (owner,))[0][0]


class Due(NamedTuple):
    """What may be sent now.

    Units: `next_ns` is when the next lane may be tried again; 0 if none waits.
    Shape: without `any_on`, nobody wants anything at all.
    """

    any_on: bool
    newest: int = 0
    next_ns: int = 0
    lanes: Sequence[tuple[Lane, Webhook]] = ()


def due_lanes(tx: Tx, now_ns: int, seen: int | None, unfinished: Sequence[str]) -> Due:
    """List lanes that may have something to send, longest waiting first.

    Shape: those of whoever something happened to after the event `seen`, those that wait for
           another try, replays, and those named.
    """
    if not tx.rows("SELECT 1 FROM webhooks WHERE state = 'on' LIMIT 1"):
        return Due(any_on=False)
    newest, lanes = newest_event(tx), mapping(LANES)
    named = [*unfinished, ""]  # PostgreSQL has no empty list.
    marks = ", ".join("?" * len(named))
    sql = (
        f"{lanes.select} WHERE over = 0 AND next_ns <= ?"  # noqa: S608 - our words
        f" AND (kind <> 'new' OR attempts > 0 OR id IN ({marks}) OR owner IN (SELECT name"
        " FROM names WHERE number IN (SELECT DISTINCT owner FROM events WHERE number > ?)))"
        " AND webhook IN (SELECT id FROM webhooks WHERE state = 'on')"
        f" ORDER BY next_ns, id LIMIT {_LANES_MAX}"
    )
    values = (now_ns, *named, newest if seen is None else seen)
    found = [lanes.row(row) for row in tx.rows(sql, values)]
    webhooks = tx.fetch(WEBHOOKS, list({lane.webhook for lane in found}))
    waiting = "SELECT COALESCE(MIN(next_ns), 0) FROM webhook_lanes WHERE over = 0 AND next_ns > ?"
    next_ns = tx.rows(waiting, (now_ns,))[0][0]
    return Due(True, newest, next_ns, [(lane, webhooks[lane.webhook]) for lane in found])


def new_lanes(tx: Tx) -> list[str]:
    """Name the lanes of what happens from now on, of webhooks that are on."""
    sql = (
        "SELECT id FROM webhook_lanes WHERE kind = 'new' AND over = 0"
        " AND webhook IN (SELECT id FROM webhooks WHERE state = 'on') ORDER BY id"
    )
    return [ident for (ident,) in tx.rows(sql)]


class ToSend(NamedTuple):
    """A webhook as it is now, what it is to be sent, and the newest event that was looked at."""

    webhook: Webhook
    events: list[Event]
    newest: int


def next_to_send(tx: Tx, webhook: str, after: int, until: int, limit: int) -> ToSend:
    """List the next events of a webhook, and tell how far that is."""
    [found] = tx.fetch(WEBHOOKS, [webhook]).values()
    if found.state != "on":
        return ToSend(found, [], after)
    return ToSend(found, _events(tx, found, after, until, limit), newest_event(tx))


def late_lanes(tx: Tx, webhook: str) -> int:
    """Count the events of a webhook that are set aside."""
    sql = "SELECT COUNT(*) FROM webhook_lanes WHERE webhook = ? AND kind = 'late' AND over = 0"
    return tx.rows(sql, (webhook,))[0][0]


def _events(tx: Tx, webhook: Webhook, after: int, until: int, limit: int) -> list[Event]:
    """List the events of a webhook in order: those after a number, up to another."""
    marks = ", ".join("?" * len(webhook.kinds))
    also = (
        f"events.number <= ? AND (events.kind IN ({marks})"
        " OR (events.kind = ? AND events.subject = ?))"
    )
    values: Sequence[object] = (until, *webhook.kinds, Kind.WEBHOOK_TESTED.value, webhook.id)
    return events_after(tx, webhook.owner, after, limit, also, values)


def forget_deliveries(tx: Tx, before_ns: int) -> None:
    """Delete what is known of old tries, and lanes that were over by then."""
    tx.run("DELETE FROM webhook_deliveries WHERE time_ns < ?", (before_ns,))
    sql = "DELETE FROM webhook_lanes WHERE over = 1 AND kind <> 'new' AND next_ns < ?"
    tx.run(sql, (before_ns,))
