"""What one commit adds to what is known: an overlay, for it may come to nothing.

Most devices and sellers come once in a commit, and are looked at where they are. Of one that comes
again a copy is made, to which its orders are added as they come; so the books may decide anew, or
never commit, and what is known for good is as it was. Memory then takes copies and single orders
in, in the order in which they came.
"""

from typing import NamedTuple

from farthing.core.judgements import CLEAR, Act, Judgement, Kept, Ordered
from farthing.risk.judging import Judge
from farthing.risk.known import KnownDevice, KnownPayee
from farthing.risk.memory import Memory, add_order, facts_of


class Item(NamedTuple):
    """What was kept, and whether the device had never paid that payee."""

    kept: Kept
    stranger: bool


class RiskDraft:
    """One commit's orders on top of a memory, which stays as it is until it takes them.

    Shape: `items` are those that were kept, in their order.
    """

    def __init__(self, memory: Memory, judge: Judge) -> None:
        self._memory, self._judge = memory, judge
        self.items: list[Item] = []
        self._devices: dict[str, KnownDevice] = {}
        self._payees: dict[str, KnownPayee] = {}
        self._once: dict[str, Item] = {}
        self._once_payees: dict[str, Item] = {}

    def judge(self, ordered: Ordered) -> Judgement:
        """Judge an order by all that was kept before it. Nothing is kept.

        Shape: what a rule in shadow says is said once an hour of a device, or nobody would listen.
        """
        device, payee = self._device(ordered.device), self._payee(ordered.payee)
        judgement = self._judge.judge(facts_of(ordered, device, payee))
        quiet = judgement.act is Act.ALLOW and judgement.would is not Act.ALLOW
        if quiet and device.was_told(judgement.typologies, ordered.at):
            return CLEAR
        return judgement

    def keep(self, kept: Kept) -> None:
        """Know an order from here on."""
        name, payee = kept.ordered.device, kept.ordered.payee
        device = self._device(name)
        stranger = kept.paid and payee not in device.payees
        item = Item(kept, stranger)
        if name in self._devices:
            add_order(device, kept)
        else:
            self._once[name] = item
        if kept.paid:
            known = self._payee(payee)
            if payee in self._payees:
                known.paid(kept.ordered.at, stranger=stranger)
            else:
                self._once_payees[payee] = item
        self.items.append(item)

    def settle(self) -> None:
        """Let memory take in what was kept, once."""
        memory = self._memory
        for kept, stranger in self.items:
            ordered = kept.ordered
            memory.keep_device(ordered.device, self._devices.get(ordered.device), kept)
            if kept.paid:
                known = self._payees.get(ordered.payee)
                memory.keep_payee(ordered.payee, known, ordered.at, stranger=stranger)
        self.items = []

    def _device(self, name: str) -> KnownDevice:
        own = self._devices.get(name)
        if own is None:
            if (item := self._once.get(name)) is None:
                return self._memory.device(name)
            own = self._devices[name] = self._memory.device_copied(name)
            add_order(own, item.kept)
        return own

    def _payee(self, name: str) -> KnownPayee:
        own = self._payees.get(name)
        if own is None:
            if (item := self._once_payees.get(name)) is None:
                return self._memory.payee(name)
            own = self._payees[name] = self._memory.payee_copied(name)
            own.paid(item.kept.ordered.at, stranger=item.stranger)
        return own
