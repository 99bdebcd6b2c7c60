"""Each built-in rule speaks where it should, and not one step before."""

from typing import Any

import pytest

from farthing.risk.base import Rule
from farthing.risk.rules.listed import Listed
from farthing.risk.rules.model import Model
from farthing.risk.rules.new_payee import NewPayee
from farthing.risk.rules.new_place import NewPlace
from farthing.risk.rules.odd_hours import OddHours
from farthing.risk.rules.small_then_large import SmallThenLarge
from farthing.risk.rules.spike import Spike
from farthing.risk.rules.strangers import Strangers
from farthing.risk.rules.velocity import Velocity

from .orders import facts

_LISTED = Listed(
    devices=frozenset({"dev_7"}), payees=frozenset({"acc_7"}), places=frozenset({"there"})
)

SPEAKS: list[tuple[Rule, dict[str, Any], str]] = [
    (
        Velocity(orders_per_minute_max=30),
        {"minute_orders": 30},
        "orders from this device within a minute: 30",
    ),
    (Spike(), {"units": 10_000}, "10 times what this device usually pays"),
    (Spike(), {"units": 5000, "usual_units": 0, "largest_units": 0}, "5000 times what this"),
    (NewPayee(), {"pair_payments": 0}, "never paid this seller"),
    (NewPlace(), {"place_payments": 0}, "never paid from this place"),
    (OddHours(), {"hour_payments": 1, "hour": 3}, "hardly ever pays around 3:00"),
    (
        SmallThenLarge(),
        {"last_hour_payments": 5, "last_hour_units": 500, "units": 2000},
        "5 payments within an hour, then one 20 times",
    ),
    (
        SmallThenLarge(),
        {"last_hour_payments": 5, "last_hour_units": 0, "units": 2000},
        "5 payments within an hour",
    ),
    (
        Strangers(),
        {"payee_day_strangers": 20, "payee_month_strangers": 74, "pair_payments": 0},
        "20 devices paid this seller for the first time within a day; 2 is usual",
    ),
    (Model(), {"model_rank": 99_950}, "odder than all but 50 in 100,000"),
    (_LISTED, {"payee": "acc_7"}, "this seller is on a list"),
    (_LISTED, {"device": "dev_7"}, "this device is on a list"),
    (_LISTED, {"place": "there"}, "this place or network is on a list"),
]

SILENT: list[tuple[Rule, dict[str, Any]]] = [
    (Velocity(orders_per_minute_max=30), {"minute_orders": 29}),
    (Spike(), {"units": 9999}),
    (Spike(), {"units": 10_000, "largest_units": 10_000}),
    (Spike(), {"units": 10_000, "device_payments": 9}),
    (Spike(), {"units": 0, "usual_units": 0, "largest_units": 0}),
    (NewPayee(), {"pair_payments": 1}),
    (NewPayee(), {"pair_payments": 0, "device_payments": 4}),
    (NewPlace(), {"place_payments": 0, "place": ""}),
    (NewPlace(), {"place_payments": 0, "placed_payments": 0}),
    (NewPlace(), {"place_payments": 0, "placed_payments": 4}),
    (OddHours(), {"hour_payments": 2}),
    (OddHours(), {"hour_payments": 0, "hours_counted": 49}),
    (SmallThenLarge(), {"last_hour_payments": 5, "last_hour_units": 505, "units": 2000}),
    (SmallThenLarge(), {"last_hour_payments": 4, "last_hour_units": 400, "units": 2000}),
    (SmallThenLarge(), {"last_hour_payments": 5, "last_hour_units": 5, "units": 1999}),
    (Strangers(), {"payee_day_strangers": 19, "payee_month_strangers": 19, "pair_payments": 0}),
    (Strangers(), {"payee_day_strangers": 20, "payee_month_strangers": 20, "pair_payments": 1}),
    (Strangers(), {"payee_day_strangers": 20, "payee_month_strangers": 129, "pair_payments": 0}),
    (Model(), {"model_rank": 99_899}),
    (Model(), {"model_rank": 0}),
    (Listed(), {"place": ""}),
    (_LISTED, {}),
]


@pytest.mark.parametrize(("rule", "odd", "said"), SPEAKS)
def test_a_rule_says_what_is_odd(rule: Rule, odd: dict[str, Any], said: str):
    assert said in (rule.judge(facts(**odd)) or "")


@pytest.mark.parametrize(("rule", "odd"), SILENT)
def test_a_rule_is_silent_one_step_before(rule: Rule, odd: dict[str, Any]):
    assert rule.judge(facts(**odd)) is None
