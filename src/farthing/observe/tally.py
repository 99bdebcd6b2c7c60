"""Counting at the price of a dictionary: what is kept between two looks of the monitoring system.

Each tally has one thread that adds to it, so nothing is locked; whoever reads takes a copy.
"""

from bisect import bisect_left
from collections.abc import Iterable

from farthing.observe.table import Metric

Labels = tuple[str, ...]


class Tally:
    """A counter, or a gauge, for each combination of labels."""

    __slots__ = ("_counts", "metric")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._counts: dict[Labels, float] = {} if metric.labels else {(): 0}

    def add(self, labels: Labels = (), count: float = 1) -> None:
        """Count."""
        counts = self._counts
        counts[labels] = counts.get(labels, 0) + count

    def put(self, value: float, labels: Labels = ()) -> None:
        """Tell how it stands."""
        self._counts[labels] = value

    def read(self) -> list[tuple[Labels, float]]:
        """Give every count as it is now."""
        return list(self._counts.items())


class Spread:
    """A histogram for each combination of labels."""

    __slots__ = ("_bounds", "_found", "metric")

    def __init__(self, metric: Metric) -> None:
        self.metric, self._bounds = metric, metric.buckets
        self._found: dict[Labels, list[float]] = {} if metric.labels else {(): self._none()}

    def _none(self) -> list[float]:
        return [0.0] * (len(self._bounds) + 2)

    def add(self, value: float, labels: Labels = ()) -> None:
        """Put a value into its bucket. Shape: the last place of a row is the sum."""
        row = self._found.get(labels)
        if row is None:
            row = self._found[labels] = self._none()
        row[bisect_left(self._bounds, value)] += 1
        row[-1] += value

    def read(self) -> Iterable[tuple[Labels, list[tuple[str, float]], float]]:
        """Give for each combination the buckets, each with all below it, and the sum."""
        for labels, row in list(self._found.items()):
            *counts, total = list(row)
            bounds = [*(_bound(bound) for bound in self._bounds), "+Inf"]
            below, buckets = 0.0, list[tuple[str, float]]()
            for bound, count in zip(bounds, counts, strict=True):
                below += count
                buckets.append((bound, below))
            yield labels, buckets, total


def _bound(value: float) -> str:
    return str(value)
