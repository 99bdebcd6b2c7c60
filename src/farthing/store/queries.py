"""Reading records: one by key, pages of many, and the few look-ups that need their own words."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from farthing import ids
from farthing.core.events import EVENTS, OF_PAYMENTS, PER_LEAF, Event
from farthing.core.kept_statements import stated
from farthing.core.offers import OFFERS, OfferRecord
from farthing.core.owners import KEYS, KeyRecord
from farthing.core.payments import PAYMENTS, Payment, body_stated
from farthing.core.records import Row, Table
from farthing.core.sessions import SESSIONS, Session
from farthing.store.database import Tx
from farthing.store.mapping import mapping

PAGE_MAX = 500


def one(tx: Tx, table: Table[Row], key: Any) -> Row | None:
    """Get a record by its key."""
    return tx.fetch(table, [key]).get(key)


def page(
    tx: Tx,
    table: Table[Row],
    where: Mapping[str, Any],
    *,
    after: str = "",
    limit: int = 50,
    also: Sequence[tuple[str, Any]] = (),
) -> list[Row]:
    """List records newest first, those before the cursor `after`, equal in all of `where`.

    Shape: `also` has further conditions with one `?` each, written by us.
    """
    mapped = mapping(table)
    conditions = [mapped.equal(column) for column in where]
    values = list(where.values())
    for condition, value in also:
        conditions.append(condition)
        values.append(value)
    if after:
        conditions.append(f"{table.key} < ?")
        values.append(after)
    clause = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"{mapped.select}{clause} ORDER BY {table.key} DESC LIMIT ?"
    return [mapped.row(row) for row in tx.rows(sql, [*values, min(limit, PAGE_MAX)])]


def key_by_hash(tx: Tx, digest: bytes) -> KeyRecord | None:
    """Find an API key by the hash of its secret."""
    mapped = mapping(KEYS)
    rows = tx.rows(f"{mapped.select} WHERE hash = ?", (digest,))
    return mapped.row(rows[0]) if rows else None


def payment_by_challenge(
    tx: Tx, challenge: str, owner: str | None, device: str = ""
) -> Payment | None:
    """Find the payment that answered a challenge, of a device, or of either owner.

    Shape: whoever pays may name any challenge, so there may be others' payments of the same;
           `owner` None looks among all.
    """
    mapped = mapping(PAYMENTS)
    where, values = "challenge = ?", [challenge]
    if device:
        where, values = f"{where} AND {mapped.equal('device')}", [*values, device]
    elif owner is not None:
        either = f"({mapped.equal('owner')} OR {mapped.equal('payee_owner')})"
        where, values = f"{where} AND {either}", [*values, owner, owner]
    rows = tx.rows(f"{mapped.select} WHERE {where} ORDER BY id LIMIT 1", values)
    return mapped.row(rows[0]) if rows else None


def holds_over(tx: Tx, now_ns: int, limit: int = 500) -> list[str]:
    """List payments whose hold's time is over."""
    sql = (
        "SELECT id FROM payments WHERE state = 'held' AND hold_ends_ns <= ?"
        " ORDER BY hold_ends_ns, id LIMIT ?"
    )
    return [row[0] for row in tx.rows(sql, (now_ns, limit))]


def asks_over(tx: Tx, now_ns: int, limit: int = 500) -> list[str]:
    """List payments that waited for their owner until the deadline."""
    sql = (
        "SELECT id FROM payments WHERE state = 'awaiting' AND ask_ends_ns <= ?"
        " ORDER BY ask_ends_ns, id LIMIT ?"
    )
    return [row[0] for row in tx.rows(sql, (now_ns, limit))]


def listed_offers(
    tx: Tx, now_s: int, payee: str, methods: Sequence[str], limit: int, offset: int
) -> tuple[list[OfferRecord], int]:
    """List the offers that their sellers list and that can be paid now, oldest first; count all.

    Shape: an empty `payee` and empty `methods` leave nothing out.
    """
    mapped = mapping(OFFERS)
    conditions = [
        "listed_at <> ''",
        "withdrawn_ns = 0",
        "valid_from <= ?",
        "(valid_until = 0 OR valid_until > ?)",
        "payee IN (SELECT id FROM account_records WHERE state = 'open')",
    ]
    values: list[Any] = [now_s, now_s]
    if payee:
        conditions.append("payee = ?")
        values.append(payee)
    if methods:
        conditions.append(f"method IN ({', '.join('?' * len(methods))})")
        values += methods
    where = f"WHERE {' AND '.join(conditions)}"
    [(total,)] = tx.rows(f"SELECT COUNT(*) FROM offers {where}", values)  # noqa: S608 - our words
    sql = f"{mapped.select} {where} ORDER BY id LIMIT ? OFFSET ?"
    return [mapped.row(row) for row in tx.rows(sql, [*values, limit, offset])], total


