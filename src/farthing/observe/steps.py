"""Timing steps, counting how they failed, and drawing their spans where somebody traces."""

from asyncio import CancelledError
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from farthing.errors import FarthingError
from farthing.explained import hints
from farthing.observe.tally import Series, Spread, Tally
from farthing.observe.tracing import Tracing


class Steps:
    """The steps whose times go into one histogram, and the count of how they failed."""

    def __init__(
        self, spread: Spread, failures: Tally, names: Sequence[str], tracing: Tracing | None
    ) -> None:
        self._labelled = bool(spread.metric.labels)
        self._series = {n: spread.at(*((n,) if self._labelled else ())) for n in names}
        self._failures, self._tracing = failures, tracing

    def step(self, name: str) -> "Step":
        """Follow one of them."""
        if self._tracing is None:
            return Step(self, self._series, name)
        return TracedStep(self, self._series, name, self._tracing)

    def failed(self, names: Sequence[str], fault: BaseException) -> None:
        """Count a failure."""
        for name in names:
            self._failures.add((name, code_of(fault)) if self._labelled else (code_of(fault),))


class Step:
    """One step of a request, and the parts that it has one after the other."""

    __slots__ = ("_began", "_name", "_part", "_series", "_since", "_steps")

    def __init__(self, steps: Steps, series: dict[str, Series], name: str) -> None:
        self._steps, self._series, self._name = steps, series, name
        self._part = ""

    def __enter__(self) -> "Step":
        """Begin."""
        self._began = self._since = perf_counter()
        return self

    def part(self, name: str) -> None:
        """Begin a part, which ends where the next one or the step itself does."""
        now = perf_counter()
        if self._part:
            self._series[self._part].add(now - self._since)
        self._part, self._since = name, now

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        """End, well or not."""
        now, part = perf_counter(), self._part
        self._series[self._name].add(now - self._began)
        if part:
            self._series[part].add(now - self._since)
        if fault is not None:
            self._steps.failed((self._name, part) if part else (self._name,), fault)


class TracedStep(Step):
    """A step that is drawn, its parts too."""

    __slots__ = ("_inner", "_span", "_tracing")

    def __init__(
        self, steps: Steps, series: dict[str, Series], name: str, tracing: Tracing
    ) -> None:
        super().__init__(steps, series, name)
        self._tracing, self._span = tracing, tracing.span(name)
        self._inner: Any = None

    def __enter__(self) -> "Step":
        """Begin."""
        self._span.__enter__()
        return super().__enter__()

    def part(self, name: str) -> None:
        """Begin a part."""
        super().part(name)
        if self._inner is not None:
            self._inner.__exit__(None, None, None)
        self._inner = self._tracing.span(name)
        self._inner.__enter__()

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        """End, well or not."""
        super().__exit__(kind, fault, trace)
        if self._inner is not None:
            self._inner.__exit__(kind, fault, trace)
        self._span.__exit__(kind, fault, trace)


def code_of(fault: BaseException) -> str:
    """Name a fault in a word of a small vocabulary, whatever a hub elsewhere calls it."""
    if isinstance(fault, FarthingError):
        return fault.code if fault.code in hints() else "other"
    return "cancelled" if isinstance(fault, CancelledError) else "failed"
