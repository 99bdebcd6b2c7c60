"""Orders are judged in the order of the books, by what the books have: commit after commit.

What a judge knows stands where the history stood when it was told last. Whatever else was written
since, by another hub or by a commit whose outcome was not heard, is read from the history before
the next order is judged; so is its newest part where nothing is known, as when a hub starts.
"""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from farthing.books.base import Tx
from farthing.books.followed import followed
from farthing.books.memory import Working
from farthing.books.rows import Tip
from farthing.clock import NS
from farthing.core.devices import DEVICES
from farthing.core.flags import flagged_by
from farthing.core.judgements import (
    CLEAR,
    Draft,
    Judgement,
    Judges,
    Kept,
    Ordered,
    Ranked,
    Supposed,
)
from farthing.core.mandates import MANDATES
from farthing.core.orders import Order
from farthing.core.payments import PAYMENTS, State
from farthing.core.records import Write

_PAGE = 500
"""Orders that are taken in together, as in a commit."""

_HEARD_MAX = 20_000

_ASKED_MAX = 10_000
"""Orders whose owners are asked, and of which it is known where they came from."""

STEP_LEAVES = 2000
"""Of the history, read at once before there is an order that waits for it."""

_TOGETHER_MIN, _WARY_COMMITS = 4, 8

_TAKEN = (State.HELD, State.CAPTURED)


class Recalled(NamedTuple):
    """How much of the history a step has read, in leaves, and how much is left to read."""

    read: int
    left: int


class Judged(NamedTuple):
    """How many new orders a commit had, and how long they took to be judged and remembered.

    Units: `seconds` have what was missed of the history in them, if some was read first.
    """

    orders: int
    seconds: float


NONE_JUDGED = Judged(0, 0.0)


class Court:
    """A judge, and up to which leaf of the history everything is known."""

    def __init__(self, judges: Judges) -> None:
        self._judges, self._next_leaf, self._wary = judges, 0, 0
        self._heard: list[Ranked] = []
        self._asked: dict[str, str] = {}

    def sitting(self, working: Working, tip: Tip) -> "Sitting":
        """Begin with one commit, which follows on this end of the history."""
        return Sitting(self, working, tip)

    def draft(self, working: Working, tip: Tip) -> Draft:
        """Begin with its orders, now that there is one; what was missed is read first."""
        if self._next_leaf != tip.next_leaf:
            self._catch_up(working, tip)
        if self._heard:
            heard, self._heard = self._heard, []
            self._judges.heed(heard)
        return self._judges.draft()

    def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found; it is known from the next order on, when no draft is open."""
        self._heard = [*self._heard, *ranked][-_HEARD_MAX:]

    def asked(self, places: Mapping[str, str]) -> None:
        """Hear where orders came from that their owners are asked about, by their payments' ids."""
        self._asked.update(places)
        while len(self._asked) > _ASKED_MAX:
            del self._asked[next(iter(self._asked))]

    def place_asked(self, payment: str) -> str:
        """Tell where an order came from that its owner was asked about; empty if nobody knows."""
        return self._asked.get(payment, "")

    def is_foreseen(self) -> bool:
        """Tell whether it is worth while to judge what comes next beforehand."""
        self._wary = max(0, self._wary - 1)
        return not self._wary

    def surprised(self) -> None:
        """Hear that a commit went otherwise than was supposed; the next ones may, too."""
        self._wary = _WARY_COMMITS

    def ended(self, draft: Draft | None, began: int, tip: Tip) -> None:
        """Know what a commit kept, now that it is durable."""
        if self._next_leaf == began:
            self._next_leaf = tip.next_leaf
            if draft is not None:
                self._judges.take(draft)

    def recall(self, tx: Tx, tip: Tip, leaves: int) -> Recalled:
        """Read a step of what is not known yet, before there is an order that waits for it."""
        if self._next_leaf == tip.next_leaf:
            return Recalled(0, 0)
        first = self._first_missed(tip)
        self._read(tx, first, min(tip.next_leaf, first + leaves))
        return Recalled(self._next_leaf - first, tip.next_leaf - self._next_leaf)

    def _catch_up(self, working: Working, tip: Tip) -> None:
        for first in range(self._first_missed(tip), tip.next_leaf, STEP_LEAVES):
            self._read(working.tx, first, min(tip.next_leaf, first + STEP_LEAVES))
        self._next_leaf = tip.next_leaf

    def _first_missed(self, tip: Tip) -> int:
        """Tell from which leaf on to read; where too much was missed, or undone, begin anew."""
        first = tip.next_leaf - self._judges.reach
        if first > self._next_leaf or tip.next_leaf < self._next_leaf:
            self._judges, self._next_leaf = self._judges.anew(), 0
        return max(1, first, self._next_leaf)

    def _read(self, tx: Tx, first: int, end: int) -> None:
        """Know what these leaves say: all of it, or nothing where reading fails."""
        missed = list(followed(tx, first, end))
        for start in range(0, len(missed), _PAGE):
            draft = self._judges.draft()
            for kept in missed[start : start + _PAGE]:
                draft.keep(kept)
            self._judges.take(draft)
        self._next_leaf = end