def sessions_due(tx: Tx, now_ns: int, limit: int = 500) -> list[str]:
    """List open sessions whose time and grace are over."""
    sql = (
        "SELECT id FROM sessions WHERE state = 'open' AND closes_ns <= ?"
        " ORDER BY closes_ns, id LIMIT ?"
    )
    return [row[0] for row in tx.rows(sql, (now_ns, limit))]


def sessions_unsettled(tx: Tx, limit: int = 500) -> list[Session]:
    """List closed sessions whose deposits are still held, but for those of frozen accounts."""
    mapped = mapping(SESSIONS)
    sides = "payer IN (?) AND payee IN (?)".replace(
        "?", "SELECT id FROM account_records WHERE state = 'open'"
    )
    return [
        mapped.row(row)
        for row in tx.rows(
            f"{mapped.select} WHERE unsettled > 0 AND {sides} ORDER BY id LIMIT ?", (limit,)
        )
    ]


def next_deadline(tx: Tx) -> int | None:
    """Tell when the next hold, ask or session ends. Units: ns."""
    rows = tx.rows(
        "SELECT MIN(t) FROM (SELECT MIN(hold_ends_ns) AS t FROM payments WHERE state = 'held'"
        " UNION ALL SELECT MIN(ask_ends_ns) AS t FROM payments WHERE state = 'awaiting'"
        " UNION ALL SELECT MIN(closes_ns) AS t FROM sessions WHERE state = 'open') AS ends"
    )
    return rows[0][0]


def events_after(
    tx: Tx,
    owner: str | None,
    number: int,
    limit: int,
    also: str = "",
    values: Sequence[Any] = (),
) -> list[Event]:
    """List events after a number in order: one owner's, or (None) everybody's.

    Shape: `also` is a further condition, written by us, with a `?` for each of the `values`.
    """
    theirs, whose = ("", ()) if owner is None else (f"{_OF_OWNER} AND", (owner,))
    more = f" AND {also}" if also else ""
    sql = f"{_EVENT} WHERE {theirs} events.number > ?{more} ORDER BY events.number LIMIT ?"
    return [_event(row) for row in tx.rows(sql, (*whose, number, *values, limit))]


def events_between(
    tx: Tx, after: int, before: int, limit: int, also: str = "", values: Sequence[Any] = ()
) -> list[Event]:
    """List everybody's events between two numbers, newest first.

    Shape: `also` is a further condition, written by us, with a `?` for each of the `values`.
    """
    more = f" AND {also}" if also else ""
    where = f"WHERE events.number > ? AND events.number < ?{more}"
    sql = f"{_EVENT} {where} ORDER BY events.number DESC LIMIT ?"
    return [_event(row) for row in tx.rows(sql, (after, before, *values, limit))]


_OF_OWNER = mapping(EVENTS).equal("owner")
_EVENT = (
    f"{mapping(EVENTS).select.removesuffix(' FROM events')}, leaves.subject, statement"
    " FROM events LEFT JOIN leaves"
    f" ON body = '{{}}' AND leaves.number = events.number / {PER_LEAF}"
)


def _event(values: Sequence[Any]) -> Event:
    *columns, subject, kept = values
    event = mapping(EVENTS).row(columns)
    if event.body or event.kind not in OF_PAYMENTS:
        return event
    about = event.subject or ids.name("pay", int.from_bytes(subject, "big"))
    return msgspec.structs.replace(event, subject=about, body=body_stated(stated(subject, kept)))


def newest_event(tx: Tx) -> int:
    """Give the number of the newest event, 0 if there is none."""
    return tx.rows("SELECT COALESCE(MAX(number), 0) FROM events")[0][0]


def forget_answers(tx: Tx, before_ns: int) -> None:
    """Delete what is remembered for a while, and has run out: answers, challenges, sign-ins."""
    tx.run("DELETE FROM idempotency WHERE created_ns < ?", (before_ns,))
    tx.run("DELETE FROM answered_challenges WHERE until_ns < ?", (before_ns,))
    tx.run("DELETE FROM signed_in WHERE ends_ns < ?", (before_ns,))
