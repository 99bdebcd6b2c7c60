"""The demo as a person starts it: what it prints, how it ends, and that it leaves nothing."""

import asyncio
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import httpx
import pytest
from rich.console import Console

from farthing import ids
from farthing.demo.cast import CAST, TOPPED_UP
from farthing.demo.finale import check_receipt
from farthing.demo.lines import Lines
from farthing.demo.mill import factorised, primes_below
from farthing.demo.stage import Demo
from farthing.demo.tally import Tally, quantile
from farthing.demo.view import frame
from farthing.demo.words import REASONS, aligned, milliseconds, number
from farthing.device.outcomes import Paid
from farthing.money import Amount, Asset
from tests.web.pages.authenticator import Authenticator

USD = Asset("USD", 6)


@pytest.fixture
def start(tmp_path):
    """Start a demo whose temporary folder is this test's own."""
    started: list[subprocess.Popen] = []

    def run(seconds: int, *more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "farthing", "demo", "--seconds", str(seconds), *more]
        environ = {**os.environ, "TMPDIR": str(tmp_path)}
        pipe = subprocess.PIPE
        running = subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True)
        started.append(running)
        return running

    yield run
    for running in started:
        if running.poll() is None:
            running.kill()
            running.communicate()


def end(running: subprocess.Popen) -> tuple[int, dict, str]:
    """Wait for the end; give the exit code, the object printed last, and the talk."""
    out, err = running.communicate(timeout=80)
    lines = out.splitlines()
    return running.returncode, json.loads(lines[-1]) if lines else {}, err


def books_of(tmp_path, running: subprocess.Popen):
    """Wait until the demo's fleet is at work, and give its database."""
    for _ in range(400):
        found = list(tmp_path.glob("farthing-demo-*/hub/farthing.db"))
        purses = list(tmp_path.glob("farthing-demo-*/purses/*/purse.json"))
        if found and len(purses) == len(CAST):
            return found[0]
        assert running.poll() is None
        time.sleep(0.05)
    raise AssertionError("the demo did not open its books")


LIMITS = {"mandate-budget", "mandate-largest", "mandate-payee", "mandate-category"}
PEOPLE = {"mandate-hours", "insufficient-funds", "denied", "device-revoked"}


def test_the_demo_pays_refuses_audits_and_verifies(tmp_path, start):
    for seconds in (6, 12, 24):  # Where much else runs here, six do not see all of its story.
        code, told, err = end(start(seconds, "--json"))
        assert code == 0, err
        if set(told["refused"]) >= LIMITS | PEOPLE:
            break
    assert list(told) == [
        "payments", "refused", "volume", "p50_ms", "p99_ms", "audit", "receipt_verified",
    ]  # fmt: skip
    assert told["payments"] > 10
    assert told["audit"] == "ok"
    assert told["receipt_verified"] is True
    assert 0 < told["p50_ms"] <= told["p99_ms"]
    assert list(told["volume"]) == ["USD"]
    assert float(told["volume"]["USD"]) > 0
    assert set(told["refused"]) >= LIMITS | PEOPLE
    assert set(told["refused"]) <= set(REASONS), "each refusal has plain words"
    assert "its owner said yes" in err
    assert list(tmp_path.iterdir()) == []


def test_a_balance_changed_during_the_demo_is_named(tmp_path, start):
    running = start(2, "--json")
    with closing(sqlite3.connect(books_of(tmp_path, running), timeout=5)) as other:
        # An account that never pays, or the hub would write over it.
        found = other.execute("SELECT id FROM account_records WHERE name = 'Night lamp'")
        lamp = ids.number("acc", found.fetchone()[0])
        other.execute(
            "UPDATE balances SET credits_posted = credits_posted + 1"
            " WHERE timestamp = (SELECT timestamp FROM accounts WHERE id = ?)",
            [lamp.to_bytes(16, "big")],
        )
        other.commit()
    code, told, err = end(running)
    assert code == 1
    assert "account" in told["audit"]
    assert f"{lamp:032x}" in told["audit"]
    assert "✗ account" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_early_with_its_summary(tmp_path, start, number):
    running = start(60, "--json")
    books_of(tmp_path, running)
    time.sleep(1.0)
    began = time.monotonic()
    running.send_signal(number)
    code, told, err = end(running)
    assert time.monotonic() - began < 30, "half of what it was told to run"
    assert code == 0, err
    assert told["payments"] > 0
    assert told["audit"] == "ok"
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_plain_lines_come_without_control_characters(start):
    running = start(1)
    out, err = running.communicate(timeout=80)
    assert running.returncode == 0, err
    assert "\x1b" not in out
    assert "paid     Charger 7 -> Gauges load  0.0001 USD" in out
    assert re.search(r"wallet   http://localhost:[0-9]+/join#[\w-]{43}\n", out)
    assert "verified offline" in out


