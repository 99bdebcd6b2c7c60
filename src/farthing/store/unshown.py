"""Asks that were pushed and that no browser has shown, as the tries tell it: also after a crash."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from farthing.core.listeners import NOTICE_LANES, lane_id
from farthing.core.notices import LANES
from farthing.core.telling import NOTICE_TRIES, NoticeTry
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.notices import EVENTS_MAX, Pending, reader_of
from farthing.store.queries import events_after, one

PUSH = "push"
"""The way of which a delivery says nothing of whether anybody saw it."""
ASKS = "asks"


class Unshown(NamedTuple):
    """What a notice told that was pushed, and when it was. Units: Unix ns."""

    found: Pending
    pushed_ns: int


def unshown_pushes(tx: Tx) -> list[Unshown]:
    """List notices about what still awaits an answer that were pushed, and neither shown nor told
    by a further way.

    Shape: as far back as the oldest ask that waits; each with all events that it was about.
    """
    oldest = tx.rows("SELECT MIN(created_ns) FROM payments WHERE state = 'awaiting'")[0][0]
    if oldest is None:
        return []
    mapped = mapping(NOTICE_TRIES)
    rows = tx.rows(f"{mapped.select} WHERE time_ns >= ? ORDER BY time_ns, id", (oldest,))
    notices = dict[str, list[NoticeTry]]()
    for row in map(mapped.row, rows):
        notices.setdefault(row.notice, []).append(row)
    found = [_unshown(tx, notice, tries, notices) for notice, tries in notices.items()]
    return [each for each in found if each is not None]


def _unshown(
    tx: Tx, notice: str, tries: Sequence[NoticeTry], notices: dict[str, list[NoticeTry]]
) -> Unshown | None:
    person, name, number = _parts(notice)
    told = [each for each in tries if not each.fault]
    if name != ASKS or not told or any(each.way != PUSH for each in told):
        return None  # It was shown, or went on to another way.
    lane = one(tx, NOTICE_LANES, lane_id(person, ASKS))
    if lane is None or not lane.heard or lane.number <= number:
        return None  # It is under way, and told by its lane.
    later = [n for p, lane_name, n in map(_parts, notices) if (p, lane_name) == (person, ASKS)]
    upto = min([n for n in later if n > number] + [lane.number])
    kinds = LANES[ASKS].kinds
    also = f"events.number <= ? AND events.kind IN ({', '.join('?' * len(kinds))})"
    events = events_after(tx, lane.owner, number, EVENTS_MAX, also, (upto, *kinds))
    found = reader_of(tx, msgspec.structs.replace(lane, number=number, upto=upto), events)
    return None if found is None else Unshown(found, told[-1].time_ns)


def _parts(notice: str) -> tuple[str, str, int]:
    person, name, number = notice.split(".")
    return person, name, int(number)
