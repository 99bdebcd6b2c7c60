"""A disk that is really full while people pay: a small file system of its own, in memory, which
only root can mount; elsewhere this skips.
"""

import contextlib
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing import ids
from farthing.clock import NS, system_clock
from farthing.core.orders import Order
from farthing.observing import ROOM_BYTES_MIN
from tests.e2e.hub_process import HubProcess
from tests.e2e.neighbours import Neighbours, settle
from tests.web.api.town import body_of

SIZE_BYTES = 24 * 1024 * 1024
AMOUNT = 10
AT_ONCE, TRIES_MAX = 40, 5000
_PATIENCE_SECONDS = 30


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system of its own, of some megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here: this needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


class Till:
    """Pays in batches, and remembers what was sent and what was answered."""

    def __init__(self, people: Neighbours) -> None:
        self._people, self._url = people, f"{people.hub.url}/v1/payments"
        self.paid: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.open: list[dict[str, Any]] = []

    def pay(self, many: int) -> None:
        """Pay new orders, several at once."""
        self.send([self._order() for _ in range(many)])

    def again(self) -> None:
        """Send again what was not paid: the very same orders."""
        orders, self.open = self.open, []
        self.send(orders)

    def send(self, orders: list[dict[str, Any]]) -> None:
        with httpx.Client(verify=False, timeout=30) as http, ThreadPoolExecutor(8) as hands:
            for order, answer in zip(
                orders, hands.map(lambda o: http.post(self._url, json=o), orders), strict=True
            ):
                told = answer.json()
                if answer.is_success:
                    assert told["state"] == "captured"
                    self.paid[told["id"]] += 1
                else:
                    self.refused[f"{answer.status_code} {told['code']}"] += 1
                    self.open.append(order)

    def _order(self) -> dict[str, Any]:
        purse, now = self._people.purse, system_clock()
        order = Order(
            hub=purse.hub,
            device=purse.device,
            payee=self._people.shop,
            asset="USD",
            amount=AMOUNT,
            nonce=ids.encode(ids.fresh(now // 1_000_000)),
            expires=now // NS + 600,
        )
        return body_of(purse.sign(order))


def ready(hub: HubProcess) -> tuple[int, str]:
    answer = httpx.get(f"{hub.url}/readyz", verify=False, timeout=10)
    return answer.status_code, answer.json()["status"]


def fill(place: Path, leave: int) -> Path:
    """Fill the disk with a file, but for so many bytes."""
    ballast = place / f"ballast-{leave}"
    room = shutil.disk_usage(place).free - leave
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as out:
        while room > 0:
            room -= out.write(bytes(min(room, 65_536)))
    return ballast


def test_a_full_disk_costs_no_money_and_no_restart(small: Path):
    with HubProcess(small, FARTHING_LOG_EVENTS="false") as hub:
        people = settle(hub, small, {})
        till = Till(people)
        till.pay(AT_ONCE)
        assert till.paid.total() == AT_ONCE
        assert ready(hub) == (200, "ready")

        ballast = [fill(small, ROOM_BYTES_MIN // 2)]
        assert ready(hub) == (503, "disk-full")
        ballast.append(fill(small, 0))
        while not till.open and till.paid.total() < TRIES_MAX:
            till.pay(AT_ONCE)
        assert till.open, "the disk was full, and every payment was written"
        till.pay(AT_ONCE)
        assert ready(hub)[0] == 503
        assert ready(hub)[1] in ("disk-full", "not-writable")
        assert all(told.startswith("503 ") for told in till.refused), till.refused

        for file in ballast:
            file.unlink()
        goes_on_by_itself(hub)
        till.again()
        till.pay(AT_ONCE)
        assert till.open == []
        assert set(till.paid.values()) == {1}
        assert int(hub_balance(people)) == len(till.paid) * AMOUNT
        assert hub.stop() == 0
        report = json.loads(hub.run("audit", "--json").stdout)
    assert report["ok"], report
    assert report["payments"] == len(till.paid)


def goes_on_by_itself(hub: HubProcess) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while ready(hub) != (200, "ready"):
        assert time.monotonic() < deadline, f"there is room again, but {ready(hub)}"
        time.sleep(0.1)


def hub_balance(people: Neighbours) -> str:
    shown = people.ask("GET", f"/v1/accounts/{people.shop}")
    return shown["balance"]["available"]
