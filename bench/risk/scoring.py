"""What scores are worth: how well they part bad from good, and what a day's look finds."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec
from sklearn.metrics import average_precision_score, roc_auc_score

from bench.risk.labelled import Labelled

ALERTS_A_DAY = 50
FALSE_SHARE = 0.001


class Worth(msgspec.Struct, frozen=True):
    """What the scores of one data set's last days are worth.

    Units: all are shares, of 1. Shape: `card_precision` is the share of cards that paid for
           something bad on a day, among the `ALERTS_A_DAY` with that day's highest scores, over
           all days; `recall` is what is found where one good payment in a thousand is flagged.
    """

    auc: float
    average_precision: float
    card_precision: float
    recall: float
    auc_of_scenario: Mapping[str, float]
    recall_of_scenario: Mapping[str, float]


def worth(payments: Sequence[Labelled], scores: Sequence[float]) -> Worth:
    """Measure scores of payments that are in the order of their time."""
    bad = [bool(one.scenario) for one in payments]
    line = threshold([score for score, is_bad in zip(scores, bad, strict=True) if not is_bad])
    scenarios = sorted({one.scenario for one in payments} - {0})
    return Worth(
        auc=float(roc_auc_score(bad, scores)),
        average_precision=float(average_precision_score(bad, scores)),
        card_precision=card_precision(payments, scores),
        recall=_recall(payments, scores, line, None),
        auc_of_scenario={str(n): _auc_of(payments, scores, n) for n in scenarios},
        recall_of_scenario={str(n): _recall(payments, scores, line, n) for n in scenarios},
    )


def threshold(good: Sequence[float]) -> float:
    """Give the score above which at most `FALSE_SHARE` of the good ones are."""
    ordered = sorted(good, reverse=True)
    return ordered[int(len(ordered) * FALSE_SHARE)]


def card_precision(
    payments: Sequence[Labelled], scores: Sequence[float], alerts: int = ALERTS_A_DAY
) -> float:
    """Look at some cards a day, and give the share of them that were right to look at."""
    looked = right = 0
    scored = zip(payments, scores, strict=True)
    for _, day in groupby(scored, key=lambda pair: pair[0].day):
        highest: dict[str, float] = {}
        bad: set[str] = set()
        for one, score in day:
            card = one.ordered.device
            highest[card] = max(score, highest.get(card, score))
            if one.scenario:
                bad.add(card)
        # Equal scores in the order of the card's name, which tells nothing.
        chosen = sorted(highest, key=lambda card: (-highest[card], card))[:alerts]
        looked += len(chosen)
        right += len(bad.intersection(chosen))
    return right / looked


def _auc_of(payments: Sequence[Labelled], scores: Sequence[float], scenario: int) -> float:
    """Part the bad of one scenario from the good."""
    pairs = [
        (one.scenario == scenario, score)
        for one, score in zip(payments, scores, strict=True)
        if one.scenario in (0, scenario)
    ]
    return float(roc_auc_score([bad for bad, _ in pairs], [score for _, score in pairs]))


def _recall(
    payments: Sequence[Labelled], scores: Sequence[float], line: float, scenario: int | None
) -> float:
    found = [
        score > line
        for one, score in zip(payments, scores, strict=True)
        if one.scenario and scenario in (None, one.scenario)
    ]
    return sum(found) / len(found)
