"""Models over traits, which score off the payment path. Needs the `risk` extra.

A detector needs no labels and works from the first day: it tells how rare an order is. A learned
model needs payments that were told to be bad, and finds the like of them.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from farthing.errors import PlugMissing, ensure
from farthing.risk.traits import NAMES

Table = Sequence[Sequence[int]]
"""Traits of orders, one row each, as `Traits.of` gives them."""


class Model(Protocol):
    """Gives each order a score: the higher, the more it deserves a look."""

    def score(self, traits: Table) -> list[float]: ...


class Detector:
    """Scores how rare an order is by a few traits, each by itself: no labels, no library's luck.

    Shape: of a trait that is odd when it is high, the score is minus the logarithm of the share of
           orders that have as much; of one that is odd when it is low, as little. The shares are
           added up, so what each trait gave can be told.
    """

    HIGH = ("times_usual", "day_times_usual")
    LOW = ("place_hours",)

    def __init__(self, seen: Table) -> None:
        ensure(len(seen) > 0, "a detector has seen something")
        self._np = library("numpy")
        table = self._np.asarray(seen)
        self._high = {name: self._np.sort(table[:, NAMES.index(name)]) for name in self.HIGH}
        self._low = {name: self._np.sort(table[:, NAMES.index(name)]) for name in self.LOW}
        self._least = 1 / len(seen)

    def score(self, traits: Table) -> list[float]:
        """Score orders by how rare they are."""
        np, table = self._np, self._np.asarray(traits)
        total = np.zeros(len(table))
        for name, known in self._high.items():
            below = np.searchsorted(known, table[:, NAMES.index(name)], "left") / len(known)
            total -= np.log(1 - below + self._least)
        for name, known in self._low.items():
            upto = np.searchsorted(known, table[:, NAMES.index(name)], "right") / len(known)
            total -= np.log(upto + self._least)
        return total.tolist()


class Learned:
    """Gradient-boosted trees over all traits, of payments whose outcome was told."""

    SETTINGS: ClassVar[Mapping[str, Any]] = {
        "early_stopping": False,
        "l2_regularization": 1.0,
        "learning_rate": 0.05,
        "max_iter": 200,
        "max_leaf_nodes": 15,
    }

    def __init__(self, traits: Table, bad: Sequence[bool], *, seed: int = 0) -> None:
        ensure(any(bad) and not all(bad), "there are good and bad payments to learn from")
        ensemble = library("sklearn.ensemble")
        trees = ensemble.HistGradientBoostingClassifier(random_state=seed, **self.SETTINGS)
        self.trees = trees.fit(library("numpy").asarray(traits), list(bad))

    def score(self, traits: Table) -> list[float]:
        """Give the probability that each is bad, as far as the past tells."""
        table = library("numpy").asarray(traits)
        return self.trees.predict_proba(table)[:, 1].tolist()


def library(name: str) -> Any:
    """Import what only the extra brings: when it is used, for it takes a second.

    Raises: PlugMissing.
    """
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        raise PlugMissing("risk-missing", "run: pip install 'farthing[risk]'") from missing
