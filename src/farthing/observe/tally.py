"""Counting at the price of a dictionary: what is kept between two looks of the monitoring system.

Each tally has one thread that adds to it, so nothing is locked; whoever reads takes a copy.
"""

from bisect import bisect_left
from collections.abc import Iterable

from farthing.observe.table import Metric

Labels = tuple[str, ...]


class Tally:
    """A counter, or a gauge, for each combination of labels."""

    __slots__ = ("_cells", "metric")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        lone = metric.always and not metric.labels
        self._cells: dict[Labels, list[float]] = {(): [0]} if lone else {}

    def at(self, *labels: str) -> list[float]:
        """Give what holds the count of a combination of labels, from 0; to keep where it is
        needed often.

        Shape: who looks sees a count grow only if it was there before it grew.
        """
        found = self._cells.get(labels)
        if found is None:
            found = self._cells[labels] = [0]
        return found

    def add(self, labels: Labels = (), count: float = 1) -> None:
        """Count."""
        self.at(*labels)[0] += count

    def put(self, value: float, labels: Labels = ()) -> None:
        """Tell how it stands."""
        self.at(*labels)[0] = value

    def read(self) -> list[tuple[Labels, float]]:
        """Give every count as it is now."""
        return [(labels, cell[0]) for labels, cell in self._cells.copy().items()]


class Series:
    """The values of one combination of labels. Shape: the last place of `row` is their sum."""

    __slots__ = ("bounds", "row")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.row = bounds, [0.0] * (len(bounds) + 2)

    def add(self, value: float) -> None:
        """Put a value into its bucket."""
        row = self.row
        row[bisect_left(self.bounds, value)] += 1
        row[-1] += value


class Spread:
    """A histogram for each combination of labels."""

    __slots__ = ("_found", "metric")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._found: dict[Labels, Series] = {}
        if not metric.labels:
            self.at()

    def at(self, *labels: str) -> Series:
        """Give what counts a combination of labels; to keep where it is needed often."""
        found = self._found.get(labels)
        if found is None:
            found = self._found[labels] = Series(self.metric.buckets)
        return found

    def read(self) -> Iterable[tuple[Labels, list[tuple[str, float]], float]]:
        """Give for each combination the buckets, each with all below it, and the sum."""
        bounds = [*map(str, self.metric.buckets), "+Inf"]
        for labels, series in self._found.copy().items():
            *counts, total = series.row.copy()
            below, buckets = 0.0, list[tuple[str, float]]()
            for bound, count in zip(bounds, counts, strict=True):
                below += count
                buckets.append((bound, below))
            yield labels, buckets, total
