"""What a mandate would have done, and whether a change of it allows more."""

from typing import Any

import msgspec
import pytest

from farthing.clock import NS
from farthing.core.foreseen import Asked, Foreseen, foresee
from farthing.core.mandates import Budget, Mandate
from farthing.core.periods import ZoneChange
from farthing.core.widening import widens

DAY = 86_400
MONDAY = 1_767_571_200  # 2026-01-05T00:00:00Z


def mandate(**more: Any) -> Mandate:
    whole: dict[str, Any] = {
        "id": "man_1", "owner": "own_1", "asset": "USD", "name": "x",
        "zones": [ZoneChange(0, "UTC")],
    } | more  # fmt: skip
    return Mandate(**whole)


def orders(*units: int, every: int = 60, payee: str = "acc_a", category: str = "") -> list[Asked]:
    return [Asked(payee, category, much, (MONDAY + i * every) * NS) for i, much in enumerate(units)]


def test_orders_go_through_are_asked_about_or_refused():
    assert foresee(mandate(), orders(1, 2, 3)) == Foreseen(3, 0, 0)
    assert foresee(mandate(ask_above=1), orders(1, 2, 3)) == Foreseen(3, 2, 0)
    assert foresee(mandate(ask_above=1, largest=2), orders(1, 2, 3)) == Foreseen(3, 1, 1)
    assert foresee(mandate(payees=["acc_b"]), orders(1)) == Foreseen(1, 0, 1)
    assert foresee(mandate(categories=["charging"]), orders(1)) == Foreseen(1, 0, 1)
    assert foresee(mandate(hours=["08:00-18:00"]), orders(1, 1, every=9 * 3600)).refused == 1


def test_what_two_people_have_to_approve_is_asked_about_and_counted():
    assert foresee(mandate(two_above=1), orders(1, 2, 3)) == Foreseen(3, 2, 0, 2)
    assert foresee(mandate(ask_above=1, two_above=2), orders(1, 2, 3)) == Foreseen(3, 2, 0, 1)


def test_a_budget_counts_by_its_period_and_a_refused_order_spends_nothing():
    day = mandate(budgets=[Budget(name="day", per="day", limit=10)])
    assert foresee(day, orders(6, 5, 4)) == Foreseen(3, 0, 1)
    assert foresee(day, orders(6, 5, 4, every=DAY)) == Foreseen(3, 0, 0)
    only = mandate(budgets=[Budget(name="day", per="day", limit=10, payees=["acc_b"])])
    assert foresee(only, orders(60)) == Foreseen(1, 0, 0)


def test_a_budget_that_is_too_small_leaves_the_others_as_they_were():
    two = mandate(
        budgets=[
            Budget(name="day", per="day", limit=10),
            Budget(name="hour", per="1h", limit=5),
        ]
    )
    assert foresee(two, orders(6, 5, 5, every=1800)) == Foreseen(3, 0, 1)


def test_the_end_of_a_mandate_is_about_what_comes():
    assert foresee(mandate(expires=MONDAY - 1), orders(1)) == Foreseen(1, 0, 0)


START = mandate(
    largest=10, ask_above=5, two_above=7, payees=["acc_a", "acc_b"], categories=["power"],
    hours=["08:00-18:00"], expires=MONDAY, budgets=[Budget(name="day", per="day", limit=100)],
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {}, {"largest": 9}, {"ask_above": 4}, {"payees": ["acc_b"]}, {"expires": MONDAY - 1},
        {"budgets": [Budget(name="day", per="day", limit=99)]}, {"ask_seconds": 9000},
        {"budgets": [*START.budgets, Budget(name="week", per="week", limit=1)]}, {"name": "y"},
        {"two_above": 6}, {"two_above": 6}, {"two_above": 1, "ask_above": None},
    ],
)  # fmt: skip
def test_a_change_that_only_narrows(change: dict[str, Any]):
    assert not widens(START, msgspec.structs.replace(START, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"largest": 11}, {"ask_above": 6}, {"ask_above": None}, {"payees": []},
        {"payees": ["acc_c"]}, {"categories": []}, {"categories": ["power", "food"]}, {"hours": []},
        {"hours": ["00:00-23:59"]}, {"expires": 0}, {"expires": MONDAY + 1}, {"budgets": []},
        {"budgets": [Budget(name="day", per="day", limit=101)]}, {"on_timeout": "allow"},
        {"budgets": [Budget(name="day", per="week", limit=100)]},
        {"budgets": [Budget(name="other", per="day", limit=1)]},
        {"budgets": [Budget(name="day", per="day", limit=100, payees=["acc_a"])]},
        {"budgets": [Budget(name="day", per="day", limit=100, categories=["power"])]},
        {"zones": [ZoneChange(0, "Asia/Tokyo")]},
        {"two_above": 8}, {"two_above": None},
    ],
)  # fmt: skip
def test_a_change_that_allows_more(change: dict[str, Any]):
    assert widens(START, msgspec.structs.replace(START, **change))


def test_silence_that_means_yes_sooner_allows_more():
    allows = msgspec.structs.replace(START, on_timeout="allow")
    assert widens(allows, msgspec.structs.replace(allows, ask_seconds=10))
    assert not widens(allows, msgspec.structs.replace(allows, ask_seconds=9000))
    assert not widens(allows, START)
