"""Labels: what was told of payments later, whoever told it, in the order in which it was told.

An owner who denies what a device asked for, and who decides a case, say what a payment was. Money
that is given back says less: most of it is a sale that went wrong, so it counts where one asks for
it.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from farthing.clock import NS
from farthing.core.events import PER_LEAF, Event, Kind
from farthing.core.refusals import Refusal
from farthing.store.database import Tx
from farthing.store.queries import events_after

Source = Literal["denied", "case", "refunded"]

PAGE = 1000

_CASE_DECIDED = Kind.CASE_DECIDED.value
_VERDICTS = {"fraud": True, "legitimate": False}
_KINDS = (Kind.PAYMENT_REFUSED.value, Kind.PAYMENT_REFUNDED.value, _CASE_DECIDED)
_OF_THESE = f"events.kind IN ({', '.join('?' for _ in _KINDS)})"


class Label(NamedTuple):
    """What one payment was told to be. Units: `at` is Unix seconds, by the books."""

    payment: str
    bad: bool
    at: int
    source: Source


def labels(tx: Tx, after: int = 0, end: int | None = None) -> Iterator[Label]:
    """Give what was told by the events of some leaves of the history, `after` left out.

    Shape: `end` is the first leaf that is left out; few labels are in memory at once.
    """
    number = (after + 1) * PER_LEAF - 1
    newest: Label | None = None
    last = None if end is None else end * PER_LEAF
    while page := events_after(tx, None, number, PAGE, _OF_THESE, _KINDS):
        for event in page:
            if last is not None and event.number >= last:
                return
            label = _label(event)
            if label is not None and label != newest:  # What two owners may know is told twice.
                newest = label
                yield label
        number = page[-1].number


def _label(event: Event) -> Label | None:
    at, body = event.time_ns // NS, event.body
    if event.kind == _CASE_DECIDED:
        bad = _VERDICTS.get(str(body.get("verdict")))
        return None if bad is None else Label(str(body["payment"]), bad, at, "case")
    if event.kind == Kind.PAYMENT_REFUNDED.value:
        return Label(event.subject, True, at, "refunded")
    if str(body.get("reason", "")).partition(":")[0] == Refusal.DENIED.value:
        return Label(event.subject, True, at, "denied")
    return None
