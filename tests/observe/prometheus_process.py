"""A real Prometheus (Debian's) with the shipped configuration and rules, but in a hurry."""

import contextlib
import math
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.hub_process import wait_for
from tests.ports import free_port

from .shipped import RULES, SCRAPING

EVERY = "500ms"
_PATIENCE_SECONDS = 40


class Prometheus:
    """A server that scrapes twice a second. Shape: `targets` maps jobs to addresses."""

    def __init__(self, folder: Path, targets: dict[str, list[str]]) -> None:
        self._folder, self._targets = folder, targets
        self.url = f"http://127.0.0.1:{free_port()}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Prometheus"]:
        self._folder.mkdir()
        self._write()
        command = [
            "prometheus",
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'series'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--log.level=error",
        ]
        process = subprocess.Popen(command)
        try:
            wait_for(self.url, process)
            # It listens before it has read what it stored, and is unavailable until then.
            until(lambda: httpx.get(f"{self.url}/-/ready").is_success, "a Prometheus that is ready")
            yield self
        finally:
            process.kill()  # What it has gathered is wanted by nobody.
            process.wait(20)

    def _write(self) -> None:
        told = yaml.safe_load(SCRAPING.read_text())
        told["global"] = {"scrape_interval": EVERY, "evaluation_interval": EVERY}
        for job in told["scrape_configs"]:
            job["static_configs"] = [{"targets": self._targets[job["job_name"]]}]
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(told))
        # The expressions stay as they are; only that a fault must last is left out.
        rules = re.sub(r"^( +for:) .*$", r"\1 0s", RULES.read_text(), flags=re.MULTILINE)
        (self._folder / RULES.name).write_text(rules)

    def ask(self, path: str, **query: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=10)
        told = answer.json()
        assert told["status"] == "success", f"{query}: {told}"
        return told["data"]

    def values(self, expression: str) -> list[float]:
        """Give what an expression comes to now, series by series; NaN tells nothing."""
        asked = expression.replace("$__rate_interval", "20s")
        found = [float(row["value"][1]) for row in self.ask("query", query=asked)["result"]]
        return [value for value in found if math.isfinite(value)]

    def firing(self) -> dict[str, dict[str, str]]:
        """Give the annotations of the alerts that fire, by name."""
        return {
            alert["labels"]["alertname"]: alert["annotations"]
            for alert in self.ask("alerts")["alerts"]
            if alert["state"] == "firing"
        }


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait for something to become true, and give it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"it did not come to this: {what}")
