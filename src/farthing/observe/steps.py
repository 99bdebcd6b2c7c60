"""Timing a step, counting how it failed, and drawing its span where somebody traces."""

from time import perf_counter
from typing import Any

from farthing.errors import FarthingError
from farthing.observe.tally import Spread, Tally
from farthing.observe.tracing import Tracing


class Step:
    """One step of a request. Shape: `labels` are those of the spread it goes into."""

    __slots__ = ("_began", "_failures", "_labels", "_name", "_span", "_spread", "_tracing")

    def __init__(
        self,
        name: str,
        spread: Spread,
        failures: Tally,
        tracing: Tracing | None,
        labels: tuple[str, ...],
    ) -> None:
        self._name, self._spread, self._failures = name, spread, failures
        self._tracing, self._labels = tracing, labels
        self._span: Any = None

    def __enter__(self) -> "Step":
        """Begin."""
        if self._tracing is not None:
            self._span = self._tracing.span(self._name)
            self._span.__enter__()
        self._began = perf_counter()
        return self

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        """End, well or not."""
        self._spread.add(perf_counter() - self._began, self._labels)
        if fault is not None:
            self._failures.add((*self._labels, code_of(fault)))
        if self._span is not None:
            self._span.__exit__(kind, fault, trace)


def code_of(fault: BaseException) -> str:
    """Name a fault in a word of a small vocabulary."""
    return fault.code if isinstance(fault, FarthingError) else "cancelled-or-failed"
