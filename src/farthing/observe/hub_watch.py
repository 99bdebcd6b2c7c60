"""Who watches a hub: requests, steps of payments, and what each commit wrote."""

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

from farthing.core.events import EVENTS, PER_LEAF, Event, Kind
from farthing.core.refusals import Refusal
from farthing.observe.board import Board
from farthing.observe.steps import Step
from farthing.observe.table import HUB
from farthing.observe.tracing import Tracing

_CLASSES = {number: f"{number}xx" for number in range(1, 6)}
_REFUSED = frozenset({401, 403, 405, 408, 413, 414, 429, 431, 503, 504})
_REASONS = frozenset(refusal.value for refusal in Refusal)
_STATES = {
    kind.value: kind.value.removeprefix("payment.")
    for kind in Kind
    if kind.value.startswith("payment.")
}


class HubWatch:
    """Counts on a board, and traces where tracing is configured."""

    def __init__(self, engine: str, tracing: Tracing | None = None) -> None:
        self.board = Board(HUB, "hub", engine)
        self.tracing = tracing
        board = self.board
        self.requests = board.tally("farthing_http_requests_total")
        self.seconds = board.spread("farthing_http_request_seconds")
        self.refused = board.tally("farthing_http_refused_total")
        self._steps = board.spread("farthing_payment_seconds")
        self._failures = board.tally("farthing_payment_failures_total")
        self._payments = board.tally("farthing_payments_total")
        self._captured = board.tally("farthing_captured_units_total")
        self._events = board.tally("farthing_events_total")
        self._commit_seconds = board.spread("farthing_commit_seconds")
        self._commit_units = board.spread("farthing_commit_units")
        self._commit_failures = board.tally("farthing_commit_failures_total")
        self._wait = board.spread("farthing_books_wait_seconds")

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> "_Request":
        """Follow a request."""
        return _Request(self, headers)

    def step(self, name: str) -> Step:
        """Follow a step of a payment."""
        return Step(name, self._steps, self._failures, self.tracing, (name,))

    def carried(self) -> list[tuple[str, str]]:
        """Give the headers that carry the trace on."""
        return [] if self.tracing is None else self.tracing.carried()

    def committed(
        self, waited: float, seconds: float, units: int, written: Iterable[tuple[Any, Any]] | None
    ) -> None:
        """Count one commit and the events it wrote; None where it could not be written.

        Shape: called on the writer's thread, once for each commit.
        """
        self._wait.add(waited)
        self._commit_seconds.add(seconds)
        self._commit_units.add(units)
        if written is None:
            self._commit_failures.add()
            return
        for table, row in written:
            # What two owners may know is two events; the first alone is counted.
            if table is EVENTS and not row.number % PER_LEAF:
                self._happened(row)

    def _happened(self, event: Event) -> None:
        self._events.add((event.kind,))
        state = _STATES.get(event.kind)
        if state is None:
            return
        body, reason = event.body, ""
        if state == "refused":
            code = str(body.get("reason", "")).partition(":")[0]
            reason = code if code in _REASONS else "other"
        asset = body["asset"]
        self._payments.add((state, reason, asset))
        if state == "captured":
            self._captured.add((asset,), int(body["captured"]))


class _Request:
    """One request to the API."""

    __slots__ = ("_began", "_endpoint", "_headers", "_span", "_spanned", "_status", "_watch")

    def __init__(self, watch: HubWatch, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._watch, self._headers = watch, headers
        self._endpoint, self._status = "none", 0
        self._spanned: Any = None
        self._span: Any = None

    def __enter__(self) -> "_Request":
        """Begin."""
        if self._watch.tracing is not None:
            self._spanned = self._watch.tracing.request(self._headers)
            self._span = self._spanned.__enter__()
        self._began = perf_counter()
        return self

    def named(self, name: str) -> None:
        """Tell which endpoint it is for."""
        self._endpoint = name

    def answered(self, status: int) -> None:
        """Count it as its answer's head leaves: a stream may go on for days."""
        watch = self._watch
        self._status = status
        watch.seconds.add(perf_counter() - self._began, (self._endpoint,))
        watch.requests.add((self._endpoint, _CLASSES.get(status // 100, "other")))
        if status in _REFUSED:
            watch.refused.add((str(status),))

    def __exit__(self, *fault: Any) -> None:
        """End."""
        if self._spanned is not None and self._watch.tracing is not None:
            self._watch.tracing.ended(self._span, self._endpoint, self._status)
            self._spanned.__exit__(*fault)
