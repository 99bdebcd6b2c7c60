"""A backtest judges the past by the code that judges the present, and counts what would change."""

from typing import Any

import pytest

from farthing.clock import NS
from farthing.core.judgements import Act, Ordered
from farthing.risk.settings import read_risk
from farthing.services.backtest import EXAMPLES_MAX, Backtest, backtest
from farthing.store.past_orders import PastOrder

NOON_NS = 1_790_000_000 * NS
ONE_A_MINUTE = {"rules": {"velocity": {"orders_per_minute_max": 1}}}


def past(number: int, **told: Any) -> PastOrder:
    """An order, so many seconds after the first."""
    plain: dict[str, Any] = {
        "created_ns": NOON_NS + number * NS, "payment": f"pay_{number}", "device": "dev_1",
        "payee": "acc_1", "amount": 1000, "state": "captured", "reason": "", "asked": False,
        "zone": "UTC",
    }  # fmt: skip
    return PastOrder(**plain | told)


def replayed(orders: list[PastOrder], told: dict[str, Any] | None = None, since: int = 0):
    return backtest(orders, read_risk(told or {}), NOON_NS + since * NS)


def test_orders_of_which_nobody_has_anything_to_say_would_be_allowed():
    found = replayed([past(n * 60) for n in range(5)])
    assert (found.replayed, found.judged, found.acts) == (5, 5, {"allow": 5})
    assert (found.changed, found.rules, found.examples) == ({}, {}, [])


def test_what_was_paid_and_would_have_been_asked_about_is_what_would_change():
    orders = [past(0), past(1), past(2, state="refused"), past(3, asked=True)]
    found = replayed(orders, ONE_A_MINUTE)
    assert found.acts == found.would == {"allow": 1, "ask": 3}
    assert found.changed == {"ask": 1}
    assert (found.rules, found.typologies) == ({"velocity": 3}, {"runaway": 3})


def test_a_rule_in_shadow_is_told_and_changes_nothing():
    shadow = {"rules": {"velocity": {"state": "shadow", "orders_per_minute_max": 1}}}
    found = replayed([past(0), past(1)], shadow)
    assert (found.acts, found.would, found.changed) == ({"allow": 2}, {"allow": 1, "ask": 1}, {})
    assert [one.payment for one in found.examples] == ["pay_1"]


def test_what_came_before_is_remembered_and_not_judged():
    found = replayed([past(0), past(1), past(2)], ONE_A_MINUTE, since=2)
    assert (found.replayed, found.judged, found.acts) == (3, 1, {"ask": 1})


def test_the_newest_examples_are_told_with_their_reasons():
    found = replayed([past(n) for n in range(EXAMPLES_MAX + 5)], ONE_A_MINUTE)
    assert [one.payment for one in found.examples] == [f"pay_{n}" for n in range(24, 4, -1)]
    newest = found.examples[0]
    assert (newest.act, newest.state, newest.typologies) == ("ask", "captured", ("runaway",))
    assert newest.reasons == [
        "velocity: orders from this device within a minute: 24 before this one"
    ]


@pytest.mark.parametrize(("state", "habit"), [("voided", 1), ("expired", 1), ("awaiting", 0)])
def test_a_habit_is_what_was_authorised_whatever_became_of_it(state: str, habit: int):
    told = {"rules": {"new_payee": {"payments_min": 1}}}
    orders = [past(0), past(60, payee="acc_2", state=state), past(120, payee="acc_2")]
    assert replayed(orders, told).rules == {"new_payee": 2 - habit}


def test_a_backtest_says_what_was_said_live():
    orders = [past(n * 7, device=f"dev_{n % 3}", amount=10 ** (n % 6)) for n in range(200)]
    live = read_risk(ONE_A_MINUTE)
    acts: list[Act] = []
    for one in orders:
        ordered = Ordered(one.device, one.payee, one.amount, one.created_ns // NS)
        acts.append(live.judge(ordered).act)
        live.keep(ordered, paid=True)
    found: Backtest = replayed(orders, ONE_A_MINUTE)
    assert sum(found.acts.values()) == 200
    assert found.acts == {act.value: acts.count(act) for act in set(acts)}
    assert len(set(acts)) == 2
