"""Who watches a seller: how requests to a paywall end, calls of the hub, and the upstream."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from farthing.observe.board import Board
from farthing.observe.steps import Step
from farthing.observe.table import SELLER
from farthing.observe.tracing import Tracing

UPSTREAM = "upstream"


class SellerWatch:
    """Counts on a board, and traces where tracing is configured."""

    def __init__(self, tracing: Tracing | None = None) -> None:
        self.board = Board(SELLER, "seller")
        self.tracing = tracing
        board = self.board
        self.requests = board.tally("farthing_paywall_requests_total")
        self.seconds = board.spread("farthing_paywall_request_seconds")
        self._calls = board.spread("farthing_hub_call_seconds")
        self._call_failures = board.tally("farthing_hub_call_failures_total")
        self._upstream = board.spread("farthing_upstream_seconds")
        self._upstream_failures = board.tally("farthing_upstream_failures_total")

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> "_Visit":
        """Follow a request."""
        return _Visit(self, headers)

    def step(self, name: str) -> Step:
        """Follow a call of the hub, or the upstream."""
        if name == UPSTREAM:
            return Step(name, self._upstream, self._upstream_failures, self.tracing, ())
        return Step(name, self._calls, self._call_failures, self.tracing, (name,))

    def carried(self) -> list[tuple[str, str]]:
        """Give the headers that carry the trace on."""
        return [] if self.tracing is None else self.tracing.carried()


class _Visit:
    """One request to a paywall, counted at its end: only then is it known how it ended."""

    __slots__ = (
        "_began",
        "_head",
        "_headers",
        "_outcome",
        "_span",
        "_spanned",
        "_status",
        "_watch",
    )

    def __init__(self, watch: SellerWatch, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._watch, self._headers = watch, headers
        self._outcome, self._status, self._head = "", 0, 0.0
        self._spanned: Any = None
        self._span: Any = None

    def __enter__(self) -> "_Visit":
        """Begin."""
        if self._watch.tracing is not None:
            self._spanned = self._watch.tracing.request(self._headers)
            self._span = self._spanned.__enter__()
        self._began = perf_counter()
        return self

    def named(self, name: str) -> None:
        """Tell how it ends, as far as the paywall knows."""
        self._outcome = name

    def answered(self, status: int) -> None:
        """Note when the head of its answer leaves."""
        self._status, self._head = status, perf_counter() - self._began

    def __exit__(self, *fault: Any) -> None:
        """Count it; whoever left before an answer began is not counted."""
        outcome = self._outcome or "free"
        if self._status >= 500:
            outcome = "failed"
        if self._status:
            self._watch.requests.add((outcome,))
            self._watch.seconds.add(self._head, (outcome,))
        if self._spanned is not None and self._watch.tracing is not None:
            self._watch.tracing.ended(self._span, outcome, self._status)
            self._spanned.__exit__(*fault)
