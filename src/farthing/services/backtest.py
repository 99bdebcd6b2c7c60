"""What rules would have done: history goes through the code that judges orders as they come."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from farthing.core.judgements import Act, Judgement
from farthing.risk.ladders import ALONE, Ladder
from farthing.risk.orders import Risk
from farthing.services.learning import SOURCES, Retold
from farthing.services.trying import CHAMPION, Candidate, Tried, Trying
from farthing.store.cases import labels as verdicts_of
from farthing.store.database import Tx
from farthing.store.labels import Label, labels
from farthing.store.past_orders import PastOrder

EXAMPLES_MAX = 20


class Example(msgspec.Struct, frozen=True):
    """An order that would have been asked about or refused, and what became of it."""

    payment: str
    act: str
    typologies: Sequence[str]
    reasons: Sequence[str]
    state: str


class Backtest(msgspec.Struct, frozen=True):
    """What would have changed.

    Shape: `replayed` orders were looked at, the `judged` ones since the time that was asked for;
           `acts` counts what the rules that are on say, `would` those in shadow too; `changed`
           counts orders that were paid unasked, and would have been asked about or refused;
           `rules` and `typologies` count orders; `verdicts` count, of orders whose cases somebody
           has decided, what rules say of each verdict's; `examples` are the newest, newest first;
           `models` are those that have scored, the champion first.
    """

    replayed: int
    judged: int
    acts: dict[str, int]
    would: dict[str, int]
    changed: dict[str, int]
    rules: dict[str, int]
    typologies: dict[str, int]
    failed: dict[str, int]
    verdicts: dict[str, int]
    examples: Sequence[Example]
    models: Sequence[Tried] = ()


class Rules(NamedTuple):
    """What is tried: rules, who scores beside them, and the same rules at other thresholds.

    Shape: the champion is heard by the rules; a challenger by others like them.
    """

    risk: Risk
    who: Sequence[Candidate] = ()
    ladder: Ladder = ALONE


class Said(NamedTuple):
    """What people have said of payments: the verdict of each, and labels as they were told."""

    verdicts: Mapping[str, str] = {}
    told: Sequence[Label] = ()


NOTHING_SAID = Said()


class Replay:
    """Takes orders in their order, and counts what the rules say of those since a time.

    Shape: what was paid is what the books say was paid, whatever the rules would have done;
    """

    def __init__(self, rules: Rules, said: Said, since_ns: int = 0) -> None:
        self._risk, self._since_ns = rules.risk, since_ns
        self._count, self.replayed = _Count(said.verdicts), 0
        self._retold = Retold(said.told)
        self._models = _trying(rules, said)

    def add(self, one: PastOrder) -> None:
        """Take the next order."""
        counts = one.created_ns >= self._since_ns
        ordered = self._retold.reach(one)
        if counts:
            self._count.add(one, self._risk.judge(ordered))
        for model in self._models:
            if counts:
                model.judge(one, ordered)
            if model.risk is not self._risk:
                model.risk.keep(ordered, paid=one.was_paid)
        self._risk.keep(ordered, paid=one.was_paid)
        if self._models:
            traits = self._retold.traits.of(ordered)
            for model in self._models:
                model.score(one, ordered, traits, counts=counts)
            if one.was_paid:
                self._retold.traits.keep(ordered)
        self.replayed += 1

    def found(self) -> Backtest:
        """Tell what was counted until now."""
        count = self._count
        return Backtest(
            self.replayed, count.judged, dict(count.acts), dict(count.would), dict(count.changed),
            dict(count.rules.most_common()), dict(count.typologies.most_common()),
            dict(count.failed), dict(sorted(count.verdicts.items())), count.examples[::-1],
            [model.found() for model in self._models],
        )  # fmt: skip


def backtest(
    past: Iterable[PastOrder], rules: Rules, since_ns: int = 0, said: Said = NOTHING_SAID
) -> Backtest:
    """Replay orders, and count what the rules say of those since a time: see `Replay`."""
    replay = Replay(rules, said, since_ns)
    for one in past:
        replay.add(one)
    return replay.found()


def said_of(tx: Tx, after: str = "", leaf: int = 0) -> Said:
    """Read what people have said of payments that come after one, and since a leaf."""
    verdicts = {one.payment: one.verdict for one in verdicts_of(tx, after.replace("pay", "cas", 1))}
    return Said(verdicts, [label for label in labels(tx, leaf) if label.source in SOURCES])


def _trying(rules: Rules, said: Said) -> list[Trying]:
    """Have the champion heard by the rules, and who else there is by others like them."""
    bad = {label.payment: label.bad for label in said.told}  # Told otherwise later is told right.
    bads = {payment for payment, is_bad in bad.items() if is_bad}
    return [
        Trying(one, rules.risk if one.role == CHAMPION else rules.risk.anew(), rules.ladder, bads)
        for one in rules.who
    ]


class _Count:
    """Counts judgements as they come."""

    def __init__(self, verdicts: Mapping[str, str]) -> None:
        self._known, self.verdicts = verdicts, Counter[str]()
        self.acts, self.would, self.changed = Counter[str](), Counter[str](), Counter[str]()
        self.rules, self.typologies, self.failed = Counter[str](), Counter[str](), Counter[str]()
        self.examples: list[Example] = []
        self.judged = 0

    def add(self, past: PastOrder, judgement: Judgement) -> None:
        """Count one order."""
        self.judged += 1
        self.acts[judgement.act.value] += 1
        self.would[judgement.would.value] += 1
        self.rules.update(reason.rule for reason in judgement.reasons)
        self.typologies.update(judgement.typologies)
        self.failed.update(judgement.failed)
        if (verdict := self._known.get(past.payment)) is not None:
            self.verdicts[f"{verdict}: {judgement.would.value}"] += 1
        if judgement.act is not Act.ALLOW and past.was_paid and not past.asked:
            self.changed[judgement.act.value] += 1
        if judgement.would is not Act.ALLOW:
            self.examples = [*self.examples[1 - EXAMPLES_MAX :], _example(past, judgement)]


def _example(past: PastOrder, judgement: Judgement) -> Example:
    reasons = [f"{reason.rule}: {reason.said}" for reason in judgement.reasons]
    return Example(past.payment, judgement.would.value, judgement.typologies, reasons, past.state)
