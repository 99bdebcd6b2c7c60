"""What the rules say is weighed: off, in shadow, on; to ask, to stop; and none can break it."""

import pytest

from farthing.core.judgements import CLEAR, Act, Ordered, Reason
from farthing.risk.base import Facts
from farthing.risk.judging import Armed, Judge, State
from farthing.risk.memory import Memory
from farthing.risk.orders import Risk
from farthing.risk.typologies import Typology

from .orders import QUIET, order

SCALES = {"both": Typology({"one": 40, "other": 30}, review=40, stop=70)}


class Says:
    """A rule that always says the same."""

    def __init__(self, said: str | None) -> None:
        self.said = said

    def judge(self, _facts: Facts) -> str | None:
        return self.said


class Breaks:
    """A rule with a bug."""

    def judge(self, _facts: Facts) -> str | None:
        raise ZeroDivisionError


class PaidBefore:
    """A rule that lets a device pay once a minute."""

    def judge(self, facts: Facts) -> str | None:
        return "again" if facts.minute_orders else None


def judge_of(one: str | None, other: str | None, state: State = "on") -> Judge:
    rules = [Armed("one", Says(one)), Armed("other", Says(other), state)]
    return Judge(rules, SCALES)


@pytest.mark.parametrize(
    ("one", "other", "act"),
    [
        (None, None, Act.ALLOW),
        (None, "odd", Act.ALLOW),
        ("odd", None, Act.ASK),
        ("odd", "odd", Act.REFUSE),
    ],
)
def test_weights_add_up_to_asking_and_to_stopping(one: str | None, other: str | None, act: Act):
    judgement = judge_of(one, other).judge(QUIET)
    assert (judgement.act, judgement.would) == (act, act)


def test_the_reasons_are_told_with_the_typology_that_they_speak_for():
    judgement = judge_of("first", "second").judge(QUIET)
    assert judgement.reasons == [Reason("one", "first"), Reason("other", "second")]
    assert judgement.typologies == ("both",)


def test_what_is_said_for_nothing_is_told_and_does_nothing():
    judgement = judge_of(None, "odd").judge(QUIET)
    assert judgement.reasons == [Reason("other", "odd")]
    assert (judgement.act, judgement.typologies) == (Act.ALLOW, ())


def test_a_rule_in_shadow_is_recorded_and_never_acts():
    judgement = judge_of("odd", "odd", "shadow").judge(QUIET)
    assert (judgement.act, judgement.would) == (Act.ASK, Act.REFUSE)
    assert judgement.reasons[1] == Reason("other", "odd", acts=False)
    alone = judge_of(None, "odd", "shadow").judge(QUIET)
    assert (alone.act, alone.would) == (Act.ALLOW, Act.ALLOW)


def test_a_rule_that_is_off_says_nothing():
    assert judge_of(None, "odd", "off").judge(QUIET) is CLEAR


def test_a_threshold_that_is_not_set_is_never_reached():
    never = {"both": Typology({"one": 1000}, review=None, stop=None)}
    assert Judge([Armed("one", Says("odd"))], never).judge(QUIET).act is Act.ALLOW


def test_the_strictest_typology_counts_and_only_those_that_ask_for_it_are_named():
    scales = SCALES | {"hard": Typology({"one": 1}, stop=1)}
    judgement = Judge([Armed("one", Says("odd"))], scales).judge(QUIET)
    assert (judgement.act, judgement.typologies) == (Act.REFUSE, ("hard",))


def test_a_rule_that_breaks_is_named_and_the_others_are_heard():
    rules = [Armed("broken", Breaks()), Armed("one", Says("odd"))]
    judgement = Judge(rules, SCALES).judge(QUIET)
    assert (judgement.act, judgement.failed) == (Act.ASK, ["broken"])
    assert judgement.reasons == [Reason("one", "odd")]
    assert Judge([Armed("broken", Breaks())], SCALES).judge(QUIET).failed == ["broken"]


def test_orders_that_come_together_know_of_each_other_as_if_they_came_one_by_one():
    judge = Judge([Armed("one", PaidBefore())], SCALES)
    orders = [order(), order(device="dev_2"), order(), order(at=order().at + 60)]
    together = Risk(Memory(), judge).judge_each(orders)
    assert [one.act for one in together] == [Act.ALLOW, Act.ALLOW, Act.ASK, Act.ALLOW]
    assert together == one_by_one(Risk(Memory(), judge), orders)


def test_what_is_stopped_is_no_habit():
    risk = Risk(Memory(), Judge([Armed("one", Says("odd"))], SCALES))
    risk.judge_each([order(), order()])
    memory = Memory()
    Risk(memory, Judge([Armed("one", Says("odd"))], SCALES)).judge_each([order()])
    assert memory.facts(order()).device_payments == 0
    assert memory.facts(order()).minute_orders == 1


def one_by_one(risk: Risk, orders: list[Ordered]) -> list[object]:
    answers: list[object] = []
    for ordered in orders:
        answer = risk.judge(ordered)
        risk.keep(ordered, paid=answer.act is Act.ALLOW)
        answers.append(answer)
    return answers
