"""`farthing cases`: what waits, one of them, and a verdict."""

import json
from pathlib import Path

import pytest

from farthing.terminal.exits import Exit

from .runner import Terminal

WATCHED = """
[risk]
mode = "shadow"

[risk.rules.velocity]
orders_per_minute_max = 1
"""


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    """A hub whose demo data are flagged."""
    terminal = Terminal(tmp_path / "home")
    assert terminal("init").code == 0
    (tmp_path / "home" / "hub" / "farthing.toml").write_text(WATCHED)
    assert terminal("demo-data").code == 0
    return terminal


def test_a_case_is_found_looked_at_and_decided(farthing: Terminal):
    before = json.loads(farthing("cases", "list", "--json").out)
    case = before[0]["id"]
    assert case in farthing("cases", "list").out
    shown = farthing("cases", "show", case).out
    assert "odd: orders from this device within a minute" in shown
    assert f"farthing cases decide {case}" in shown
    assert before[0]["payment"] in shown
    decided = farthing("cases", "decide", case, "legitimate", "it is a demo")
    assert "decided: legitimate, operator" in decided.out
    assert "decided: legitimate, says operator: it is a demo" in farthing("cases", "show", case).out
    left = json.loads(farthing("cases", "list", "--json").out)
    assert [one["id"] for one in before[1:]] == [one["id"] for one in left]
    every = json.loads(farthing("cases", "list", "--state", "all", "--json").out)
    assert {one["id"] for one in every} == {one["id"] for one in before}
    late = farthing("cases", "decide", case, "fraud", "it is not")
    assert late.code == Exit.CONFLICT
    assert "[case-decided]" in late.err
    assert farthing("cases", "decide", case, "fraud", "it is not", "--anew").code == 0
    tried = json.loads(farthing("risk", "backtest", "--json").out)
    assert tried["verdicts"] == {"fraud: allow": 1}
    strict = str(farthing.home / "hub" / "farthing.toml")
    tried = json.loads(farthing("risk", "backtest", "--rules", strict, "--json").out)
    assert tried["verdicts"] == {"fraud: ask": 1}
    assert farthing("audit").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "cas_none"), "no-such-case"),
        (("decide", "cas_none", "fraud", " "), "invalid-body"),
        (("decide", "cas_none", "guilty", "x"), "guilty"),
    ],
)
def test_what_cannot_be_decided_is_said_in_words(farthing: Terminal, words, said):
    failed = farthing("cases", *words)
    assert failed.code != 0
    assert said in failed.err + failed.out
