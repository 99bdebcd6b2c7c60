"""The past as models learn from it: orders with their traits, and what was told of them later.

Each order is seen as it came in, by what was known then: labels count from when they were told.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from farthing import ids
from farthing.clock import NS
from farthing.core.judgements import Ordered
from farthing.risk.days import DAYS
from farthing.risk.known import DAY
from farthing.risk.training import Seen
from farthing.risk.traits import Traits
from farthing.store.database import Tx
from farthing.store.labels import Label, Source, labels
from farthing.store.past_orders import PastOrder, past_orders

ROWS_MAX = 200_000
"""Of how many orders a model learns at most, the newest: two hundred megabytes."""

LATE_DAYS = 7
"""So many days labels are waited for: an order younger than that is not taken for good."""

SOURCES: Sequence[Source] = ("denied", "case")


class Row(NamedTuple):
    """An order's traits, when it came in, and which payment it was. Units: Unix seconds."""

    at: int
    payment: str
    traits: Sequence[int]


class Retold:
    """Traits as past orders come in again, and what was told of earlier ones until then."""

    def __init__(self, told: Sequence[Label], traits: Traits | None = None) -> None:
        self.traits = Traits() if traits is None else traits
        self._named = {label.payment for label in told}
        self._ordered: dict[str, Ordered] = {}
        self._waiting = sorted((one for one in told if one.bad), key=lambda one: one.at)[::-1]

    def reach(self, one: PastOrder) -> Ordered:
        """Hear what had been told when this order came in, and give it as it is judged."""
        at = one.created_ns // NS
        while self._waiting and self._waiting[-1].at <= at:
            bad = self._ordered.get(self._waiting.pop().payment)
            if bad is not None:
                self.traits.tell_bad(bad)
        ordered = Ordered(one.device, one.payee, one.amount, at, one.zone)
        if one.payment in self._named:
            self._ordered[one.payment] = ordered
        return ordered


def rows(
    past: Iterable[PastOrder], told: Sequence[Label], since: int, traits: Traits | None = None
) -> Iterator[Row]:
    """Give the traits of orders since a time, in their order; those before are remembered."""
    retold = Retold(told, traits)
    for one in past:
        ordered = retold.reach(one)
        if ordered.at >= since:
            yield Row(ordered.at, one.payment, retold.traits.of(ordered))
        if one.was_paid:
            retold.traits.keep(ordered)


def seen(
    tx: Tx,
    since: int,
    until: int,
    sources: Collection[Source] = SOURCES,
    rows_max: int = ROWS_MAX,
) -> Seen:
    """Give what orders of some time were like, and what was told of them.

    Units: Unix seconds; `until` is left out. Shape: the newest, so many at most.
    """
    told = [label for label in labels(tx) if label.source in sources]
    found: list[Row] = []
    for row in rows(_since(tx, since), told, since):
        if row.at < until:
            found.append(row)
            if len(found) >= 2 * rows_max:
                del found[:-rows_max]
    found = found[-rows_max:]
    last = {label.payment: label for label in told}  # Who is told otherwise later is told right.
    bad = [row.payment in last and last[row.payment].bad for row in found]
    counted = Counter(last[row.payment].source for row in found if row.payment in last)
    return Seen([row.traits for row in found], bad, [row.at for row in found], counted)


def _since(tx: Tx, since: int) -> Iterator[PastOrder]:
    """Give orders from so long before a time that all that traits look back on is known."""
    return past_orders(tx, max(0, since - DAYS * DAY) * 1000)


def late(now: int) -> int:
    """Tell until when orders had time to be told of. Units: Unix seconds."""
    return now - LATE_DAYS * DAY


def newest_order(tx: Tx) -> int:
    """Tell about when the newest order came; 0 without one. Units: Unix seconds."""
    found = tx.rows("SELECT id FROM payments ORDER BY id DESC LIMIT 1")
    return ids.time_ms(ids.number("pay", found[0][0])) // 1000 if found else 0
