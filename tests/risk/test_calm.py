"""A device that is calm is not asked about, and would have been told nothing of: try it."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from farthing.core.judgements import CLEAR, Act, Judgement, Kept, Ordered, Ranked
from farthing.risk.base import NEVER, Facts, Patient
from farthing.risk.calm import calm_down
from farthing.risk.drafts import RiskDraft
from farthing.risk.judging import Armed, Judge, State
from farthing.risk.known import HOURS_COUNTED_MAX, KnownDevice
from farthing.risk.memory import Memory
from farthing.risk.settings import rule_kind, rule_names
from farthing.risk.typologies import Typology

from .orders import NOON, QUIET, order

SHY: dict[str, dict[str, Any]] = {
    "velocity": {"orders_per_minute_max": 6},
    "spike": {"payments_min": 2, "times_usual": 2},
    "new_payee": {"payments_min": 2},
    "new_place": {"payments_min": 2},
    "odd_hours": {"payments_min": 3, "permille_max": 400},
    "small_then_large": {"payments_min": 2, "times_larger": 2},
    "strangers": {"strangers_min": 2, "times_usual": 2},
    "listed": {},
    "model": {"rank_min": 90_000},
}
EACH = {name: Typology({name: 1}, review=1) for name in SHY}
"""Any word of any rule is enough."""

LIVES, LENGTH = 40, 120


def life(luck: random.Random) -> Iterator[tuple[Ordered, bool]]:
    """Draw orders of two devices that mostly keep their habits, and whether each is paid."""
    now, often = NOON - luck.randrange(900), luck.choice([0, 1, 9, 40])
    amounts, places = luck.choice([[10], [1, 10], [10, 10, 40]]), luck.choice([[""], ["", "home"]])
    zone = luck.choice(["UTC", "Asia/Kathmandu"])
    for _ in range(LENGTH):
        now += luck.choice([0, often, often, luck.choice([60, 599, 900, 9 * 3600])])
        odd = luck.random() < 0.06
        zone = luck.choice(["UTC", "Asia/Kathmandu"]) if luck.random() < 0.02 else zone
        yield (
            Ordered(
                luck.choice(["dev_1", "dev_1", "dev_1", "dev_2"]),
                "acc_2" if odd else "acc_1",
                luck.choice([7, 10, 11, 50]) if odd else luck.choice(amounts),
                now,
                zone,
                luck.choice(["", "home", "away"]) if odd else luck.choice(places),
            ),
            luck.random() < 0.95,
        )


def judge_of(states: dict[str, State]) -> Judge:
    kinds = {name: msgspec.convert(SHY[name], rule_kind(name)) for name in states}
    return Judge([Armed(name, kind, states[name]) for name, kind in kinds.items()], EACH)


def plainly(judge: Judge, known: Memory, ordered: Ordered) -> Judgement:
    """Judge by asking every rule, and tell nothing twice within an hour."""
    found = judge.judge(known.facts(ordered))
    told = known.device(ordered.device).was_told(tuple(found.typologies), ordered.at)
    quiet = found.would is Act.ALLOW or (found.act is Act.ALLOW and told)
    return CLEAR if quiet else found


def test_every_rule_is_tried_and_can_tell_how_long_it_is_silent():
    assert sorted(SHY) == rule_names()
    assert all(issubclass(rule_kind(name), Patient) for name in SHY)


@pytest.mark.parametrize("state", ["on", "shadow"])
@pytest.mark.parametrize("names", [*((name,) for name in SHY), tuple(SHY)], ids="+".join)
def test_who_is_calm_would_have_been_told_nothing_of(names: tuple[str, ...], state: State):
    judge = judge_of(dict.fromkeys(names, state))
    for seed in range(LIVES):
        luck = random.Random(seed)
        memory, known = Memory(), Memory()
        draft = RiskDraft(memory, judge)
        for ordered, paid in life(luck):
            expected, found = plainly(judge, known, ordered), draft.judge(ordered)
            assert found == expected, f"seed {seed}"
            kept = Kept(ordered, paid, flagged=found.typologies)
            draft.keep(kept)
            known.add(kept)
            if luck.random() < 0.4:
                draft.settle()
                if luck.random() < 0.2:
                    ranked = Ranked(ordered.device, luck.choice([50_000, 95_000]), ordered.at)
                    memory.heed([ranked])
                    known.heed([ranked])
                draft = RiskDraft(memory, judge)


class Counts:
    """A rule that counts how often it is asked, and can wait for so many orders."""

    def __init__(self, patience: int) -> None:
        self.waits, self.asked = patience, 0

    def patience(self, _facts: Facts) -> int:
        return self.waits

    def judge(self, _facts: Facts) -> str | None:
        self.asked += 1
        return None


def asked(rule: Any, orders: list[Ordered]) -> int:
    """Tell how often a rule is asked about orders that are all paid, in two commits each."""
    memory, judge = Memory(), Judge([Armed("counts", rule)], {})
    for start in range(0, len(orders), 3):
        draft = RiskDraft(memory, judge)
        for ordered in orders[start : start + 3]:
            draft.judge(ordered)
            draft.keep(Kept(ordered, paid=True))
        draft.settle()
    return rule.asked


def test_nobody_is_asked_about_what_is_like_the_habit():
    assert asked(Counts(NEVER), [order()] * 30) == 2  # Of a device that is new, always.


def test_patience_is_over_once_as_many_have_come():
    assert asked(Counts(10), [order()] * 31) == 1 + 3


def test_it_is_asked_about_whatever_is_unlike_the_habit():
    usual = [order(place="home")] * 3
    for odd in (
        order(units=1001),
        order(payee="acc_9"),
        order(place="away"),
        order(at=NOON + 600),
        order(zone="Asia/Kathmandu"),
    ):
        assert asked(Counts(NEVER), [*usual, odd]) == 3
    assert asked(Counts(NEVER), [*usual, replace(usual[0], units=999, place="")]) == 2


class Asks:
    """A rule that cannot wait."""

    asked = 0

    def judge(self, _facts: Facts) -> str | None:
        self.asked += 1
        return None


def test_a_rule_that_cannot_tell_is_always_asked():
    assert asked(Asks(), [order()] * 7) == 7


def lived(judge: Judge, orders: list[Ordered]) -> list[Judgement]:
    """Judge orders that are all paid, each in a commit of its own."""
    memory, found = Memory(), list[Judgement]()
    for ordered in orders:
        draft = RiskDraft(memory, judge)
        found.append(draft.judge(ordered))
        draft.keep(Kept(ordered, paid=True, flagged=found[-1].typologies))
        draft.settle()
    return found


def test_a_larger_payment_makes_others_look_smaller():
    rule = msgspec.convert({"times_larger": 2}, rule_kind("small_then_large"))
    judge = Judge([Armed("small_then_large", rule)], EACH)
    amounts = [10] * 10 + [15] + [1] * 8 + [15]
    found = lived(judge, [order(units=units) for units in amounts])
    assert [one.would for one in found] == [Act.ALLOW] * 19 + [Act.ASK]


def test_what_is_told_of_an_odd_order_is_not_told_of_plain_ones():
    judge = judge_of({"velocity": "shadow", "new_payee": "shadow"})
    odd = [order(payee=f"acc_9{n}") for n in range(7)]
    found = lived(judge, [order()] * 5 + odd + [order()])
    assert [one.typologies for one in found[6:]] == [
        ("velocity", "new_payee"), (), (), (), (), (), ("velocity",),
    ]  # fmt: skip


def test_nobody_is_calm_past_what_is_rounded():
    device = KnownDevice()
    device.hours[QUIET.hour] = HOURS_COUNTED_MAX - 2
    calm_down(device, order(), QUIET, NEVER)
    assert device.calm_orders == 1


class Speaks:
    """A rule that speaks of a device with so many payments, and so many orders in a minute."""

    def __init__(self, payments: int, orders: int) -> None:
        self.payments, self.orders = payments, orders

    def patience(self, facts: Facts) -> int:
        return NEVER if self.judge(facts) else 0

    def judge(self, facts: Facts) -> str | None:
        often = facts.minute_orders >= self.orders and facts.device_payments >= self.payments
        return "often" if often else None


def test_what_is_told_of_two_rules_together_is_not_told_of_one():
    rules = [Armed("velocity", Speaks(1, 1), "shadow"), Armed("spike", Speaks(1, 0), "shadow")]
    found = lived(Judge(rules, EACH), [order()] * 4 + [order(at=NOON + 61)])
    both = ("velocity", "spike")
    assert [one.typologies for one in found] == [(), both, (), (), ("spike",)]


def test_nobody_is_calm_into_another_hour_of_the_owners_clock():
    judge = judge_of({"odd_hours": "on"})
    habit, late = NOON - 8 * 3600 - 15 * 60, NOON - 7 * 3600 + 11 * 60  # 9:30 and 10:56 there.
    times = [habit] * 20 + [late, late, late + 300]
    found = lived(judge, [order(at=at, zone="Asia/Kathmandu") for at in times])
    assert [one.would for one in found] == [Act.ALLOW] * 22 + [Act.ASK]
