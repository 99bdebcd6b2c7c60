"""Whom something has to be told, and what was told."""

from collections.abc import Sequence
from typing import NamedTuple

from farthing.core.accounts import ACCOUNTS
from farthing.core.events import Event, Kind
from farthing.core.listeners import (
    ADDRESSES,
    LISTENERS,
    NOTICE_LANES,
    Address,
    Listener,
    NoticeLane,
)
from farthing.core.notices import LANES
from farthing.core.owners import OWNERS
from farthing.core.payments import PAYMENTS, Payment
from farthing.core.people import PEOPLE
from farthing.store.database import Tx
from farthing.store.queries import events_after, newest_event, one

EVENTS_MAX = 1000
"""How many events one notice counts at most."""

_SIDES = ("payer", "payee")
_CHANGES = (Kind.NOTICES_SET.value, Kind.ADDRESS_PROVEN.value, Kind.ADDRESS_REMOVED.value)


class Stirred(NamedTuple):
    """Lanes that may have something to tell since an event, and the newest event.

    Shape: without `any_heard`, nobody is told anything at all; `changed` are lanes of people who
           wish otherwise since then.
    """

    any_heard: bool
    newest: int = 0
    lanes: Sequence[str] = ()
    changed: Sequence[str] = ()


def stirred_lanes(tx: Tx, seen: int | None) -> Stirred:
    """List the lanes that are heard of owners to whom something happened since the event `seen`.

    Shape: all that are heard where nothing was seen yet.
    """
    if not tx.rows("SELECT 1 FROM notice_lanes WHERE heard = 1 LIMIT 1"):
        return Stirred(any_heard=False)
    newest, sql = newest_event(tx), "SELECT id FROM notice_lanes WHERE heard = 1"
    if seen is None:
        return Stirred(True, newest, [ident for (ident,) in tx.rows(f"{sql} ORDER BY id")])
    theirs = (
        " AND owner IN (SELECT name FROM names WHERE number IN"
        " (SELECT DISTINCT owner FROM events WHERE number > ?{}))"
    )
    lanes = tx.rows(f"{sql}{theirs.format('')} ORDER BY id", (seen,))
    marks = ", ".join("?" * len(_CHANGES))
    changed = tx.rows(f"{sql}{theirs.format(f' AND kind IN ({marks})')}", (seen, *_CHANGES))
    return Stirred(True, newest, [one for (one,) in lanes], [one for (one,) in changed])


class Pending(NamedTuple):
    """A lane, whose it is, and what is to be told.

    Shape: `more` says that not all are here; `accounts` are the owner's, of those in the events;
           `ward` says that its reader approves nothing.
    """

    lane: NoticeLane
    listener: Listener
    addresses: Sequence[Address]
    events: Sequence[Event]
    newest: int
    more: bool
    accounts: frozenset[str] = frozenset()
    ward: bool = False


def pending_of(tx: Tx, lane: str, looked: int = 0) -> Pending | None:
    """Read what a lane has to tell; None where nobody is told it any more.

    Shape: up to the event `looked` there was nothing for it.
    """
    found = one(tx, NOTICE_LANES, lane)
    if found is None or not found.heard:
        return None
    newest, kinds = newest_event(tx), LANES[found.name].kinds
    upto, marks = found.upto or newest, ", ".join("?" * len(kinds))
    also = f"events.number <= ? AND events.kind IN ({marks})"
    after = max(found.number, looked)
    events = events_after(tx, found.owner, after, EVENTS_MAX + 1, also, (upto, *kinds))
    pending = reader_of(tx, found, events[:EVENTS_MAX])
    if pending is None:
        return None
    return pending._replace(newest=upto, more=len(events) > EVENTS_MAX)


def reader_of(tx: Tx, lane: NoticeLane, events: Sequence[Event]) -> Pending | None:
    """Read to whom a lane tells these events; None where nobody is told them any more."""
    listener, person = one(tx, LISTENERS, lane.person), one(tx, PEOPLE, lane.person)
    if listener is None or person is None or person.removed_ns:
        return None
    addresses = tx.fetch(ADDRESSES, listener.addresses)
    return Pending(
        lane,
        listener,
        [addresses[ident] for ident in listener.addresses if ident in addresses],
        events,
        lane.upto,
        more=False,
        accounts=_own_accounts(tx, lane.owner, events),
        ward=person.is_ward,
    )


def _own_accounts(tx: Tx, owner: str, events: Sequence[Event]) -> frozenset[str]:
    """Name the accounts of an owner, of those that events are about."""
    named = {str(event.body[side]) for event in events for side in _SIDES if side in event.body}
    found = tx.fetch(ACCOUNTS, list(named)).values() if named else ()
    return frozenset(account.id for account in found if account.owner == owner)


class Asked(NamedTuple):
    """A payment that its owner is asked about, and whom it would pay."""

    payment: Payment
    payee: str


def asked_about(tx: Tx, idents: Sequence[str]) -> dict[str, Asked]:
    """Read the payments that owners were asked about, by their ids."""
    found = tx.fetch(PAYMENTS, list(idents))
    owners = tx.fetch(OWNERS, list({one.payee_owner for one in found.values()}))
    return {
        ident: Asked(one, owners[one.payee_owner].name if one.payee_owner in owners else "")
        for ident, one in found.items()
    }


def listening(tx: Tx, person: str) -> tuple[Listener | None, list[Address]]:
    """Read what a person wishes, and their addresses, oldest first."""
    listener = one(tx, LISTENERS, person)
    if listener is None:
        return None, []
    found = tx.fetch(ADDRESSES, listener.addresses)
    return listener, [found[ident] for ident in listener.addresses if ident in found]


def pushed_to(tx: Tx, person: str, place: str) -> Address | None:
    """Find the address of a person's browser by its URL."""
    _, addresses = listening(tx, person)
    return next((each for each in addresses if (each.way, each.place) == ("push", place)), None)


def forget_tries(tx: Tx, before_ns: int) -> None:
    """Delete what is known of old tries."""
    tx.run("DELETE FROM notice_tries WHERE time_ns < ?", (before_ns,))
