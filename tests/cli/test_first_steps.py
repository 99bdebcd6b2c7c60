"""A fresh hub says how to go on, and is filled with demo data on request."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from farthing.core.refusals import Refusal
from tests.ports import free_port

from .runner import Terminal

BIN = Path(sys.executable).parent


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    """A terminal without a hub."""
    return Terminal(tmp_path / "home")


def next_commands(told: str) -> list[str]:
    lines = told.partition("Next:\n")[2].partition("\n\n")[0].splitlines()
    return [line.partition("#")[0].strip() for line in lines]


def test_the_next_three_commands_work_as_they_are_printed_from_any_folder(
    farthing: Terminal, tmp_path: Path
):
    settings = tmp_path / "its folder" / "farthing.toml"
    settings.parent.mkdir()
    settings.write_text(f"[server]\nport = {free_port()}\n")
    made = farthing("init", "--config", str(settings))
    assert made.code == 0, made.err
    serve, *others = next_commands(made.err)
    assert (serve.split()[:2], len(others)) == (["farthing", "serve"], 2)
    up = f"until [ -S '{settings.parent}/hub.sock' ]; do sleep 0.05; done"
    script = "\n".join(["set -e", f"{serve} &", "trap 'kill %1; wait' EXIT", up, *others])
    told = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path / "elsewhere")}
    done = subprocess.run(
        ["bash", "-c", script], cwd="/", env=told, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "elsewhere").exists(), "all of it is in the hub that was named"


def test_with_demo_data_the_next_commands_show_it(farthing: Terminal):
    serve, *others = next_commands(farthing("init", "--demo-data").err)
    assert (serve, len(others)) == ("farthing serve", 2)
    for words in map(shlex.split, others):
        shown = farthing(*words[1:])
        assert (shown.code, len(shown.out.splitlines()) > 5) == (0, True), shown.err


def test_demo_data_shows_every_state_and_leaves_the_books_right(farthing: Terminal):
    made = farthing("init", "--demo-data", "--json")
    assert made.code == 0, made.err
    told = json.loads(made.out)
    assert told["demo_data"]["payments"].keys() == {
        *("captured", "held", "voided", "awaiting", "refused"),
    }
    payments = json.loads(farthing("payments", "--limit", "500", "--json").out)
    assert len(payments) == sum(told["demo_data"]["payments"].values())
    assert {p["money"] for p in payments} == {"test"}
    reasons = {p["reason"] for p in payments if p["state"] == "refused"}
    assert reasons == {
        Refusal.MANDATE_LARGEST,
        Refusal.MANDATE_PAYEE,
        Refusal.MANDATE_CATEGORY,
        Refusal.MANDATE_BUDGET,
        Refusal.INSUFFICIENT_FUNDS,
        Refusal.DENIED,
    }
    shown = farthing("payments", "--limit", "500").out
    assert "1.86 USD of it" in shown
    assert "0.62 USD back" in shown
    assert farthing("audit").code == 0


def test_whatever_is_demo_data_says_so(farthing: Terminal):
    farthing("init", "--owner", "Parkside", "--demo-data")
    for noun in ("owners", "accounts", "devices"):
        names = {item["name"] for item in json.loads(farthing(noun, "list", "--json").out)}
        assert all(name.endswith("(demo)") for name in names - {"Parkside"}), names
    offers = json.loads(farthing("offers", "list", "--json").out)
    assert all(offer["description"].endswith("(demo)") for offer in offers)


def test_demo_data_is_for_a_fresh_hub_only(farthing: Terminal):
    farthing("init")
    account = farthing("accounts", "open", "USD", "--name", "till").out
    refused = farthing("demo-data")
    assert (refused.code, "[not-a-fresh-hub]" in refused.err) == (10, True)
    assert account.strip() in (listed := farthing("accounts", "list").out)
    assert len(listed.splitlines()) == 1


def test_demo_data_is_made_once(farthing: Terminal):
    farthing("init")
    first = farthing("demo-data")
    assert (first.code, "Look at them:" in first.out) == (0, True), first.err
    before = farthing("balances").out
    assert farthing("demo-data").code == 10
    assert farthing("balances").out == before


def test_a_hub_that_does_not_count_euros_is_left_empty(farthing: Terminal):
    (farthing.home / "hub").mkdir(parents=True)
    (farthing.home / "hub" / "farthing.toml").write_text("[assets]\nUSD = 6\n")
    farthing("init")
    refused = farthing("demo-data")
    assert (refused.code, "EUR" in refused.err) == (2, True)
    assert json.loads(farthing("owners", "list", "--json").out)[0]["name"] == "me"
    assert json.loads(farthing("accounts", "list", "--json").out) == []
