"""Models as they are kept: numbers in JSON, and no code; scored by plain Python.

What reads a model runs nothing that is in it, so whoever can write the file can make scores wrong
and no more. Scoring needs no library either: the extra is for training alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from farthing.errors import Malformed
from farthing.risk.drift import Bins
from farthing.risk.quantiles import GRID, RANK_MAX, below, upto
from farthing.risk.traits import NAMES

FORMAT: Literal["farthing-model-1"] = "farthing-model-1"
BYTES_MAX = 16 << 20

Node = tuple[int, float, int, int, float]
"""Which trait, up to which value to the left, the numbers of both children, and a leaf's worth.

Shape: of a leaf the trait is -1. Children come after their parent, so every walk ends.
"""

_Text = Annotated[str, msgspec.Meta(max_length=200)]


class KeptDetector(msgspec.Struct, frozen=True, tag="detector", forbid_unknown_fields=True):
    """A detector: of each trait its quantiles; odd is what is high, or what is low."""

    seen: int
    high: Mapping[str, Sequence[float]]
    low: Mapping[str, Sequence[float]]

    def scorer(self) -> Callable[[Sequence[int]], float]:
        """Give what scores an order's traits."""
        least = 1 / self.seen
        high = [(NAMES.index(name), known) for name, known in self.high.items()]
        low = [(NAMES.index(name), known) for name, known in self.low.items()]

        def score(traits: Sequence[int]) -> float:
            shares = [1 - below(known, traits[at]) / RANK_MAX for at, known in high]
            shares += [upto(known, traits[at]) / RANK_MAX for at, known in low]
            return -sum(math.log(share + least) for share in shares)

        return score

    def check(self) -> None:
        """Refuse what could not be scored. Raises: ValueError."""
        for known in (*self.high.values(), *self.low.values()):
            _ensure(len(known) == len(GRID), "a trait has a number for each quantile")
        _ensure({*self.high, *self.low} <= {*NAMES}, "a trait is one of ours")
        _ensure(self.seen > 0, "something was seen")


class KeptTrees(msgspec.Struct, frozen=True, tag="trees", forbid_unknown_fields=True):
    """Boosted trees: the sum of a leaf of each, in log-odds."""

    base: float
    trees: Sequence[Sequence[Node]]

    def scorer(self) -> Callable[[Sequence[int]], float]:
        """Give what scores an order's traits."""
        base, trees = self.base, self.trees

        def score(traits: Sequence[int]) -> float:
            total = base
            for tree in trees:
                trait, threshold, left, right, worth = tree[0]
                while trait >= 0:
                    trait, threshold, left, right, worth = tree[
                        left if traits[trait] <= threshold else right
                    ]
                total += worth
            return total

        return score

    def check(self) -> None:
        """Refuse what could not be scored. Raises: ValueError."""
        for tree in self.trees:
            _ensure(len(tree) > 0, "a tree has a root")
            for number, (trait, _, left, right, worth) in enumerate(tree):
                inside = trait < 0 or number < min(left, right) <= max(left, right) < len(tree)
                _ensure(-1 <= trait < len(NAMES), "a node is about one of our traits")
                _ensure(inside, "children come after their parent")
                _ensure(math.isfinite(worth), "a leaf has a number")


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model was made of.

    Units: times are Unix seconds; `bad` counts labels among the `rows`.
    Shape: `measured` is of the last part of the rows, by a model of the first; empty without
           labels. `versions` are those of Python and of libraries.
    """

    kind: Literal["detector", "learned"]
    made: int
    since: int
    until: int
    rows: int
    bad: int
    labels: Mapping[_Text, int]
    traits: Sequence[_Text]
    settings: Mapping[_Text, float]
    versions: Mapping[_Text, _Text]
    measured: Mapping[_Text, float]


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model in its file: what it is made of, what scores, and what it was trained on.

    Shape: `ranks` are quantiles of the scores of what it was trained on; `bins` are those of its
           traits, and of its ranks under `score`, to tell drift by.
    """

    format: Literal["farthing-model-1"]
    card: Card
    model: KeptDetector | KeptTrees
    ranks: Sequence[float]
    bins: Mapping[_Text, Bins]

    def ranker(self) -> Callable[[Sequence[int]], int]:
        """Give what ranks an order's traits: of a hundred thousand, how many scored less."""
        score, ranks = self.model.scorer(), self.ranks
        return lambda traits: below(ranks, score(traits))


def write_kept(kept: Kept) -> bytes:
    """Write a model; equal models are equal bytes."""
    return msgspec.json.encode(kept, order="deterministic") + b"\n"


def name_of(kind: str, raw: bytes) -> str:
    """Name a model by what is in its file."""
    return f"{kind}-{digest_of(raw)[:12]}"


def digest_of(raw: bytes) -> str:
    """Give the digest of a model's file."""
    return sha256(raw).hexdigest()


def read_kept(raw: bytes) -> Kept:
    """Read a model.

    Raises: Malformed `model-unusable`: it is none, of another version, or could not be scored.
    """
    try:
        kept = msgspec.json.decode(raw, type=Kept, strict=True)
        _ensure(tuple(kept.card.traits) == tuple(NAMES), "it has the traits of this version")
        _ensure(len(kept.ranks) == len(GRID), "it has a rank for each quantile")
        for bins in kept.bins.values():
            _ensure(len(bins.shares) == len(bins.edges) + 1, "a bin has a share")
        kept.model.check()
    except (ValueError, msgspec.DecodeError) as fault:
        raise Malformed("model-unusable", f"it is no model for this version: {fault}") from None
    return kept


def _ensure(is_so: bool, what: str) -> None:
    if not is_so:
        raise ValueError(f"it is not so that {what}")
