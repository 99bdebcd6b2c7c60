"""Who watches a hub: requests, steps of payments, and what each commit wrote."""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from farthing.core.events import PER_LEAF, Event, Kind
from farthing.core.refusals import Refusal
from farthing.observe.board import Board
from farthing.observe.steps import Step, Steps
from farthing.observe.table import HUB, PAYMENT_STEPS
from farthing.observe.tally import Series
from farthing.observe.tracing import Tracing

_CLASSES = {number: f"{number}xx" for number in range(1, 6)}
_REASONS = frozenset(refusal.value for refusal in Refusal)
_STATES = {
    kind.value: kind.value.removeprefix("payment.")
    for kind in Kind
    if kind.value.startswith("payment.")
}
_CAPTURED = Kind.PAYMENT_CAPTURED.value
_FLAGGED = Kind.PAYMENT_FLAGGED.value


class HubWatch:
    """Counts on a board, and traces where tracing is configured."""

    def __init__(self, engine: str, tracing: Tracing | None = None) -> None:
        board = self.board = Board(HUB, "hub", engine)
        self.tracing = tracing
        self._requests = board.tally("farthing_http_requests_total")
        self._seconds = board.spread("farthing_http_request_seconds")
        self._answers: dict[tuple[str, int], tuple[Series, list[float]]] = {}
        failures = board.tally("farthing_payment_failures_total")
        seconds = board.spread("farthing_payment_seconds")
        self._steps = Steps(seconds, failures, PAYMENT_STEPS, tracing)
        self._payments = board.tally("farthing_payments_total")
        self._captured = board.tally("farthing_captured_units_total")
        self._flags = board.tally("farthing_risk_flags_total")
        self._judged = board.tally("farthing_risk_judged_total").at()
        self._judging = board.spread("farthing_risk_judging_seconds").at()
        events = board.tally("farthing_events_total")
        self._events = {kind.value: events.at(kind.value) for kind in Kind}
        self._commit_seconds = board.spread("farthing_commit_seconds").at()
        self._commit_units = board.spread("farthing_commit_units").at()
        self._commit_failures = board.tally("farthing_commit_failures_total")
        self._wait = board.spread("farthing_books_wait_seconds").at()

    def request(self, headers: Sequence[tuple[bytes, bytes]]) -> "_Request":
        """Follow a request."""
        if self.tracing is None:
            return _Request(self)
        return _TracedRequest(self, self.tracing, headers)

    def step(self, name: str) -> Step:
        """Follow a step of a payment."""
        return self._steps.step(name)

    def carried(self) -> list[tuple[str, str]]:
        """Give the headers that carry the trace on."""
        return [] if self.tracing is None else self.tracing.carried()

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request as its answer's head leaves: a stream may go on for days."""
        known = self._answers.get((endpoint, status))
        if known is None:
            counted = self._requests.at(endpoint, _CLASSES.get(status // 100, "other"))
            known = self._answers[endpoint, status] = self._seconds.at(endpoint), counted
        known[0].add(seconds)
        known[1][0] += 1
        if status >= 400:
            self.board.refuse(status)

    def committed(
        self,
        waited: float,
        seconds: float,
        units: int,
        events: Sequence[Event] | None,
        judged: tuple[int, float] = (0, 0.0),
    ) -> None:
        """Count one commit and the events it wrote; None where it could not be written.

        Shape: called on the writer's thread, once for each commit; `judged` are its orders that
               rules looked at, and the seconds which that took.
        """
        self._wait.add(waited)
        self._commit_seconds.add(seconds)
        self._commit_units.add(units)
        orders, judging = judged
        if orders:
            self._judged[0] += orders
            self._judging.add(judging)
        if events is None:
            self._commit_failures.add()
            return
        for event in events:
            # What two owners may know is two events; the first alone is counted.
            if not event.number % PER_LEAF:
                self._happened(event.kind, event.body)
            elif event.kind == _FLAGGED:  # It comes after what became of its payment.
                self._flagged(event.body)

    def _flagged(self, body: Mapping[str, Any]) -> None:
        self._events[_FLAGGED][0] += 1
        for rule in body["rules"].split(", "):
            self._flags.at(rule, body["act"])[0] += 1

    def _happened(self, kind: str, body: Mapping[str, Any]) -> None:
        self._events[kind][0] += 1
        state = _STATES.get(kind)
        if state is None:
            return
        asset, reason = body["asset"], ""
        if state == "refused":
            code = str(body.get("reason", "")).partition(":")[0]
            reason = code if code in _REASONS else "other"
        self._payments.at(state, reason, asset)[0] += 1
        if kind == _CAPTURED:
            self._captured.at(asset)[0] += int(body["captured"])


class _Request:
    """One request to the API."""

    __slots__ = ("_began", "_endpoint", "_watch")

    def __init__(self, watch: HubWatch) -> None:
        self._watch, self._endpoint = watch, "none"

    def __enter__(self) -> "_Request":
        """Begin."""
        self._began = perf_counter()
        return self

    def named(self, name: str) -> None:
        """Tell which endpoint it is for."""
        self._endpoint = name

    def answered(self, status: int) -> None:
        """Tell that its answer's head leaves now."""
        self._watch.answered(self._endpoint, status, perf_counter() - self._began)

    def __exit__(self, *fault: object) -> None:
        """End."""


class _TracedRequest(_Request):
    """One request that is drawn."""

    __slots__ = ("_drawn", "_status", "_tracing")

    def __init__(
        self, watch: HubWatch, tracing: Tracing, headers: Sequence[tuple[bytes, bytes]]
    ) -> None:
        super().__init__(watch)
        self._tracing, self._drawn, self._status = tracing, tracing.request(headers), 0

    def __enter__(self) -> "_Request":
        """Begin."""
        self._drawn.__enter__()
        return super().__enter__()

    def answered(self, status: int) -> None:
        """Tell that its answer's head leaves now."""
        self._status = status
        super().answered(status)

    def __exit__(self, *fault: Any) -> None:
        """End."""
        self._tracing.ended("farthing.endpoint", self._endpoint, self._status)
        self._drawn.__exit__(*fault)
