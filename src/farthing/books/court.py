"""Orders are judged in the order of the books, by what the books have: commit after commit.

What a judge knows stands where the history stood when it was told last. Whatever else was written
since, by another hub or by a commit whose outcome was not heard, is read from the history before
the next order is judged; so is its newest part where nothing is known, as when a hub starts.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from farthing.books.followed import followed
from farthing.books.memory import Working
from farthing.books.rows import Tip
from farthing.clock import NS
from farthing.core.devices import DEVICES
from farthing.core.flags import flagged_by
from farthing.core.judgements import Draft, Judgement, Judges, Kept, Ordered
from farthing.core.mandates import MANDATES
from farthing.core.payments import PAYMENTS, State
from farthing.core.records import Write

_PAGE = 500
"""Orders that are taken in together, as in a commit."""

_TAKEN = (State.HELD, State.CAPTURED)


class Court:
    """A judge, and up to which leaf of the history everything is known."""

    def __init__(self, judges: Judges) -> None:
        self._judges, self._next_leaf = judges, 0

    def sitting(self, working: Working, tip: Tip) -> "Sitting":
        """Begin with one commit, which follows on this end of the history."""
        return Sitting(self, working, tip)

    def draft(self, working: Working, tip: Tip) -> Draft:
        """Begin with its orders, now that there is one; what was missed is read first."""
        if self._next_leaf != tip.next_leaf:
            self._catch_up(working, tip)
        return self._judges.draft()

    def ended(self, draft: Draft | None, began: int, tip: Tip) -> None:
        """Know what a commit kept, now that it is durable."""
        if self._next_leaf == began:
            self._next_leaf = tip.next_leaf
            if draft is not None:
                self._judges.take(draft)

    def _catch_up(self, working: Working, tip: Tip) -> None:
        judges, first = self._judges, tip.next_leaf - self._judges.reach
        if first > self._next_leaf or tip.next_leaf < self._next_leaf:
            self._judges, self._next_leaf = judges.anew(), 0  # Too much was missed, or undone.
        missed = followed(working.tx, max(1, first, self._next_leaf), tip.next_leaf)
        while page := list(islice(missed, _PAGE)):
            draft = self._judges.draft()
            for kept in page:
                draft.keep(kept)
            self._judges.take(draft)
        self._next_leaf = tip.next_leaf


class Sitting:
    """One commit's orders, each judged by all before it."""

    def __init__(self, court: Court, working: Working, tip: Tip) -> None:
        self._court, self._working, self._tip = court, working, tip
        self._draft: Draft | None = None
        self._ordered: Ordered | None = None

    def judge(self, ordered: Ordered) -> Judgement:
        """Judge an order. Nothing is kept."""
        draft = self._draft
        if draft is None:
            draft = self._draft = self._court.draft(self._working, self._tip)
        self._ordered = ordered
        return draft.judge(ordered)

    def paid(self) -> None:
        """Keep the order that was judged last: nothing stood against it."""
        if self._draft is not None and self._ordered is not None:
            self._draft.keep(Kept(self._ordered, paid=True))

    def keep(self, writes: Sequence[Write]) -> None:
        """Keep what a unit decided of orders, before its rows are written."""
        for write in writes:
            if write.table is PAYMENTS:
                self._keep(write.row)

    def ended(self, tip: Tip) -> None:
        """Know all that was kept: its commit is durable, and this is where the history ends."""
        self._court.ended(self._draft, self._tip.next_leaf, tip)

    def _keep(self, payment: Any) -> None:
        before = self._working.record(PAYMENTS, payment.id)
        taken = payment.state in _TAKEN
        if before is not None and not (taken and before.state is State.AWAITING):
            return
        if self._draft is None:
            self._draft = self._court.draft(self._working, self._tip)
        answered = before is not None
        at = (payment.changed_ns if answered else payment.created_ns) // NS
        zone = self._zone(payment.device)
        ordered = Ordered(payment.device, payment.payee, payment.amount, at, zone)
        self._draft.keep(Kept(ordered, taken, answered, () if answered else flagged_by(payment)))

    def _zone(self, ident: str) -> str:
        device = self._working.record(DEVICES, ident)
        mandate = self._working.record(MANDATES, device.mandate) if device is not None else None
        return mandate.zone if mandate is not None else "UTC"
