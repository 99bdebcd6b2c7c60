"""Where a number stands among many that were seen: a few thousand quantiles, finer at both ends."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

_TAIL, _WHOLE = 1000, 100_000

GRID: Sequence[int] = (
    *range(_TAIL),
    *range(_TAIL, _WHOLE - _TAIL, 100),
    *range(_WHOLE - _TAIL, _WHOLE + 1),
)
"""Of a hundred thousand, how many are below each quantile: single ones in the first and the last
thousand, by the hundred between."""

RANK_MAX = _WHOLE

RANK_TOLD_MIN = 90_000
"""Ranks below this are told to nobody: no rule speaks of them."""


def quantiles(seen: Sequence[float]) -> list[float]:
    """Thin many numbers out to one for each place of the grid."""
    ordered = sorted(seen)
    last = len(ordered) - 1
    return [float(ordered[place * last // _WHOLE]) for place in GRID]


def below(known: Sequence[float], value: float) -> int:
    """Count how many of a hundred thousand are less than this."""
    return _at(bisect_left(known, value))


def upto(known: Sequence[float], value: float) -> int:
    """Count how many of a hundred thousand are no more than this."""
    return _at(bisect_right(known, value))


def _at(place: int) -> int:
    if place == 0:
        return 0
    return RANK_MAX if place >= len(GRID) else GRID[place]
