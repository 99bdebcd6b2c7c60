"""Who scores: plain baselines, and ours."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.ensemble import IsolationForest

from bench.risk.labelled import Labelled
from farthing.risk.models import Detector, Learned, Table
from farthing.risk.traits import NAMES

LATE_DAYS = 7

_PLAIN = (
    "units", "hour", "day_payments", "week_payments", "month_payments", "day_units",
    "payee_day", "payee_week", "payee_month", "payee_bad_known", "payee_bad_share",
    "payee_bad_week_share",
)  # fmt: skip
"""Amount, hour, and counts of card and terminal over a day, a week and a month."""

Scored = Callable[[Table, Sequence[bool], Table, int], Sequence[float]]
"""Learns from traits and labels, by a seed, and scores others."""


def _column(table: Table, name: str) -> list[float]:
    return [row[NAMES.index(name)] for row in table]


def _amount(_seen: Table, _bad: Sequence[bool], asked: Table, _seed: int) -> Sequence[float]:
    return _column(asked, "units")


def _forest(seen: Table, _bad: Sequence[bool], asked: Table, seed: int) -> Sequence[float]:
    names = [name for name in NAMES if "bad" not in name]
    learned = np.column_stack([_column(seen, name) for name in names])
    forest = IsolationForest(n_estimators=200, random_state=seed).fit(learned)
    return (-forest.score_samples(np.column_stack([_column(asked, n) for n in names]))).tolist()


def _detector(seen: Table, _bad: Sequence[bool], asked: Table, _seed: int) -> Sequence[float]:
    return Detector(seen).score(asked)


def _learned(seen: Table, bad: Sequence[bool], asked: Table, seed: int) -> Sequence[float]:
    return Learned(seen, bad, seed=seed).score(asked)


def _placeless(seen: Table, bad: Sequence[bool], asked: Table, seed: int) -> Sequence[float]:
    keep = [at for at, name in enumerate(NAMES) if "place" not in name]
    return Learned(_only(seen, keep), bad, seed=seed).score(_only(asked, keep))


def _plain(seen: Table, bad: Sequence[bool], asked: Table, seed: int) -> Sequence[float]:
    keep = [NAMES.index(name) for name in _PLAIN]
    return Learned(_only(seen, keep), bad, seed=seed).score(_only(asked, keep))


def _only(table: Table, columns: Sequence[int]) -> Table:
    return [[row[at] for at in columns] for row in table]


CONTENDERS: Mapping[str, tuple[str, Scored]] = {
    "amount": ("the amount alone", _amount),
    "isolation-forest": ("scikit-learn's isolation forest over all traits without labels", _forest),
    "detector": ("ours without labels: how rare three traits are", _detector),
    "plain-trees": ("the same trees as ours on twelve plain traits, labels a week late", _plain),
    "learned-placeless": ("ours with labels a week late, places left out", _placeless),
    "learned": ("ours with labels a week late", _learned),
}
OURS = "learned"


class Split:
    """Payments by time: 70 % to learn from, a week of which nothing is known yet, and the rest."""

    def __init__(self, payments: Sequence[Labelled], days: int) -> None:
        end = days * 7 // 10
        self.seen = [at for at, one in enumerate(payments) if one.day < end]
        self.asked = [at for at, one in enumerate(payments) if one.day >= end + LATE_DAYS]
