"""What the page about risk says of rules, settings and typologies is what the code does."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from farthing.risk.settings import read_risk, rule_kind, rule_names
from farthing.risk.typologies import BUILT_IN

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "risk.md").read_text()


def rows(head: str) -> list[list[str]]:
    """Give the rows of the table with this head, as lists of cells."""
    table = PAGE.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def test_every_rule_is_told_with_its_settings_and_their_defaults():
    told = {name.strip("`"): dict(re.findall(r"`(\w+)`(?: (\d+))?", last))
            for name, _, last in rows("rule | speaks of | settings")}  # fmt: skip
    assert told == {name: defaults(rule_kind(name)) for name in rule_names()}


def defaults(kind: Any) -> dict[str, str]:
    fields = msgspec.structs.fields(kind)
    return {f.name: str(f.default) if isinstance(f.default, int) else "" for f in fields}


def test_every_typology_is_told_with_its_weights_and_thresholds():
    told = {
        name.strip("`"): (dict(re.findall(r"`(\w+)` (\d+)", weights)), review, stop)
        for name, weights, review, stop in rows("typology | weights | review | stop")
    }
    assert told == {
        name: ({rule: str(weight) for rule, weight in one.weights.items()},
               str(one.review or "never"), str(one.stop or "never"))
        for name, one in BUILT_IN.items()
    }  # fmt: skip


def test_the_examples_are_read():
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        read_risk(tomllib.loads(example)["risk"])
