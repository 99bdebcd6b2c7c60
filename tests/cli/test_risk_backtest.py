"""`farthing risk backtest`: what rules would have done with the orders that the books have."""

import json
from pathlib import Path

import pytest

from farthing.terminal.exits import Exit

from .runner import Terminal

STRICT = """
[risk.rules.velocity]
orders_per_minute_max = 1

[risk.typologies.one_a_minute]
weights = { velocity = 1 }
stop = 1
"""


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--demo-data").code == 0
    return terminal


def test_the_past_is_judged_and_left_as_it_was(farthing: Terminal, tmp_path: Path):
    rules = tmp_path / "strict.toml"
    rules.write_text(STRICT)
    before = farthing("payments", "--limit", "500", "--json").out
    plain = json.loads(farthing("risk", "backtest", "--json").out)
    strict = json.loads(farthing("risk", "backtest", "--rules", str(rules), "--json").out)
    assert plain["replayed"] == strict["judged"] == len(json.loads(before))
    assert "refuse" not in plain["acts"]
    assert strict["acts"]["refuse"] == strict["typologies"]["one_a_minute"] > 0
    assert 0 < strict["changed"]["refuse"] <= strict["acts"]["refuse"]
    assert strict["examples"][0]["payment"] in before
    assert farthing("payments", "--limit", "500", "--json").out == before
    assert farthing("audit").code == 0


def test_a_person_is_told_in_words(farthing: Terminal, tmp_path: Path):
    rules = tmp_path / "strict.toml"
    rules.write_text(STRICT)
    shown = farthing("risk", "backtest", "--rules", str(rules), "--days", "3650").out
    assert "orders replayed" in shown
    assert "paid unasked, and would not have been: refuse" in shown
    assert "velocity: orders from this device within a minute: 1 before this one" in shown


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "config-invalid", "it has no [risk]"),
        ("risk = 5", "config-invalid", "[risk] is a table"),
        ("[risk", "config-unreadable", "at end of document"),
        ("[risk.rules.velocty]", "config-unknown-key", "did you mean velocity?"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_with_their_file(
    farthing: Terminal, tmp_path: Path, text: str, code: str, said: str
):
    rules = tmp_path / "wrong.toml"
    rules.write_text(text)
    told = farthing("risk", "backtest", "--rules", str(rules))
    assert told.code == Exit.SETTINGS
    assert f"[{code}]" in told.err
    assert f"{rules}: " in told.err
    assert said in told.err


def test_rules_that_are_not_there_are_named(farthing: Terminal, tmp_path: Path):
    told = farthing("risk", "backtest", "--rules", str(tmp_path / "none.toml"))
    assert told.code != 0
    assert "none.toml" in told.err


OWN = (
    STRICT
    + """
[risk.own.dear]
when = "units > 1"
says = "more than one unit"
act = "ask"
"""
)


def test_rules_are_checked_before_they_are_used(farthing: Terminal, tmp_path: Path):
    rules = tmp_path / "own.toml"
    rules.write_text(OWN)
    told = json.loads(farthing("risk", "check", str(rules), "--json").out)
    assert (told["rules"]["dear"], told["own"]) == ("on", ["dear"])
    shown = farthing("risk", "check", str(rules)).out
    assert "nothing is wrong with these rules" in shown
    rules.write_text(OWN.replace("units >", "unitz >"))
    wrong = farthing("risk", "check", str(rules))
    assert wrong.code == Exit.SETTINGS
    assert "[risk.own.dear] `when` names 'unitz', which is no fact" in wrong.err


def test_rules_of_ones_own_are_tried_on_the_past(farthing: Terminal, tmp_path: Path):
    rules = tmp_path / "own.toml"
    rules.write_text(OWN)
    told = json.loads(farthing("risk", "backtest", "--rules", str(rules), "--json").out)
    assert told["rules"]["dear"] == told["typologies"]["dear"] + told["acts"].get("refuse", 0)
    assert told["rules"]["dear"] == told["judged"]
