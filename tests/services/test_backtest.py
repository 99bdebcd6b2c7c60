"""A backtest judges the past by the code that judges the present, and counts what would change."""

from typing import Any

import pytest

from farthing.clock import NS
from farthing.core.judgements import Act, Ordered
from farthing.risk.settings import ladder, read_risk, read_settings
from farthing.risk.traits import NAMES
from farthing.services.backtest import EXAMPLES_MAX, Backtest, Rules, Said, backtest
from farthing.services.learning import rows
from farthing.services.trying import Candidate, broken
from farthing.store.labels import Label
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
    return backtest(orders, Rules(read_risk(told or {})), NOON_NS + since * NS)


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


ODD_ALONE = {"typologies": {"odd": {"weights": {"model": 1}, "review": 1}}}


def tried(orders, *who, told=(), risk=ODD_ALONE, since=0):
    rules = Rules(read_risk(risk), who, ladder(read_settings(risk)))
    return backtest(orders, rules, NOON_NS + since * NS, Said(told=told))


def ranks(*given):
    """A model that ranks orders as told, one after the other."""
    left = iter(given)
    return lambda _traits: next(left)


def steps(found, at=0):
    return {one.rank_min: (one.odd, one.odd_bad, one.changed) for one in found.models[at].steps}


def test_what_a_model_found_odd_is_heard_by_the_next_order_of_its_device_for_an_hour():
    orders = [past(0), past(60, device="dev_2"), past(61), past(3599), past(3660)]
    found = tried(orders, Candidate("champion", "m", ranks(99_920, 0, 0, 0, 0)))
    assert (found.acts, found.rules) == ({"allow": 3, "ask": 2}, {"model": 2})
    assert (found.models[0].scored, found.models[0].name) == (5, "m")


def test_each_threshold_tells_what_would_have_changed_there():
    orders = [past(0), past(1), past(2), past(3, state="refused"), past(4, asked=True)]
    labels = [Label("pay_0", True, NOON_NS // NS + 90, "denied")]
    found = tried(orders, Candidate("champion", "m", ranks(99_960, 0, 99_400, 0, 0)), told=labels)
    assert steps(found) == {
        99_000: (2, 1, {"ask": 2}), 99_500: (1, 1, {"ask": 2}), 99_900: (1, 1, {"ask": 2}),
        99_950: (1, 1, {"ask": 2}), 99_990: (0, 0, {}),
    }  # fmt: skip
    assert (found.models[0].bad, found.changed) == (1, {"ask": 2})


def test_what_other_rules_stop_anyway_is_no_change_of_a_models():
    both = {**ODD_ALONE, **ONE_A_MINUTE}
    found = tried(
        [past(n) for n in range(3)], Candidate("champion", "m", lambda _: 99_999), risk=both
    )
    assert found.changed == {"ask": 2}
    assert {changed.get("ask", 0) for _, _, changed in steps(found).values()} == {0}


def test_a_threshold_that_is_set_is_tried_beside_the_others_and_off_is_tried_as_on():
    told = {**ODD_ALONE, "rules": {"model": {"rank_min": 91_000, "state": "off"}}}
    found = tried([past(0), past(1)], Candidate("champion", "m", ranks(92_000, 0)), risk=told)
    assert found.acts == {"allow": 2}
    assert steps(found)[91_000] == (1, 0, {"ask": 1})


def test_a_challenger_is_heard_by_nobody_but_its_own_column():
    who = [Candidate("champion", "m", ranks(0, 0)), Candidate("challenger", "c", ranks(99_999, 0))]
    found = tried([past(0), past(1)], *who)
    assert found.acts == {"allow": 2}
    assert steps(found, 1)[99_990] == (1, 0, {"ask": 1})
    assert steps(tried([past(0), past(1)], who[1]._replace(rank=ranks(99_999, 0)))) == steps(
        found, 1
    )


def test_a_model_that_breaks_is_named_and_the_rules_go_on():
    found = tried([past(0), past(1)], broken("champion", "m", "it is gone"))
    assert (found.models[0].fault, found.models[0].scored) == ("it is gone", 0)
    assert found.acts == {"allow": 2}


def test_a_model_is_shown_the_traits_that_it_learns_from_and_scores_live():
    orders = [
        past(n * 40_000, device=f"dev_{n % 3}", amount=10 ** (n % 5), payee=f"acc_{n % 4}",
             state="refused" if n % 7 == 3 else "captured")
        for n in range(60)
    ]  # fmt: skip
    labels = [
        Label(f"pay_{n * 40_000}", n != 1, NOON_NS // NS + n * 40_000 + 9, "case")
        for n in (1, 4, 8)
    ]
    shown: list[list[int]] = []
    tried(
        orders,
        Candidate("champion", "m", lambda traits: len(shown.append(traits) or "")),
        told=labels,
    )
    assert shown == [row.traits for row in rows(orders, labels, 0)]
    at = NAMES.index("payee_bad_known")
    assert any(traits[at] for traits in shown)  # It was told to be bad, and is old enough.


def test_only_orders_since_a_time_are_counted_as_scored():
    found = tried(
        [past(0), past(1), past(2)], Candidate("champion", "m", lambda _: 99_999), since=1
    )
    assert (found.models[0].scored, steps(found)[99_990]) == (2, (2, 0, {"ask": 2}))
