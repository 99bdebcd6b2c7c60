"""Memory and judge together: the one way for orders, live and in a replay."""

from collections.abc import Sequence
from typing import Self

from farthing.core.judgements import Draft, Judgement, Ordered, Ranked
from farthing.errors import InvariantBroken
from farthing.risk.base import Facts
from farthing.risk.drafts import RiskDraft
from farthing.risk.judging import Judge
from farthing.risk.memory import Memory

REACH = 50_000
"""Of how much history memory is made again, in leaves: a second or so, when a hub starts."""


class Risk:
    """Judges orders by all that it was told to keep."""

    def __init__(self, memory: Memory, judge: Judge, reach: int = REACH) -> None:
        self._memory, self._judge, self.reach = memory, judge, reach

    def anew(self) -> Self:
        """Give the same judge, who knows nothing."""
        return type(self)(self._memory.anew(), self._judge, self.reach)

    def draft(self) -> RiskDraft:
        """Begin with the orders of one commit."""
        return RiskDraft(self._memory, self._judge)

    def heed(self, ranked: Sequence[Ranked]) -> None:
        """Hear what a model found of orders that are known."""
        self._memory.heed(ranked)

    def take(self, draft: Draft) -> None:
        """Know what a draft has kept: its commit is durable."""
        if not isinstance(draft, RiskDraft):
            raise InvariantBroken("invariant-broken", "a draft is taken by who made it")
        draft.settle()

    def facts(self, ordered: Ordered) -> Facts:
        """Tell what is known as an order comes in. Nothing is kept."""
        return self._memory.facts(ordered)

    def judge(self, ordered: Ordered) -> Judgement:
        """Judge an order by all that was kept before it. Nothing is kept."""
        return self._judge.judge(self._memory.facts(ordered))

    def keep(self, ordered: Ordered, *, paid: bool) -> None:
        """Remember an order, and whether it was authorised."""
        self._memory.keep(ordered, paid=paid)

    def judge_each(self, orders: Sequence[Ordered]) -> list[Judgement]:
        """Judge orders that came together, one after the other: each knows those before it.

        Shape: what is allowed is taken for paid, and is kept.
        """
        draft = self.draft()
        answers = [one.judgement for one in draft.suppose(orders)]
        draft.settle()
        return answers
