"""A mandate is changed rule by rule; what was spent still counts, whatever is typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from .runner import Terminal


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--json").code == 0
    return terminal


@pytest.fixture
def mandate(farthing: Terminal) -> str:
    words = ("--largest", "1 USD", "--ask-above", "0.5 USD", "--category", "weather")
    budgets = ("--budget", "5 USD/day", "--budget", "20 USD/week")
    return farthing("mandates", "create", "USD", "--name", "m", *words, *budgets).out.strip()


def changed(farthing: Terminal, mandate: str, *words: str) -> dict[str, Any]:
    told = farthing("mandates", "change", mandate, *words, "--json")
    assert told.code == 0, told.err
    return json.loads(told.out)


def limits(mandate: dict[str, Any]) -> dict[str, str]:
    return {budget["name"]: budget["limit"] for budget in mandate["budgets"]}


def test_what_is_not_named_stays(farthing: Terminal, mandate: str):
    [before] = json.loads(farthing("mandates", "list", "--json").out)
    after = changed(farthing, mandate, "--largest", "2 USD")
    assert after == before | {"largest": "2000000", "revision": after["revision"]}


def test_a_budget_is_changed_by_its_period_and_keeps_its_name(farthing: Terminal, mandate: str):
    body = json.loads(farthing("api", "GET", f"/v1/mandates/{mandate}").out)
    kept = {name: body[name] for name in ("asset", "largest", "categories")}
    own = {"name": "all", "per": "day", "limit": "5000000"}
    narrow = {"name": "maps", "per": "day", "limit": "7", "categories": ["weather"]}
    whole = json.dumps(kept | {"budgets": [own, narrow]})
    assert farthing("api", "PUT", f"/v1/mandates/{mandate}", "-d", whole).code == 0
    after = changed(farthing, mandate, "--budget", "3 USD/day", "--budget", "9 USD/month")
    assert limits(after) == {"all": "3000000", "maps": "7", "per month": "9000000"}


def test_none_takes_a_rule_away(farthing: Terminal, mandate: str):
    words = ("--largest", "none", "--ask-above", "none", "--category", "none")
    after = changed(farthing, mandate, *words, "--budget", "none/day", "--expires", "none")
    assert (after["largest"], after["ask_above"], after["categories"]) == (None, None, [])
    assert limits(after) == {"per week": "20000000"}


def test_what_is_not_clear_changes_nothing(farthing: Terminal, mandate: str):
    [before] = json.loads(farthing("mandates", "list", "--json").out)
    for words, code in (
        (("--budget", "none/month"), "malformed-budget"),
        (("--budget", "3 USD"), "malformed-budget"),
        (("--budget", "3 EUR/day"), "asset-mismatch"),
        (("--largest", "much"), "malformed-price"),
        (("--expires", "tomorrow"), "malformed-time"),
    ):
        told = farthing("mandates", "change", mandate, *words)
        assert (told.code, told.out) == (2, ""), words
        assert f"[{code}]" in told.err
    assert farthing("mandates", "change", "man_nobody", "--name", "x").code in (2, 9)
    assert json.loads(farthing("mandates", "list", "--json").out) == [before]
