"""Models on the past: what each would have scored, and what rules would have made of it.

A score is heard by the next order of its device, as in a running hub; what is heard there a moment
later, because scoring takes its time, is heard here at once.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import msgspec

from farthing.core.judgements import Act, Ordered, Ranked
from farthing.errors import FarthingError
from farthing.risk.ladders import Ladder
from farthing.risk.orders import Risk
from farthing.risk.quantiles import RANK_TOLD_MIN
from farthing.services.model_shelf import ROLES, Named, Role, Shelf
from farthing.store.past_orders import PastOrder


class Candidate(NamedTuple):
    """A model that ranks traits, and its role."""

    role: Role
    name: str
    rank: Callable[[Sequence[int]], int]


CHAMPION: Role = "champion"


def promoted(shelf: Shelf) -> list[Candidate]:
    """Give who was promoted; of one that cannot be used, what breaks with the reason."""
    try:
        roles = shelf.roles()
    except FarthingError as fault:
        return [broken(CHAMPION, "roles.json", str(fault))]
    found: list[Candidate] = []
    for role in ROLES:
        named: Named | None = getattr(roles, role)
        if named is None:
            continue
        try:
            found.append(Candidate(role, named.name, shelf.read(named).ranker()))
        except FarthingError as fault:
            found.append(broken(role, named.name, str(fault)))
    return found


def broken(role: Role, name: str, why: str) -> Candidate:
    """Give one that ranks nothing, and says why."""

    def rank(_traits: Sequence[int]) -> int:
        raise RuntimeError(why)

    return Candidate(role, name, rank)


class Step(msgspec.Struct, frozen=True):
    """What one threshold would have come to.

    Shape: `odd` orders scored at least `rank_min`, and so many of them were told to be bad;
           `changed` counts orders that were paid unasked, that the other rules let pass, and that
           would have been asked about or refused for the word of the model.
    """

    rank_min: int
    odd: int
    odd_bad: int
    changed: dict[str, int]


class Tried(msgspec.Struct, frozen=True):
    """What became of a model. Shape: `fault` says why it scored no further."""

    role: str
    name: str
    scored: int
    bad: int
    fault: str
    steps: Sequence[Step]


class Trying:
    """A model that is tried, and the rules that hear of it."""

    def __init__(self, who: Candidate, risk: Risk, ladder: Ladder, bads: Collection[str]) -> None:
        self.risk, self._who, self._ladder, self._bads = risk, who, ladder, bads
        self._odd, self._odd_bad = Counter[int](), Counter[int]()
        self._changed = {rank: Counter[str]() for rank, _ in ladder.steps}
        self._scored = self._bad = 0
        self._fault = ""

    def judge(self, one: PastOrder, ordered: Ordered) -> None:
        """Count what would change at each threshold, by what the model has said before."""
        if one.asked or not one.was_paid:
            return
        facts = self.risk.facts(ordered)
        heard = [step for step in self._ladder.steps if step[0] <= facts.model_rank]
        if not heard or self._ladder.without.weigh(facts).act is not Act.ALLOW:
            return
        for rank, judge in heard:
            act = judge.weigh(facts).act
            if act is not Act.ALLOW:
                self._changed[rank][act.value] += 1

    def score(
        self, one: PastOrder, ordered: Ordered, traits: Sequence[int], *, counts: bool
    ) -> None:
        """Score an order that is known by now, for the next one to hear of it."""
        if self._fault:
            return
        try:
            rank = self._who.rank(traits)
        except Exception as fault:
            self._fault = str(fault) or repr(fault)
            return
        if rank >= RANK_TOLD_MIN:
            self.risk.heed([Ranked(one.device, rank, ordered.at)])
        if counts:
            self._count(rank, is_bad=one.payment in self._bads)

    def _count(self, rank: int, *, is_bad: bool) -> None:
        self._scored += 1
        self._bad += is_bad
        for least, _ in self._ladder.steps:
            if rank < least:
                return
            self._odd[least] += 1
            self._odd_bad[least] += is_bad

    def found(self) -> Tried:
        """Tell what was counted until now."""
        steps = [
            Step(rank, self._odd[rank], self._odd_bad[rank], dict(self._changed[rank]))
            for rank, _ in self._ladder.steps
        ]
        return Tried(self._who.role, self._who.name, self._scored, self._bad, self._fault, steps)
