"""Drift: how far what comes now is from what a model was trained on, trait by trait.

The measure is the population stability index: over ten bins, the sum of (now - then) times the
logarithm of now over then. By custom less than 0.1 is none, more than 0.25 is a lot.
Source: Siddiqi, Credit Risk Scorecards (2006), chapter 8.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import log

import msgspec

SCORE = "score"
"""The name under which a model's own ranks are binned, beside the traits."""

_BINS = 10
_SHARE_MIN = 1e-4
"""What an empty bin counts as: a logarithm of nothing says nothing."""

SOME, MUCH = 0.1, 0.25


class Bins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers sorted into bins. Shape: a bin ends before its edge; the last has none."""

    edges: Sequence[float]
    shares: Sequence[float]


def bins_of(seen: Sequence[float]) -> Bins:
    """Cut numbers into bins of about a tenth each; many of one number are in one bin."""
    ordered = sorted(seen)
    edges = sorted({float(ordered[len(ordered) * part // _BINS]) for part in range(1, _BINS)})
    return Bins(edges, _shares(edges, seen))


def stability(bins: Bins, seen: Sequence[float]) -> float:
    """Give the population stability index of numbers that came later."""
    pairs = zip(bins.shares, _shares(bins.edges, seen), strict=True)
    floored = [(max(then, _SHARE_MIN), max(now, _SHARE_MIN)) for then, now in pairs]
    return sum((now - then) * log(now / then) for then, now in floored)


def drifts(
    bins: Mapping[str, Bins],
    names: Sequence[str],
    table: Sequence[Sequence[int]],
    ranks: Sequence[int],
) -> dict[str, float]:
    """Give the index of each trait and of the ranks; nothing where there are no orders."""
    if not table or not ranks:
        return {}
    seen: dict[str, Sequence[float]] = {
        name: [row[at] for row in table] for at, name in enumerate(names)
    }
    seen[SCORE] = ranks
    return {name: round(stability(bins[name], seen[name]), 4) for name in seen if name in bins}


def said(index: float) -> str:
    """Say what an index means, in a word."""
    return "much" if index >= MUCH else "some" if index >= SOME else "none"


def _shares(edges: Sequence[float], seen: Sequence[float]) -> list[float]:
    counts = [0] * (len(edges) + 1)
    for one in seen:
        counts[bisect_right(edges, one)] += 1
    return [count / len(seen) for count in counts]
