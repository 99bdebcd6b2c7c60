"""All of one process's metrics, and the page that a monitoring system reads."""

import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

from farthing.observe.table import EVERY, REFUSED, Metric
from farthing.observe.tally import Spread, Tally

APP, SERVER = "app", "server"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Board:
    """Tallies and spreads by name. Shape: `part` is `hub` or `seller`."""

    def __init__(self, metrics: Sequence[Metric], part: str, engine: str = "") -> None:
        table = (*EVERY, *metrics)
        self._tallies = {m.name: Tally(m) for m in table if m.kind != "histogram"}
        self._spreads = {m.name: Spread(m) for m in table if m.kind == "histogram"}
        self._registry: Any = None
        self._refused = self.tally("farthing_http_refused_total")
        for status in REFUSED:
            self._refused.put(0, (str(status), APP))
        self.tally("farthing_build_info").put(1, (version("farthing"), part, engine))

    def tally(self, name: str) -> Tally:
        """Give a counter or a gauge."""
        return self._tallies[name]

    def spread(self, name: str) -> Spread:
        """Give a histogram."""
        return self._spreads[name]

    def put(self, name: str, value: float, *labels: str) -> None:
        """Tell how something stands."""
        self._tallies[name].put(value, labels)

    def refuse(self, status: int) -> None:
        """Count a request that an app refused for what it is, if its answer says so."""
        if status in REFUSED:
            self._refused.add((str(status), APP))

    def collect(self) -> Iterator[Any]:
        """Give every metric, as the exposition wants it."""
        self.put("farthing_clock_seconds", time.time())
        for tally in self._tallies.values():
            yield _simple(tally)
        for spread in self._spreads.values():
            yield _histogram(spread)

    def page(self) -> bytes:
        """Write the page, this process's own figures included."""
        # Imported by the first look, so that no command pays for it.
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415
        from prometheus_client.exposition import generate_latest  # noqa: PLC0415

        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
        return generate_latest(self._registry)


def _simple(tally: Tally) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    metric = tally.metric
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.told, labels=metric.labels)
    for labels, value in _sorted(tally.read()):
        family.add_metric(labels, value)
    return family


def _histogram(spread: Spread) -> Any:
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415

    metric = spread.metric
    family = HistogramMetricFamily(metric.name, metric.told, labels=metric.labels)
    for labels, buckets, total in _sorted(spread.read()):
        family.add_metric(labels, buckets=buckets, sum_value=total)
    return family


def _sorted(rows: Iterable[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: row[0])
