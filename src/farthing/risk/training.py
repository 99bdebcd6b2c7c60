"""Training: from traits, and what was told of payments later, to a model that can be kept."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from farthing.errors import Conflict
from farthing.risk.drift import Bins, bins_of
from farthing.risk.kept import FORMAT, Card, Kept, KeptDetector, KeptTrees, Node
from farthing.risk.measures import area_under_curve, average_precision
from farthing.risk.models import Detector, Learned, Table
from farthing.risk.quantiles import below, quantiles
from farthing.risk.traits import NAMES

Kind = Literal["detector", "learned"]

ROWS_MIN, BAD_MIN = 200, 20
SEED = 0
_LEARNED_FROM = 0.7


class Seen:
    """Traits of orders by their time, and which of them were told to be bad.

    Units: `at` are Unix seconds. Shape: `labels` counts by who told them.
    """

    def __init__(
        self,
        table: Table,
        bad: Sequence[bool],
        at: Sequence[int],
        labels: Mapping[str, int] | None = None,
    ) -> None:
        self.table, self.bad, self.at, self.labels = table, bad, at, dict(labels or {})

    def __len__(self) -> int:
        return len(self.table)


def train(kind: Kind, seen: Seen, now: int) -> Kept:
    """Train a model, and write down what it was made of.

    Units:  `now` is Unix seconds.
    Raises: Conflict `too-little-to-learn`; PlugMissing.
    """
    _check_enough(kind, seen)
    model = _detector(seen.table) if kind == "detector" else _learned(seen.table, seen.bad)
    score = model.scorer()
    scores = [score(traits) for traits in seen.table]
    ranks = quantiles(scores)
    card = Card(
        kind, now, seen.at[0], seen.at[-1], len(seen), sum(seen.bad), seen.labels, list(NAMES),
        {} if kind == "detector" else _settings(), _versions(kind),
        _measured(kind, seen),
    )  # fmt: skip
    return Kept(FORMAT, card, model, ranks, _bins(seen.table, [below(ranks, s) for s in scores]))


def _check_enough(kind: Kind, seen: Seen) -> None:
    bad = sum(seen.bad)
    if len(seen) < ROWS_MIN:
        detail = f"there are {len(seen)} payments to learn from, and {ROWS_MIN} are the least"
        raise Conflict("too-little-to-learn", detail)
    if kind == "learned" and not BAD_MIN <= bad <= len(seen) - BAD_MIN:
        detail = f"{bad} of {len(seen)} were told to be bad, and {BAD_MIN} of each are the least"
        raise Conflict("too-little-to-learn", detail)


def _detector(table: Table) -> KeptDetector:
    columns = {name: [row[NAMES.index(name)] for row in table] for name in NAMES}
    return KeptDetector(
        len(table),
        {name: quantiles(columns[name]) for name in Detector.HIGH},
        {name: quantiles(columns[name]) for name in Detector.LOW},
    )


def _learned(table: Table, bad: Sequence[bool]) -> KeptTrees:
    return kept_trees(Learned(table, bad, seed=SEED).trees)


def kept_trees(trees: Any) -> KeptTrees:
    """Take scikit-learn's trees apart into plain numbers: of two outcomes, without categories."""
    base = float(trees._baseline_prediction.ravel()[0])  # noqa: SLF001 - nothing public has them
    return KeptTrees(base, [_nodes(stage[0].nodes) for stage in trees._predictors])  # noqa: SLF001


def _nodes(told: Any) -> list[Node]:
    return [
        (-1, 0.0, 0, 0, float(node["value"]))
        if node["is_leaf"]
        else (
            int(node["feature_idx"]), float(node["num_threshold"]),
            int(node["left"]), int(node["right"]), 0.0,
        )
        for node in told
    ]  # fmt: skip


def _settings() -> dict[str, float]:
    return {name: float(value) for name, value in Learned.SETTINGS.items()} | {"seed": float(SEED)}


def _versions(kind: Kind) -> dict[str, str]:
    names = ["farthing"] if kind == "detector" else ["farthing", "numpy", "scikit-learn"]
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _measured(kind: Kind, seen: Seen) -> dict[str, float]:
    """Learn from the first part by time, and measure on the rest."""
    cut = int(len(seen) * _LEARNED_FROM)
    first, last = seen.bad[:cut], seen.bad[cut:]
    if not (any(first) and any(last) and not all(first) and not all(last)):
        return {}
    model = _detector(seen.table[:cut]) if kind == "detector" else _learned(seen.table[:cut], first)
    return worth(model, seen.table[cut:], last)


def worth(model: KeptDetector | KeptTrees, table: Table, bad: Sequence[bool]) -> dict[str, float]:
    """Measure how well a model's scores part bad from good."""
    score = model.scorer()
    scores = [score(traits) for traits in table]
    return {
        "auc": round(area_under_curve(bad, scores), 4),
        "average_precision": round(average_precision(bad, scores), 4),
    }


def _bins(table: Table, ranks: Sequence[int]) -> dict[str, Bins]:
    bins = {name: bins_of([row[at] for row in table]) for at, name in enumerate(NAMES)}
    return {**bins, "score": bins_of(ranks)}
