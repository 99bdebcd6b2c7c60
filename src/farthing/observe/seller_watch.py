"""Who watches a seller: how requests to a paywall end, calls of the hub, and the upstream."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from farthing.observe.board import Board
from farthing.observe.steps import Step, Steps
from farthing.observe.table import HUB_CALLS, OUTCOMES, SELLER
from farthing.observe.tracing import Tracing

UPSTREAM = "upstream"


class SellerWatch:
    """Counts on a board, and traces where tracing is configured."""

    def __init__(self, tracing: Tracing | None = None) -> None:
        board = self.board = Board(SELLER, "seller")
        self.tracing = tracing
        requests = board.tally("farthing_paywall_requests_total")
        self._requests = {outcome: requests.at(outcome) for outcome in OUTCOMES}
        spread = board.spread("farthing_paywall_request_seconds")
        self._seconds = {outcome: spread.at(outcome) for outcome in OUTCOMES}
        failures = board.tally("farthing_hub_call_failures_total")
        calls = board.spread("farthing_hub_call_seconds")
        self._calls = Steps(calls, failures, HUB_CALLS, tracing)
        failures = board.tally("farthing_upstream_failures_total")
        upstream = board.spread("farthing_upstream_seconds")
        self._upstream = Steps(upstream, failures, (UPSTREAM,), tracing)

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> "_Visit":
        """Follow a request."""
        return _Visit(self, headers)

    def step(self, name: str) -> Step:
        """Follow a call of the hub, or the upstream."""
        steps = self._upstream if name == UPSTREAM else self._calls
        return steps.step(name)

    def carried(self) -> list[tuple[str, str]]:
        """Give the headers that carry the trace on."""
        return [] if self.tracing is None else self.tracing.carried()

    def ended(self, outcome: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests[outcome][0] += 1
        self._seconds[outcome].add(seconds)
        if outcome == "turned-away":
            self.board.refuse(status)


class _Visit:
    """One request to a paywall, counted at its end: only then is it known how it ended."""

    __slots__ = ("_began", "_drawn", "_head", "_outcome", "_status", "_watch")

    def __init__(self, watch: SellerWatch, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._watch = watch
        self._outcome, self._status, self._head = "free", 0, 0.0
        tracing = watch.tracing
        self._drawn: Any = None if tracing is None else tracing.request(headers)

    def __enter__(self) -> "_Visit":
        """Begin."""
        if self._drawn is not None:
            self._drawn.__enter__()
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
        status, outcome = self._status, self._outcome
        # A handler that answers with an error was not paid: the hold was released.
        if status >= 500 or (outcome == "paid" and status >= 400):
            outcome = "failed"
        if status:
            self._watch.ended(outcome, status, self._head)
        if self._drawn is not None and self._watch.tracing is not None:
            self._watch.tracing.ended("farthing.outcome", outcome, status)
            self._drawn.__exit__(*fault)
