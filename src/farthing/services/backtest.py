"""What rules would have done: history goes through the code that judges orders as they come."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from farthing.clock import NS
from farthing.core.judgements import Act, Judgement, Ordered
from farthing.core.payments import State
from farthing.risk.orders import Risk
from farthing.store.past_orders import PastOrder

EXAMPLES_MAX = 20
_UNPAID = (State.REFUSED.value, State.AWAITING.value)


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
           has decided, what rules say of each verdict's; `examples` are the newest, newest first.
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
        if judgement.act is not Act.ALLOW and was_paid(past) and not past.asked:
            self.changed[judgement.act.value] += 1
        if judgement.would is not Act.ALLOW:
            self.examples = [*self.examples[1 - EXAMPLES_MAX :], _example(past, judgement)]


def backtest(
    past: Iterable[PastOrder],
    risk: Risk,
    since_ns: int = 0,
    verdicts: Mapping[str, str] | None = None,
) -> Backtest:
    """Replay orders, and count what the rules say of those since a time.

    Shape: what was paid is what the books say was paid, whatever the rules would have done;
           `verdicts` are what people have said of payments.
    """
    count, replayed = _Count(verdicts or {}), 0
    for one in past:
        ordered = Ordered(one.device, one.payee, one.amount, one.created_ns // NS, one.zone)
        if one.created_ns >= since_ns:
            count.add(one, risk.judge(ordered))
        risk.keep(ordered, paid=was_paid(one))
        replayed += 1
    return Backtest(
        replayed, count.judged, dict(count.acts), dict(count.would), dict(count.changed),
        dict(count.rules.most_common()), dict(count.typologies.most_common()), dict(count.failed),
        dict(sorted(count.verdicts.items())),
        count.examples[::-1],
    )  # fmt: skip


def was_paid(past: PastOrder) -> bool:
    """Tell whether an order was authorised; what was voided or expired later, was."""
    return past.state not in _UNPAID


def _example(past: PastOrder, judgement: Judgement) -> Example:
    reasons = [f"{reason.rule}: {reason.said}" for reason in judgement.reasons]
    return Example(past.payment, judgement.would.value, judgement.typologies, reasons, past.state)
