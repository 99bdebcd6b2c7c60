"""`[risk]` is read whole, or what is wrong with it is said by its section and its name."""

from typing import Any

import pytest

from farthing.core.judgements import Act
from farthing.errors import BadConfig
from farthing.risk.settings import judges_of, read_risk

from .orders import order

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rule": {}}, "[risk] has no setting 'rule'; did you mean rules?"),
    ({"devices_max": 0}, "[risk] `devices_max`"),
    ({"devices_max": "many"}, "[risk] `devices_max`"),
    ({"rules": []}, "[risk] `rules`"),
    ({"rules": {"velocty": {}}}, "[risk.rules] has no rule 'velocty'; did you mean velocity?"),
    ({"rules": {"velocity": 5}}, "[risk.rules.velocity] is a table of settings"),
    ({"rules": {"velocity": {"state": "loud"}}}, "[risk.rules.velocity] `state`"),
    (
        {"rules": {"velocity": {"orders_per_minute": 3}}},
        "[risk.rules.velocity] has no setting 'orders_per_minute'; did you mean",
    ),
    (
        {"rules": {"velocity": {"orders_per_minute_max": 0}}},
        "[risk.rules.velocity] `orders_per_minute_max`",
    ),
    (
        {"rules": {"velocity": {"orders_per_minute_max": 1.5}}},
        "[risk.rules.velocity] `orders_per_minute_max`",
    ),
    ({"typologies": {"mine": {}}}, "[risk.typologies.mine] `weights` is missing"),
    ({"typologies": {"mine": []}}, "[risk.typologies.mine] is a table of settings"),
    (
        {"typologies": {"mine": {"weights": {"spik": 1}}}},
        "[risk.typologies.mine] weights has no rule 'spik'; did you mean spike?",
    ),
    ({"typologies": {"mine": {"weights": {"spike": 0}}}}, "[risk.typologies.mine] "),
    (
        {"typologies": {"mine": {"weights": {"spike": 9}, "review": 5, "stop": 5}}},
        "[risk.typologies.mine] stop must be above review",
    ),
    (
        {"typologies": {"mine": {"weights": {"spike": 9}, "review": 10}}},
        "[risk.typologies.mine] review is out of reach: all weights together are 9",
    ),
    ({"typologies": {"runaway": {"stop": 70}}}, "[risk.typologies.runaway] stop is out of reach"),
    (
        {"typologies": {"mine": {"weights": {"spike": 9}}}},
        "[risk.typologies.mine] asks for nothing",
    ),
    ({"rules": {"model": {"rank_min": 89_999}}}, "[risk.rules.model] `rank_min`"),
]


@pytest.mark.parametrize(("told", "fault"), WRONG)
def test_what_is_wrong_is_said_where_it_is(told: dict[str, Any], fault: str):
    with pytest.raises(BadConfig) as found:
        read_risk(told)
    assert found.value.detail.startswith(fault)


def test_a_rule_is_set_by_its_section():
    told = {"rules": {"velocity": {"orders_per_minute_max": 1}}}
    assert acts(told) == [Act.ALLOW, Act.ASK]


@pytest.mark.parametrize(("state", "reasons"), [("off", 0), ("shadow", 1)])
def test_a_rule_is_put_off_or_in_shadow_by_its_section(state: str, reasons: int):
    risk = read_risk({"rules": {"velocity": {"state": state, "orders_per_minute_max": 1}}})
    risk.keep(order(), paid=True)
    judgement = risk.judge(order())
    assert judgement.act is Act.ALLOW
    assert len(judgement.reasons) == reasons


def test_a_typology_of_ones_own_is_weighed_beside_those_there_are():
    told = {
        "rules": {"velocity": {"orders_per_minute_max": 1}},
        "typologies": {"mine": {"weights": {"velocity": 7}, "stop": 7}},
    }
    assert acts(told) == [Act.ALLOW, Act.REFUSE]


def test_a_built_in_typology_is_changed_in_part():
    told = {
        "rules": {"velocity": {"orders_per_minute_max": 1}},
        "typologies": {"runaway": {"review": 50, "stop": 60}},
    }
    assert acts(told) == [Act.ALLOW, Act.REFUSE]


def acts(told: dict[str, Any]) -> list[Act]:
    """Tell what becomes of two orders in one second."""
    return [judgement.act for judgement in read_risk(told).judge_each([order(), order()])]


@pytest.mark.parametrize(
    ("mode", "states", "acts"),
    [("on", ["on", "shadow"], [Act.ASK, Act.ALLOW]), ("shadow", ["on", "shadow"], [Act.ALLOW] * 2)],
)
def test_a_mode_of_shadow_lets_no_rule_act_whatever_its_own_state(mode, states, acts):
    for state, act in zip(states, acts, strict=True):
        told = {"mode": mode, "rules": {"velocity": {"state": state, "orders_per_minute_max": 1}}}
        judges = judges_of(told)
        judges.keep(order(), paid=True)
        judgement = judges.judge(order())
        assert (judgement.act, judgement.would) == (act, Act.ASK)


def test_nobody_judges_where_it_is_off():
    assert judges_of({"mode": "off"}) is None
