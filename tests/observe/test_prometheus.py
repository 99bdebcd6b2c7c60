"""A real Prometheus scrapes a real hub and proxy: every expression of the dashboard gives figures,
and alerts come and go. Without Debian's `prometheus` this is skipped.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from farthing.errors import FarthingError, PaymentRefused
from farthing.observe.table import OURS
from tests.e2e.certificates import make_certificate
from tests.e2e.hub_process import HubProcess
from tests.e2e.neighbours import Neighbours, settle
from tests.ports import free_port

from .prometheus_process import Prometheus, until
from .shipped import panels, strangers

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not here: make setup-system"
)

ON_FAILURE = ("payment_failures", "hub_call_failures", "upstream_failures")
"""What has no series before something of its kind has failed."""

OF_THIS_MACHINE = {
    "FarthingPaymentsSlow",
    "FarthingWorkerStuck",
    "FarthingHoldsOverdue",
    "FarthingClockWrong",
    "FarthingDiskFilling",
    "FarthingDiskFullSoon",
}
"""What a busy or full machine under the tests may be guilty of, where nothing has to last."""

ELSEWHERE = ("tls_certificate_expiry", "meter_", "risk_model_usable", "risk_flags")
"""What only a hub with a certificate tells, a seller with meters (test_meter_metrics), and a hub
that has seen enough for a model, or something odd."""


def expressions() -> list[str]:
    return sorted({target["expr"] for panel in panels() for target in panel["targets"]})


def is_named(expression: str, names: tuple[str, ...]) -> bool:
    return any(f"farthing_{name}" in expression for name in names)


@dataclass
class Watched:
    """A hub and a proxy that Prometheus looks at."""

    hub: HubProcess
    people: Neighbours
    prometheus: Prometheus
    url: str
    service: contextlib.ExitStack


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    hub_at, proxy_at = (f"127.0.0.1:{free_port()}" for _ in range(2))
    targets = {"farthing-hub": [hub_at], "farthing-proxy": [proxy_at]}
    site = folder / "site"
    site.mkdir()
    (site / "cheap").write_text("cheap")
    (site / "dear").write_text("dear")
    with contextlib.ExitStack() as opened:
        prometheus = opened.enter_context(Prometheus(folder / "watch", targets).running())
        hub = opened.enter_context(
            HubProcess(folder, FARTHING_METRICS_LISTEN=hub_at, FARTHING_RISK_MODE="shadow")
        )
        people = settle(hub, folder, {"/cheap": 1000, "/dear": 500_000})
        service = opened.enter_context(contextlib.ExitStack())
        upstream = service.enter_context(hub.service(site))
        told = ("--payee", people.shop, "--metrics", proxy_at)
        url = opened.enter_context(hub.proxy(upstream, *told))
        yield Watched(hub, people, prometheus, url, service)


def test_every_expression_gives_figures_and_alerts_come_and_go(tmp_path: Path):
    with watched(tmp_path) as town, town.people.paying() as http:
        hub, prometheus = town.hub, town.prometheus
        ordinary = [e for e in expressions() if not is_named(e, ON_FAILURE + ELSEWHERE)]
        until(lambda: "FarthingAuditOverdue" in prometheus.firing(), "an alert: never audited")
        hub.run("audit")
        with pytest.raises(PaymentRefused):
            http.get(f"{town.url}/dear")

        def silent() -> list[str]:
            assert http.get(f"{town.url}/cheap").text == "cheap"
            return [e for e in ordinary if not prometheus.values(e)]

        until(lambda: not silent(), "figures for every expression")
        for name in ("payments:rate5m", "authorise_seconds:p99_5m", "paywall_requests:rate5m"):
            # Recorded a moment after its own expression has figures.
            until(lambda name=name: prometheus.values(f"farthing:{name}"), name)
        until(lambda: set(prometheus.firing()) <= OF_THIS_MACHINE, "a hub in good health")

        fail_until_it_shows(town)
        hub.stop()
        told = until(lambda: prometheus.firing().get("FarthingHubDown"), "an alert that it is down")
        assert "`systemctl status farthing`" in told["do"]
        with contextlib.suppress(FarthingError):
            assert http.get(f"{town.url}/cheap").status_code >= 500
        until(lambda: prometheus.values(failing("hub_call_failures")), "calls that failed")
        assert not [t for t in prometheus.firing().values() if "<error" in str(t)]
        hub.start()
        until(lambda: "FarthingHubDown" not in prometheus.firing(), "an end of the alert")


def failing(name: str) -> str:
    [expression] = [e for e in expressions() if is_named(e, (name,))]
    return expression


def fail_until_it_shows(town: Watched) -> None:
    """Let the service behind the proxy be away, and a captured payment be voided."""
    town.service.close()
    with contextlib.suppress(FarthingError):
        assert town.people.get(f"{town.url}/cheap").status_code == 502
    until(lambda: town.prometheus.values(failing("upstream_failures")), "an upstream that failed")
    [paid, *_] = town.people.ask("GET", "/v1/payments?state=captured")["items"]
    town.hub.run("api", "POST", f"/v1/payments/{paid['id']}/void", "-d", "{}", ok=False)
    until(lambda: town.prometheus.values(failing("payment_failures")), "a payment that failed")


def test_a_hub_with_a_certificate_tells_when_it_runs_out(tmp_path: Path):
    chain, secret = make_certificate(tmp_path)
    shown_at = f"127.0.0.1:{free_port()}"
    hub = HubProcess(
        tmp_path,
        FARTHING_SERVER_TLS_CERT=str(chain),
        FARTHING_SERVER_TLS_KEY=str(secret),
        FARTHING_METRICS_LISTEN=shown_at,
    )
    hub.run("init")
    targets = {"farthing-hub": [shown_at], "farthing-proxy": []}
    with hub.served(), Prometheus(tmp_path / "watch", targets).running() as prometheus:
        [expression] = [e for e in expressions() if is_named(e, ELSEWHERE[:1])]
        [seconds] = until(lambda: prometheus.values(expression), "the certificate's end")
        assert 80_000 < seconds <= 86_400
        until(lambda: "FarthingCertificateExpires" in prometheus.firing(), "an alert of it")


def test_the_dashboard_asks_for_what_a_process_of_ours_shows_and_is_laid_out():
    assert {e: found for e in expressions() if (found := strangers(e))} == {}
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_metric_of_ours_is_drawn():
    drawn = " ".join(expressions())
    assert [m.name for m in OURS if m.name not in drawn] == []