FILLED = {
    "/wallet": 5, "/wallet/devices": 12, "/wallet/money": 4, "/shop": 3, "/shop/statements": 5,
    "/shop/usage": 1, "/shop/keys": 2, "/console": 10, "/console/motion?state=sessions": 1,
    "/console/motion?state=accounts": 15, "/console/stuck": 1, "/console/cases": 1,
    "/console/risk": 9, "/console/people": 2, "/console/log": 15,
}  # fmt: skip
"""How many rows each page has at least, of what the running fleet did."""
ROWS = re.compile(r'<li class="(?:row|machine|line|meter|ask)[ "]|<tr><td')


async def test_the_pages_of_the_demo_are_filled_by_the_running_fleet():
    async with Demo(60) as demo:
        running = asyncio.create_task(demo.run())
        origin, _, code = demo.tally.wallet.partition("/join#")
        key, fields = Authenticator(origin), {"origin": origin, "accept": "text/html"}
        async with httpx.AsyncClient(base_url=origin, headers=fields) as http:
            told = await http.post("/join/begin", json={"code": code})
            made = {"code": code, **key.make(told.json())}
            assert (await http.post("/join/finish", json=made)).status_code == 200
            short, deadline = FILLED, time.monotonic() + 30
            while short and time.monotonic() < deadline:
                await asyncio.sleep(0.3)
                pages = {path: (await http.get(path)).text for path in short}
                short = {
                    path: len(ROWS.findall(page))
                    for path, page in pages.items()
                    if len(ROWS.findall(page)) < FILLED[path]
                }
            assert short == {}
        demo.stop.set()
        assert (await running).ok
        assert demo.tally.troubles == []


def played() -> Tally:
    """A tally in which one of everything has happened."""
    tally = Tally(30)
    tally.hub_id = "6dil3nazh2yiwp22jgi2wbjoavok5nzz"
    tally.wallet = f"http://localhost:12345/join#{'x' * 43}"
    paid = Paid(
        payment="pay_01",
        amount=Amount(1500, USD),
        payee="acc_01",
        language="mpp",
        receipt=None,
        receipt_fault="",
    )
    tally.paid("Robot Ada", "Mill", "factors", paid, 12.5)
    tally.not_paid("Vending 9", "Press", "report.html", "mandate-largest")
    tally.asking("Printer 4", "Press", "atlas.html")
    tally.note(TOPPED_UP, "topped up", 3000)
    tally.trouble("Kiosk 3", "no answer came")
    return tally


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (120, 30), (200, 60)])
def test_the_picture_fits_the_terminal_and_shows_everybody(width, height):
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    console.print(frame(played(), width, height))
    lines = console.export_text().splitlines()
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert all(part.name in text for part in CAST)
    assert "0.0015" in text
    assert "above its largest payment" in text
    assert "…" not in text


def test_lines_tell_each_kind_of_thing_once():
    written: list[str] = []
    tally = played()
    lines = Lines(tally, written.append)
    lines.look()
    lines.look()
    assert [line.split()[1] for line in written] == [
        "wallet",
        "paid",
        "refused",
        "asking",
        "owner",
        "trouble",
    ]
    tally.not_paid("Vending 9", "Press", "report.html", "mandate-largest")
    lines.look()
    assert len(written) == 6


def test_amounts_are_written_whole_and_stand_under_each_other():
    assert number(1500) == "0.0015"
    assert number(1) == "0.000001"
    assert {aligned(units).find(".") for units in (1, 1500, 2_500_000)} == {1}
    assert {len(aligned(units)) for units in (0, 1, 1500, 2_500_000, 3_000_000)} == {8}
    assert milliseconds(9.44) == "9.4 ms"
    assert milliseconds(31.2) == "31 ms"


def test_a_quantile_is_a_value_that_was_measured():
    assert quantile([], 0.5) == 0.0
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([float(i) for i in range(1, 101)], 0.99) == 99.0


def test_what_the_mill_sells_is_right():
    assert factorised(1_000_000_007 * 3) == [3, 1_000_000_007]
    assert primes_below(30) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]


def test_without_a_payment_no_receipt_is_called_verified():
    assert check_receipt(None, "ed25519:anything") != ""
