"""Mandates: what they refuse and in which order, and budgets that follow limits and periods."""

from datetime import UTC, datetime

import pytest

from farthing.clock import NS
from farthing.core.mandates import MANDATES, Budget
from farthing.core.payments import State
from farthing.core.settling import Capture, Void
from farthing.errors import Conflict


def day(limit, name="day"):
    return Budget(name=name, per="day", limit=limit)


def at(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * NS


async def reason(world, spender, payee, amount, **more):
    return (await world.do(world.pay(spender, payee, amount, **more))).payment.reason


async def set_limit(world, mandate, owner, *budgets, **terms):
    return await world.do(world.set_mandate(owner, *budgets, ident=mandate, **terms))


async def test_a_limit_changed_to_and_fro_leaves_what_the_limit_leaves(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    assert await reason(world, spender, payee, 8) == ""
    await set_limit(world, mandate, owner, day(5))
    assert await world.budget(mandate, "day") == (0, 8)
    assert await reason(world, spender, payee, 1) == "mandate-budget:day"
    await set_limit(world, mandate, owner, day(10))
    assert await world.budget(mandate, "day") == (2, 8)
    assert await reason(world, spender, payee, 3) == "mandate-budget:day"
    assert await reason(world, spender, payee, 2) == ""


async def test_what_is_held_counts_when_a_limit_changes(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    held = (await world.do(world.pay(spender, payee, 6, hold=60))).payment
    await world.do(world.pay(spender, payee, 2))
    await set_limit(world, mandate, owner, day(9))
    assert await world.budget(mandate, "day") == (1, 8)
    await world.do(Capture(held.id, None, 1))
    assert await world.budget(mandate, "day") == (6, 3)


async def test_a_hold_released_under_a_lower_limit_gives_no_more_than_the_limit(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    held = (await world.do(world.pay(spender, payee, 8, hold=60))).payment
    await set_limit(world, mandate, owner, day(5))
    await world.do(Void(held.id, None))
    assert await reason(world, spender, payee, 6) == "mandate-budget:day"
    assert await reason(world, spender, payee, 5) == ""
    assert await world.budget(mandate, "day") == (0, 5)


async def test_a_part_captured_under_a_lower_limit_leaves_what_the_limit_leaves(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    held = (await world.do(world.pay(spender, payee, 8, hold=60))).payment
    await set_limit(world, mandate, owner, day(5))
    await world.do(Capture(held.id, None, 3))
    assert await reason(world, spender, payee, 3) == "mandate-budget:day"
    assert await reason(world, spender, payee, 2) == ""


async def test_a_hold_that_expires_under_a_lower_limit_leaves_what_the_limit_leaves(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    await world.do(world.pay(spender, payee, 8, hold=60))
    await set_limit(world, spender.device.mandate, spender.device.owner, day(5))
    world.clock.move(61)
    assert await reason(world, spender, payee, 6) == "mandate-budget:day"
    assert await reason(world, spender, payee, 5, hold=60) == ""
    assert await reason(world, spender, payee, 1) == "mandate-budget:day"


async def test_the_limit_that_is_set_while_nothing_was_spent_is_the_one_that_holds(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    await set_limit(world, spender.device.mandate, spender.device.owner, day(3))
    assert await reason(world, spender, payee, 4) == "mandate-budget:day"
    assert await reason(world, spender, payee, 3) == ""


async def test_a_limit_of_zero_allows_nothing(world):
    spender, payee = await world.spender(100, day(0)), await world.account()
    assert await reason(world, spender, payee, 1) == "mandate-budget:day"


async def test_a_budget_taken_away_and_given_back_still_knows_what_was_spent(world):
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    await reason(world, spender, payee, 8)
    await set_limit(world, mandate, owner)
    assert await reason(world, spender, payee, 20) == ""
    await set_limit(world, mandate, owner, day(10))
    assert await world.budget(mandate, "day") == (2, 8)


async def test_budgets_count_what_they_cover_and_nothing_else(world):
    payee, other = await world.account(), await world.account()
    coffee = Budget(name="coffee", per="day", limit=5, categories=["coffee"])
    there = Budget(name="there", per="day", limit=7, payees=[payee])
    spender = await world.spender(100, coffee, there)
    assert await reason(world, spender, other, 50) == ""
    assert await reason(world, spender, payee, 4, category="coffee") == ""
    assert await reason(world, spender, other, 2, category="coffee") == "mandate-budget:coffee"
    assert await reason(world, spender, payee, 4) == "mandate-budget:there"
    assert await reason(world, spender, payee, 3) == ""


async def test_a_new_period_is_a_new_budget_and_late_captures_count_in_the_old(world):
    world.clock.now_ns = at(2027, 3, 10, 23, 59, 0)
    spender, payee = await world.spender(100, day(10)), await world.account()
    held = (await world.do(world.pay(spender, payee, 10, hold=600))).payment
    world.clock.move(60)
    assert await reason(world, spender, payee, 10) == ""
    await world.do(Capture(held.id, None))
    assert await world.budget(spender.device.mandate, "day") == (0, 10)
    assert await world.available(payee) == 20


async def test_a_changed_time_zone_opens_no_fresh_budget_early(world):
    world.clock.now_ns = at(2027, 3, 10, 10, 0, 0)
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    assert await reason(world, spender, payee, 10) == ""
    # In Kiritimati the next day has come already, and ends 14 hours before it does in UTC.
    changed = await set_limit(world, mandate, owner, day(10), zone="Pacific/Kiritimati")
    assert [change.zone for change in changed.zones] == ["UTC", "Pacific/Kiritimati"]
    assert await reason(world, spender, payee, 1) == "mandate-budget:day"
    world.clock.now_ns = at(2027, 3, 10, 23, 59, 59)
    assert await reason(world, spender, payee, 1) == "mandate-budget:day"
    world.clock.now_ns = at(2027, 3, 11, 10, 0, 0)
    assert await reason(world, spender, payee, 10) == ""


async def test_a_zone_west_of_here_makes_the_period_longer_not_shorter(world):
    world.clock.now_ns = at(2027, 3, 10, 20, 0, 0)
    spender, payee = await world.spender(100, day(10)), await world.account()
    mandate, owner = spender.device.mandate, spender.device.owner
    assert await reason(world, spender, payee, 10) == ""
    await set_limit(world, mandate, owner, day(10), zone="America/Los_Angeles")
    world.clock.now_ns = at(2027, 3, 11, 6, 59, 59)
    assert await reason(world, spender, payee, 1) == "mandate-budget:day"
    world.clock.now_ns = at(2027, 3, 11, 8, 0, 0)
    assert await reason(world, spender, payee, 10) == ""


async def test_a_mandate_refuses_in_the_order_that_is_documented(world):
    world.clock.now_ns = at(2027, 3, 10, 12, 0, 0)
    payee, other = await world.account(), await world.account()
    owner = await world.owner()
    account = await world.account(owner, 100)
    terms = {
        "largest": 5,
        "payees": [payee],
        "categories": ["coffee"],
        "hours": ["08:00-18:00"],
        "expires": world.clock.now + 86400,
    }
    mandate = await world.mandate(owner, day(7), **terms)
    spender = await world.device(account, mandate.id)
    assert await reason(world, spender, other, 50, category="tea") == "mandate-payee"
    assert await reason(world, spender, payee, 50, category="tea") == "mandate-category"
    assert await reason(world, spender, payee, 50, category="coffee") == "mandate-largest"
    assert await reason(world, spender, payee, 5, category="coffee") == ""
    assert await reason(world, spender, payee, 5, category="coffee") == "mandate-budget:day"
    world.clock.move(7 * 3600)
    assert await reason(world, spender, payee, 50, category="coffee") == "mandate-hours"
    world.clock.move(86400)
    assert await reason(world, spender, other, 50) == "mandate-expired"
    await world.do(world.revoke(mandate.id))
    assert await reason(world, spender, other, 50) == "mandate-revoked"


async def test_a_revocation_takes_effect_at_once_and_leaves_holds_alone(world):
    spender, payee = await world.spender(100, day(50)), await world.account()
    first, _, last = await world.do_all(
        [
            world.pay(spender, payee, 1, hold=60),
            world.revoke(spender.device.mandate),
            world.pay(spender, payee, 1),
        ]
    )
    assert last.answer.payment.reason == "mandate-revoked"
    assert (await world.do(Capture(first.answer.payment.id, None))).state is State.CAPTURED


async def test_a_mandates_revision_counts_up_and_its_asset_stays(world):
    spender = await world.spender(1, day(5))
    mandate, owner = spender.device.mandate, spender.device.owner
    changed = await set_limit(world, mandate, owner, day(6), largest=3)
    assert (changed.revision, changed.largest) == (2, 3)
    assert await world.record(MANDATES, mandate) == changed


async def test_time_zones_are_not_changed_without_end(world):
    spender = await world.spender(1, day(5))
    mandate, owner = spender.device.mandate, spender.device.owner
    zones = ["Europe/Berlin", "UTC"] * 8
    with pytest.raises(Conflict) as raised:
        for zone in zones:
            await set_limit(world, mandate, owner, day(5), zone=zone)
            world.clock.move(1)
    assert raised.value.code == "time-zone-changed-too-often"
