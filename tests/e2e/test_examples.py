"""The examples, run as they stand: each is short, and together they pay."""

import math
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.hub_process import HubProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path):
    with HubProcess(tmp_path) as running:
        yield running


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_an_example_has_at_most_25_formatted_lines(example):
    formatted = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", str(example)], capture_output=True
    )
    assert formatted.returncode == 0
    assert len(example.read_text().splitlines()) <= 25


def test_the_example_buyer_pays_the_example_seller(hub, tmp_path):
    shop, wallet = hub.account("shop"), hub.account("wallet")
    hub.run("credit", wallet, "1 USD")
    purse = hub.purse(wallet, "--largest", "0.01 USD")
    uvicorn = [sys.executable, "-m", "uvicorn", "--log-level", "warning"]
    seller = subprocess.Popen(
        [*uvicorn, "--app-dir", "examples", "seller:app", "--port", "8404"],
        cwd=ROOT,
        env=hub.environment | {"PAYEE": shop},
    )
    try:
        wait_for("http://127.0.0.1:8404/time")
        bought = subprocess.run(
            [sys.executable, "examples/buyer.py", str(purse), "http://127.0.0.1:8404/time"],
            cwd=ROOT,
            env=hub.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        seller.terminate()
        seller.wait(10)
    assert bought.returncode == 0, bought.stderr
    assert '"unix_ns"' in bought.stdout
    assert hub.balance(shop) == "1000"


@pytest.mark.parametrize("tick", [[], ["0.0001 USD"]], ids=["vouchers", "ticks"])
def test_the_metered_seller_is_paid_by_the_second(hub, tmp_path, tick):
    shop, wallet = hub.account("shop"), hub.account("wallet")
    hub.run("credit", wallet, "1 USD")
    purse = hub.purse(wallet, "--largest", "0.01 USD")
    uvicorn = [sys.executable, "-m", "uvicorn", "--log-level", "warning"]
    seller = subprocess.Popen(
        [*uvicorn, "--app-dir", "examples", "metered_seller:app", "--port", "8405"],
        cwd=ROOT,
        env=hub.environment | {"PAYEE": shop, "METERS": str(tmp_path / "meters.db")},
    )
    try:
        wait_for("http://127.0.0.1:8405/ticks")
        began = time.monotonic()
        bought = subprocess.run(
            [
                sys.executable,
                "examples/metered_buyer.py",
                str(purse),
                "http://127.0.0.1:8405",
                *tick,
            ],
            cwd=ROOT,
            env=hub.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        seconds = time.monotonic() - began
    finally:
        seller.terminate()
        seller.wait(10)
    assert bought.returncode == 0, bought.stderr
    assert len(bought.stdout.splitlines()) == 25
    assert 200 <= int(hub.balance(shop)) <= 100 * (1 + math.ceil(seconds))
    assert "'captured'" in bought.stderr
    assert ("'sequence': '1'" in bought.stderr) == bool(tick)  # Ticks: signed once.
    assert hub.run("audit").stdout.startswith("ok:")


def wait_for(url):
    for _ in range(100):
        try:
            return httpx.get(url)
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"nothing answers at {url}")


def test_offers_in_the_hub_price_a_service_through_the_proxy(hub, tmp_path):
    shop = hub.account("shop")
    hub.run("offers", "create", shop, "/page.txt", "0.002 USD")
    site = tmp_path / "site"
    site.mkdir()
    (site / "page.txt").write_text("for sale")
    with hub.service(site) as upstream, hub.proxy(upstream, "--payee", shop) as url:
        asked = httpx.get(f"{url}/page.txt")
        assert asked.status_code == 402
        assert asked.json()["price"] == "0.002 USD"
        wallet = hub.account("wallet")
        hub.run("credit", wallet, "1 USD")
        purse = hub.purse(wallet)
        assert hub.run("pay", f"{url}/page.txt", "--purse", str(purse)).stdout == "for sale"
    assert hub.balance(shop) == "2000"
    assert hub.run("audit").stdout.startswith("ok:")
