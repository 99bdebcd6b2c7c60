"""What a workload measured, in the shape that is printed and written as JSON."""

from collections.abc import Sequence
from statistics import median

import msgspec


class Ceiling(msgspec.Struct, frozen=True):
    """What the machine itself allows: a rate, and the primitive that sets it."""

    per_s: float
    what: str


class Figure(msgspec.Struct, kw_only=True):
    """One workload on one engine.

    Units: rates count payments per second (`books-*`: single transfers); latencies are those of a
           request, or of a batch for `books-*`; CPU time is that of the hub's process.
           `resident_mib` is its memory at the end, in MiB.
    Shape: `runs_per_s` has the rate of every run; the rest is from the run with the median rate.
    """

    name: str
    engine: str
    rate_per_s: float
    p50_ms: float
    p99_ms: float
    ceiling_per_s: float = 0
    ceiling: str = ""
    cpu_us_each: float = 0
    load_cpu_us_each: float = 0
    counted: int = 0
    commits: int = 0
    per_commit: float = 0
    fsyncs_per_commit: float | None = None
    refused: int = 0
    resident_mib: float = 0
    resident_mib_over_time: list[float] = []
    runs_per_s: list[float] = []


def lowest(*ceilings: Ceiling) -> Ceiling:
    """Give the ceiling that is met first."""
    return min(ceilings, key=lambda ceiling: ceiling.per_s)


def under(figure: Figure, ceiling: Ceiling) -> Figure:
    """Put a figure under its ceiling."""
    return msgspec.structs.replace(
        figure, ceiling_per_s=round(ceiling.per_s, 1), ceiling=ceiling.what
    )


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Give the value below which this share lies."""
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def median_run(runs: Sequence[Figure]) -> Figure:
    """Give the run with the median rate, with the rates of all of them."""
    rates = [run.rate_per_s for run in runs]
    middle = median(rates)
    chosen = min(runs, key=lambda run: abs(run.rate_per_s - middle))
    return msgspec.structs.replace(chosen, runs_per_s=rates)
