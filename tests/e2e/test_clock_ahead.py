"""Books written while the clock was ahead: named everywhere, with how long it lasts, and let be."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.e2e.hub_process import HubProcess

_LEAP = """
import asyncio, sys
from farthing import ids
from farthing.app import open_hub
from farthing.clock import system_clock
from farthing.config import load_config
from farthing.core.owners import CreateOwner

async def main(ahead):
    clock = lambda: system_clock() + ahead * 10**9
    hub = await open_hub(load_config(None), clock=clock)
    made = CreateOwner(ids.name("own", 8), "somebody", "UTC")
    await hub.books.commit_one(made)
    await hub.close()

asyncio.run(main(int(sys.argv[1])))
"""


def _leap(hub: HubProcess, seconds: int) -> None:
    """Commit something by a clock that is ahead, as a hub does whose clock was set wrong."""
    command = [sys.executable, "-c", _LEAP, str(seconds)]
    subprocess.run(command, env=hub.environment, check=True, timeout=60)


def _log_of(hub: HubProcess, folder: Path) -> str:
    return (folder / "log").read_text()


def _start(hub: HubProcess, folder: Path) -> None:
    command = [sys.executable, "-m", "farthing", "serve"]
    with (folder / "log").open("w") as log:
        hub.process = subprocess.Popen(command, env=hub.environment, stdout=log, stderr=log)
    hub.wait_ready()


def _until(holds, seconds: float = 20):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_hub_says_that_its_clock_is_behind_its_books_and_for_how_long(tmp_path: Path):
    hub = HubProcess(tmp_path)
    hub.made = json.loads(hub.run("init", "--json").stdout)
    _leap(hub, 40 * 86400)
    _start(hub, tmp_path)
    try:
        ready = httpx.get(f"{hub.url}/readyz")
        told = ready.json()
        assert (ready.status_code, told["status"]) == (503, "clock-behind-books")
        assert 40 * 86400 - 60 < told["seconds"] <= 40 * 86400
        assert int(ready.headers["retry-after"]) == told["seconds"] - 60
        assert httpx.get(f"{hub.url}/healthz").json() == {"status": "ok"}
        line = _until(lambda: [x for x in _log_of(hub, tmp_path).splitlines() if "behind_b" in x])
        assert "until" in line[0]
        looked = hub.run("doctor", "--offline", "--json", ok=False)
        [clock] = [f for f in json.loads(looked.stdout) if f["what"] == "clock"]
        assert (looked.returncode, clock["state"]) == (6, "fail")
        assert "orders are late until 2" in clock["seen"]
        assert hub.run("audit").stdout.startswith("ok: ")  # Nothing is broken: it only waits.
    finally:
        hub.stop()


def test_a_hub_is_ready_by_itself_when_the_clock_has_caught_up(tmp_path: Path):
    hub = HubProcess(tmp_path)
    hub.made = json.loads(hub.run("init", "--json").stdout)
    _start(hub, tmp_path)  # It starts while the leap is made elsewhere, so as to be there in time.
    hub.stop()
    _leap(hub, 66)
    _start(hub, tmp_path)
    try:
        first = httpx.get(f"{hub.url}/readyz")
        ended = _until(lambda: httpx.get(f"{hub.url}/readyz").status_code == 200)
        assert ended
        if first.status_code == 503:  # A busy machine may have taken longer than the leap.
            _until(lambda: "clock.caught_up" in _log_of(hub, tmp_path))
    finally:
        hub.stop()