class Sitting:
    """One commit's orders, each judged by all before it.

    Units: `now` is the book's time, in seconds.
    Shape: where a commit has several, all are judged at once beforehand, supposing that each will
           be taken unless its judgement is against it: together they take a fraction of what they
           take between other work. Once something turns out otherwise, orders are judged at their
           turns. The clock is read around what is judged at once, and not for each order of it.
    """

    def __init__(self, court: Court, working: Working, tip: Tip) -> None:
        self._court, self._working, self._tip = court, working, tip
        self._draft: Draft | None = None
        self._ordered: Ordered | None = None
        self._orders: Sequence[Order] = ()
        self._supposed: Sequence[Supposed] = ()
        self._at = self._kept = self._answered = 0
        self._seconds, self._place = 0.0, ""
        self._asked: dict[str, str] = {}

    @property
    def judged(self) -> Judged:
        """Tell what its orders took; of a commit that has ended."""
        return Judged(self._kept + self._at - self._answered, self._seconds)

    def foresee(self, orders: Sequence[tuple[Order, str, str]], now: int) -> None:
        """Judge orders that will come next, supposing that they are taken.

        Shape: each comes with its zone and its place.
        """
        if len(orders) < _TOGETHER_MIN or not self._court.is_foreseen():
            return
        began = perf_counter()
        self._orders = [order for order, _, _ in orders]
        self._supposed = self._begun().suppose(
            [
                Ordered(each.device, each.payee, each.amount, now, zone, place)
                for each, zone, place in orders
            ]
        )
        self._at = 0
        self._seconds += perf_counter() - began

    def is_odd(self, order: Order, zone: str, place: str, now: int) -> bool:
        """Tell whether an order is flagged. Nothing is kept."""
        at = self._at
        if at < len(self._supposed) and self._orders[at] is order:
            self._ordered = None
            ordered, judgement = self._supposed[at].kept.ordered, self._supposed[at].judgement
            if ordered.zone == zone:
                return judgement is not CLEAR
        ordered = Ordered(order.device, order.payee, order.amount, now, zone, place)
        return self.judge(ordered) is not CLEAR

    def judge(self, ordered: Ordered) -> Judgement:
        """Judge an order. Nothing is kept."""
        self._place = ordered.place
        if self._at < len(self._supposed):
            supposed = self._supposed[self._at]
            if supposed.kept.ordered == ordered:
                self._ordered = None
                return supposed.judgement
        began = perf_counter()
        draft = self._surprised()
        self._ordered = ordered
        judgement = draft.judge(ordered)
        self._seconds += perf_counter() - began
        return judgement

    def paid(self) -> None:
        """Keep the order that was judged last: nothing stood against it."""
        if self._ordered is None:
            self._at += 1  # As was supposed.
        else:
            self._surprised().keep(Kept(self._ordered, paid=True))
            self._kept += 1

    def keep(self, writes: Sequence[Write]) -> None:
        """Keep what a unit decided of orders, before its rows are written."""
        for write in writes:
            if write.table is PAYMENTS:
                self._keep(write.row)

    def ended(self, tip: Tip) -> None:
        """Know all that was kept: its commit is durable, and this is where the history ends."""
        began = perf_counter()
        if self._at < len(self._supposed):
            self._surprised()
        self._court.ended(self._draft, self._tip.next_leaf, tip)
        self._court.asked(self._asked)
        self._seconds += perf_counter() - began

    def _begun(self) -> Draft:
        if self._draft is None:
            self._draft = self._court.draft(self._working, self._tip)
        return self._draft

    def _surprised(self) -> Draft:
        """Judge at their turns from here on, by what was truly kept."""
        draft = self._begun()
        if self._supposed:
            self._kept += self._at
            if self._at < len(self._supposed):
                self._court.surprised()
                draft = self._draft = draft.first(self._kept)
            self._supposed, self._at = (), 0
        return draft

    def _keep(self, payment: Any) -> None:
        before = self._working.record(PAYMENTS, payment.id)
        taken = payment.state in _TAKEN
        if before is not None and not (taken and before.state is State.AWAITING):
            return
        answered = before is not None
        at = (payment.changed_ns if answered else payment.created_ns) // NS
        zone, place = self.zone(payment.device), self._place_of(payment.id, answered=answered)
        if payment.state is State.AWAITING and place:
            self._asked[payment.id] = place
        ordered = Ordered(payment.device, payment.payee, payment.amount, at, zone, place)
        self._answered += answered
        kept = Kept(ordered, taken, answered, () if answered else flagged_by(payment))
        if self._at < len(self._supposed) and self._supposed[self._at].kept == kept:
            self._at += 1
            return
        self._surprised().keep(kept)
        self._kept += 1

    def _place_of(self, payment: str, *, answered: bool) -> str:
        """Give the place of the order that was judged just now, or before its owner was asked."""
        if not answered:
            return self._place
        return self._asked.get(payment) or self._court.place_asked(payment)

    def zone(self, ident: str) -> str:
        """Give the time zone that a device's orders are judged in."""
        device = self._working.record(DEVICES, ident)
        mandate = self._working.record(MANDATES, device.mandate) if device is not None else None
        return mandate.zone if mandate is not None else "UTC"
