"""What one commit adds to what is known: an overlay, for it may come to nothing.

Most orders are plain, and nobody looks at them (`calm.py`): they are noted, and no more. Of a
device or a payee that is looked at after it was in some, a copy is made, to which orders are added
as they come; so the books may decide anew, or never commit, and what is known for good is as it
was. Memory then takes copies and single orders in, in the order in which they came.
"""

from collections.abc import Sequence
from typing import Self

from farthing.core.judgements import CLEAR, Act, Judgement, Kept, Ordered, Supposed
from farthing.risk.calm import calm_down, is_calm, is_plain
from farthing.risk.judging import Judge
from farthing.risk.known import KnownDevice, KnownPayee
from farthing.risk.memory import NOBODY, Item, Memory, add_order, facts_of


class RiskDraft:
    """One commit's orders on top of a memory, which stays as it is until it takes them.

    Shape: `items` are those that were kept, in their order.
    """

    def __init__(self, memory: Memory, judge: Judge) -> None:
        self._memory, self._judge = memory, judge
        self.items: list[Item] = []
        self._devices: dict[str, KnownDevice] = {}
        self._plain: dict[str, list[Kept]] = {}
        self._payees: dict[str, KnownPayee] = {}
        self._paid: dict[str, list[Item]] = {}
        self._sorted = 0
        self._calm: Ordered | None = None

    def judge(self, ordered: Ordered) -> Judgement:
        """Judge an order by all that was kept before it. Nothing is kept.

        Shape: what a rule in shadow says is said once an hour of a device, or nobody would listen;
               of what changes nothing nothing is said.
        """
        name = ordered.device
        device, before = self._devices.get(name), 0
        if device is None:
            device, before = self._memory.device(name), len(self._plain.get(name, ()))
        if is_calm(device, ordered, before):
            self._calm = ordered
            return CLEAR
        return self._look(ordered, self._copied(name) if before else device)

    def _look(self, ordered: Ordered, device: KnownDevice) -> Judgement:
        payee = self._payees.get(ordered.payee) or self._payee(ordered.payee)
        facts = facts_of(ordered, device, payee)
        act, would, typologies = self._judge.weigh(facts)
        if would is Act.ALLOW:
            if device is not NOBODY:
                calm_down(device, ordered, facts, self._judge.patience(facts))
            return CLEAR
        if act is Act.ALLOW and device.was_told(typologies, ordered.at):
            if is_plain(device, ordered):  # What is like it is told already, too.
                calm_down(device, ordered, facts, self._judge.patience(facts), told=True)
            return CLEAR
        return self._judge.judge(facts)

    def keep(self, kept: Kept) -> None:
        """Know an order from here on."""
        ordered = kept.ordered
        name = ordered.device
        device = self._devices.get(name)
        if device is None:
            if ordered is self._calm or is_plain(self._memory.device(name), ordered):
                # It is added once somebody looks, or when memory takes it.
                self._plain.setdefault(name, []).append(kept)
                self._note((kept, False))
                return
            device = self._copied(name)
        item = kept, kept.paid and ordered.payee not in device.payees
        add_order(device, kept)
        self._note(item)

    def suppose(self, orders: Sequence[Ordered]) -> list[Supposed]:
        """Judge orders, and keep each as if it were paid where it is allowed."""
        found: list[Supposed] = []
        for ordered in orders:
            judgement = self.judge(ordered)
            if judgement is CLEAR:
                kept = Kept(ordered, paid=True)
            else:
                paid, flagged = judgement.act is Act.ALLOW, judgement.typologies
                kept = Kept(ordered, paid, flagged=flagged)
            self.keep(kept)
            found.append(Supposed(judgement, kept))
        return found

    def first(self, count: int) -> Self:
        """Give the same draft after so many orders were kept."""
        draft = type(self)(self._memory, self._judge)
        for kept, _ in self.items[:count]:
            draft.keep(kept)
        return draft

    def _note(self, item: Item) -> None:
        self.items.append(item)
        kept, stranger = item
        if kept.paid and (payee := self._payees.get(kept.ordered.payee)) is not None:
            payee.paid(kept.ordered.at, stranger=stranger)

    def settle(self) -> None:
        """Let memory take in what was kept, once."""
        self._memory.take(self.items, self._devices, self._payees)
        self.items = []

    def _copied(self, name: str) -> KnownDevice:
        """Copy what is known of a device, with those of its orders that were kept."""
        own = self._devices[name] = self._memory.device_copied(name)
        for kept in self._plain.get(name, ()):
            add_order(own, kept)
        return own

    def _payee(self, name: str) -> KnownPayee:
        """Find a payee that is no copy yet, and make one if it was paid."""
        for item in self.items[self._sorted :]:
            payee = item[0].ordered.payee
            if item[0].paid and payee not in self._payees:
                self._paid.setdefault(payee, []).append(item)
        self._sorted = len(self.items)
        if (paid := self._paid.pop(name, None)) is None:
            return self._memory.payee(name)
        own = self._payees[name] = self._memory.payee_copied(name)
        for kept, stranger in paid:
            own.paid(kept.ordered.at, stranger=stranger)
        return own
