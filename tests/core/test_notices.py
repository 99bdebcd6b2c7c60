"""Who is told what, and when: held while it is quiet, gathered, never dropped, never twice."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.clock import NS
from farthing.core.events import Event, Kind
from farthing.core.notices import (
    COALESCE_SECONDS,
    LANES,
    Class,
    Wish,
    Wishes,
    class_of,
    counted,
    told_at,
    told_now,
)
from farthing.core.notices import due_ns as _due_ns
from farthing.errors import Malformed

ALL = {about: Wish(["email"]) for about in Class}


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NS


def event(number: int, kind: Kind, time_ns: int) -> Event:
    return Event(number, "own_1", kind.value, "pay_1", time_ns, {})


def due_ns(wishes, about, happened_ns):
    lane = next(lane for lane in LANES.values() if lane.about is about)
    return _due_ns(wishes, lane, happened_ns)


def test_security_passes_at_any_hour_and_the_rest_waits_for_the_morning():
    wishes = Wishes(ALL, quiet=["22:00-07:00"], zone="Europe/Berlin")
    night = at("2027-01-10T23:30:00", "Europe/Berlin")
    assert due_ns(wishes, Class.SECURITY, night) == night
    morning = at("2027-01-11T07:00:00", "Europe/Berlin")
    assert due_ns(wishes, Class.ACCOUNT, night) == morning
    assert due_ns(wishes, Class.MONEY, night) == morning


def test_what_happens_by_day_is_told_by_day_money_once_a_minute():
    wishes = Wishes(ALL, quiet=["22:00-07:00"], zone="Europe/Berlin")
    noon = at("2027-01-10T12:00:00", "Europe/Berlin")
    assert due_ns(wishes, Class.ACCOUNT, noon) == noon
    assert due_ns(wishes, Class.MONEY, noon) == noon + COALESCE_SECONDS * NS


def test_a_digest_that_would_end_in_the_night_is_told_in_the_morning():
    wishes = Wishes({Class.ACCOUNT: Wish(["email"], 4 * 3600)}, quiet=["22:00-07:00"])
    assert due_ns(wishes, Class.ACCOUNT, at("2027-01-10T19:00:00")) == at("2027-01-11T07:00:00")


@pytest.mark.parametrize(
    "night, morning",
    [
        ("2027-03-28T01:30:00", "2027-03-28T07:00:00"),  # An hour is missing.
        ("2027-10-31T01:30:00", "2027-10-31T07:00:00"),  # An hour comes twice.
    ],
)
def test_the_morning_is_the_clocks_on_the_wall_when_it_is_changed(night, morning):
    wishes = Wishes(ALL, quiet=["22:00-07:00"], zone="Europe/Berlin")
    found = due_ns(wishes, Class.ACCOUNT, at(night, "Europe/Berlin"))
    assert found == at(morning, "Europe/Berlin")


def test_hours_that_are_all_quiet_hold_nothing_for_ever():
    wishes = Wishes(ALL, quiet=["00:00-12:00", "12:00-24:00"])
    assert due_ns(wishes, Class.ACCOUNT, at("2027-01-10T12:00:00")) == at("2027-01-10T12:00:00")


def test_what_is_late_waits_for_the_quiet_hours_as_well():
    wishes = Wishes(ALL, quiet=["22:00-07:00"])
    evening, night = at("2027-01-10T21:00:00"), at("2027-01-10T23:00:00")
    money, asks = LANES["money"], LANES["asks"]
    assert told_at(wishes, money, evening, night, []) == at("2027-01-11T07:00:00")
    assert told_at(wishes, asks, evening, night, []) <= night


def test_more_than_its_pace_waits_until_the_oldest_is_long_enough_ago():
    lane, now = LANES["account"], at("2027-01-10T12:00:00")
    recent: list[int] = []
    for i in range(lane.pace.most):
        assert told_at(Wishes(ALL), lane, now, now, recent) == now
        recent = counted(lane.pace, recent, now + i)
    assert told_at(Wishes(ALL), lane, now, now, recent) == now + lane.pace.seconds * NS


def test_a_flood_of_asks_becomes_a_few_notices_of_many():
    """However fast they come: so many notices in ten minutes, and every ask in one of them."""
    lane, start = LANES["asks"], at("2027-01-10T12:00:00")
    waiting, recent, told = [], list[int](), list[tuple[int, int]]()
    for second in range(1200):
        now = start + second * NS
        waiting.append(event(second + 1, Kind.PAYMENT_AWAITING, now))
        while waiting and told_at(Wishes(ALL), lane, waiting[0].time_ns, now, recent) <= now:
            count = told_now(lane, waiting, recent, now)
            told.append((now, count))
            waiting, recent = waiting[count:], counted(lane.pace, recent, now)
    assert [count for _, count in told[:5]] == [1] * 5
    assert sum(count for _, count in told) + len(waiting) == 1200
    for now, _ in told:
        assert sum(now - 600 * NS < at_ns <= now for at_ns, _ in told) <= lane.pace.most


KINDS = [Kind.PAYMENT_CAPTURED, Kind.OFFER_SET, Kind.KEY_CREATED, Kind.PAYMENT_AWAITING]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40_000)), max_size=30)


@given(STEPS, st.integers(0, 7200), st.sampled_from([[], ["22:00-07:00"], ["00:00-24:00"]]))
def test_every_event_is_told_once_in_its_lanes_and_not_before_it_happened(steps, digest, quiet):
    now, events = at("2027-01-10T12:00:00"), []
    for number, (kind, seconds) in enumerate(steps, 1):
        now += seconds * NS
        events.append(event(number, kind, now))
    wishes = Wishes({about: Wish(["email"], digest) for about in Class}, quiet=quiet)
    for lane in LANES.values():
        mine = [one for one in events if one.kind in lane.kinds]
        left, recent, told = mine, list[int](), list[int]()
        while left:
            then = left[0].time_ns
            due = told_at(wishes, lane, then, then, recent)
            while told_at(wishes, lane, then, due, recent) > due:
                due = told_at(wishes, lane, then, due, recent)
            ready = [one for one in left if one.time_ns <= due]
            count = told_now(lane, ready, recent, due)
            assert due >= then
            told += [one.number for one in left[:count]]
            left, recent = left[count:], counted(lane.pace, recent, due)
        assert told == [one.number for one in mine]


def test_every_kind_that_is_told_is_in_one_lane_of_its_class():
    for kind in Kind:
        lanes = [lane for lane in LANES.values() if kind in lane.kinds]
        own = [lane for lane in lanes if lane.about is not Class.SUMMARY]
        assert [lane.about for lane in own] == [
            about for about in [class_of(kind)] if about is not None
        ]


@pytest.mark.parametrize(
    "wishes, code",
    [
        (Wishes(ALL, zone="Mars/Base"), "unknown-time-zone"),
        (Wishes(ALL, quiet=["25:00-07:00"]), "malformed-hours"),
        (Wishes(ALL, language="xx"), "unknown-language"),
        (Wishes({Class.SECURITY: Wish([])}), "security-unheard"),
        (Wishes({}), "security-unheard"),
        (Wishes(ALL | {Class.MONEY: Wish(["pigeon"])}), "unknown-way"),
        (Wishes(ALL | {Class.MONEY: Wish(["email", "email"])}), "unknown-way"),
    ],
)
def test_wishes_that_cannot_be_kept_to_are_refused(wishes, code):
    with pytest.raises(Malformed) as refused:
        wishes.check()
    assert refused.value.code == code


def test_a_kind_that_nobody_knows_is_nobodys_notice():
    assert class_of("future.thing") is None
