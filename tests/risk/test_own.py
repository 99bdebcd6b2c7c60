"""Rules of one's own are data: tried at the start, and never able to stop the hub."""

from typing import Any

import pytest

from farthing.core.judgements import CLEAR, Act, Reason
from farthing.errors import BadConfig
from farthing.risk.own import FACTS
from farthing.risk.settings import judges_of, read_risk

from .orders import order

NIGHT = {"when": "hour < 6 || units > 3 * usual_units", "says": "three times the usual"}


def risk(**own: Any) -> dict[str, Any]:
    return {"own": own}


def judged(told: dict[str, Any], *orders: Any) -> list[Any]:
    """Judge orders, each after all before it were paid."""
    risk = read_risk(told)
    for before in orders[:-1]:
        risk.keep(before, paid=True)
    return [risk.judge(orders[-1])]


def test_a_rule_speaks_where_its_expression_holds():
    [found] = judged(risk(large=NIGHT), order(), order(units=3001))
    assert found.reasons == [Reason("large", "three times the usual")]
    assert found.act is Act.ALLOW
    assert judged(risk(large=NIGHT), order(), order(units=3000)) == [CLEAR]


@pytest.mark.parametrize(("act", "done"), [("ask", Act.ASK), ("refuse", Act.REFUSE)])
def test_it_may_be_enough_by_itself(act: str, done: Act):
    told = risk(large=NIGHT | {"act": act})
    [found] = judged(told, order(), order(units=9000))
    assert (found.act, found.typologies) == (done, ("large",))


def test_it_is_weighed_beside_the_built_in_ones():
    told = risk(large=NIGHT) | {"typologies": {"stolen_key": {"weights": {"large": 60}}}}
    told["typologies"]["stolen_key"] |= {"stop": None}
    [found] = judged(told, order(), order(units=9000))
    assert (found.act, found.typologies) == (Act.ASK, ("stolen_key",))


def test_it_may_be_watched_alone():
    told = risk(large=NIGHT | {"act": "refuse", "state": "shadow"})
    [found] = judged(told, order(), order(units=9000))
    assert (found.act, found.would) == (Act.ALLOW, Act.REFUSE)
    off = risk(large=NIGHT | {"act": "refuse", "state": "off"})
    assert judged(off, order(), order(units=9000)) == [CLEAR]


def test_in_a_hub_in_shadow_it_does_not_act():
    hub = judges_of(risk(large=NIGHT | {"act": "refuse"}) | {"mode": "shadow"})
    assert hub is not None
    hub.keep(order(), paid=True)
    draft = hub.draft()
    assert draft.judge(order(units=9000)).act is Act.ALLOW


def test_every_order_is_shown_to_it():
    told = risk(third={"when": "pair_payments == 2", "says": "the third", "act": "ask"})
    answers = read_risk(told).judge_each([order()] * 5)
    acts = [one.act for one in answers]
    assert acts == [Act.ALLOW, Act.ALLOW, Act.ASK, Act.ASK, Act.ASK]


@pytest.mark.parametrize("name", FACTS)
def test_it_sees_what_built_in_rules_see(name: str):
    when = f"{name} == {name}"
    [found] = judged(risk(same={"when": when, "says": "same"}), order())
    assert [reason.rule for reason in found.reasons] == ["same"]


def test_one_that_fails_says_nothing_and_the_others_are_heard(caplog: Any):
    told = risk(
        huge={"when": "units * units * units > 1", "says": "huge", "act": "refuse"},
        large=NIGHT | {"act": "ask"},
    )
    [found] = judged(told, order(), order(units=2**62))
    assert (found.act, found.failed) == (Act.ASK, ["huge"])
    assert "risk.rule_failed rule=huge" in caplog.text
    answers = read_risk(told).judge_each([order(units=2**62)] * 2)
    assert [one.act for one in answers] == [Act.ASK] * 2


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"when": "units >"}, "`when` cannot be read: "),
    ({"when": "unitz > 3"}, "`when` names 'unitz', which is no fact; there are: device, "),
    ({"when": "units"}, "`when` fails: it is 0, neither true nor false"),
    ({"when": "units > 'a'"}, "`when` fails: "),
    ({"when": "units * 1.5 > 3.0"}, "`when` fails: "),
    ({"when": "[1, 2].exists(units, units > 1)"}, "`when` must not go through lists"),
    ({"when": ""}, "`when`"),
    ({"when": "1 < 2" + " " * 500}, "`when`"),
    ({"says": ""}, "`says`"),
    ({"act": "stop"}, "`act`"),
    ({"state": "loud"}, "`state`"),
    ({"who": "me"}, "has no setting 'who'"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_what_cannot_be_meant_is_refused_at_the_start(wrong: dict[str, Any], said: str):
    with pytest.raises(BadConfig) as found:
        read_risk(risk(mine=NIGHT | wrong))
    assert found.value.detail.startswith("[risk.own.mine] " + said)


@pytest.mark.parametrize("name", ["velocity", "Mine", "a-b", ""])
def test_a_name_is_new_and_plain(name: str):
    with pytest.raises(BadConfig, match="no name for a rule of your own"):
        read_risk({"own": {name: NIGHT}})


def test_a_typology_is_written_once():
    told = risk(mine=NIGHT | {"act": "ask"})
    told["typologies"] = {"mine": {"weights": {"mine": 5}, "review": 5}}
    with pytest.raises(BadConfig, match="with its `act` already"):
        read_risk(told)
