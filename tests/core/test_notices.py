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
    Class,
    Wish,
    Wishes,
    class_of,
    due_ns,
    gathered,
)
from farthing.errors import Malformed

ALL = {about: Wish(["email"]) for about in Class}


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NS


def event(number: int, kind: Kind, time_ns: int) -> Event:
    return Event(number, "own_1", kind.value, "pay_1", time_ns, {})


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


def test_payments_of_one_minute_are_one_notice_and_security_is_told_one_by_one():
    noon = at("2027-01-10T12:00:00")
    events = [event(i, Kind.PAYMENT_CAPTURED, noon + i * NS) for i in range(1, 6)]
    events += [event(i, Kind.DEVICE_REVOKED, noon + i * NS) for i in (6, 7)]
    events.append(event(8, Kind.PAYMENT_CAPTURED, noon + 90 * NS))
    told = gathered(Wishes(ALL), events)
    assert [(one.about, len(one.events)) for one in told] == [
        (Class.SECURITY, 1),
        (Class.SECURITY, 1),
        (Class.MONEY, 5),
        (Class.MONEY, 1),
    ]


def test_what_a_person_turned_off_is_not_told():
    wishes = Wishes({Class.MONEY: Wish([])})
    noon = at("2027-01-10T12:00:00")
    assert gathered(wishes, [event(1, Kind.PAYMENT_CAPTURED, noon)]) == []


KINDS = [Kind.PAYMENT_CAPTURED, Kind.OFFER_SET, Kind.KEY_CREATED, Kind.PAYMENT_HELD]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40_000)), max_size=30)


@given(STEPS, st.integers(0, 7200), st.sampled_from([[], ["22:00-07:00"], ["00:00-24:00"]]))
def test_every_event_that_is_told_is_in_one_notice_and_not_before_it_happened(steps, digest, quiet):
    now, events = at("2027-01-10T12:00:00"), []
    for number, (kind, seconds) in enumerate(steps, 1):
        now += seconds * NS
        events.append(event(number, kind, now))
    wishes = Wishes({about: Wish(["email"], digest) for about in Class}, quiet=quiet)
    told = gathered(wishes, events)
    numbers = sorted(one.number for each in told for one in each.events)
    assert numbers == [one.number for one in events if class_of(one.kind) is not None]
    for each in told:
        first, last = each.events[0].time_ns, each.events[-1].time_ns
        assert {class_of(one.kind) for one in each.events} == {each.about}
        assert each.due_ns >= first
        assert len(each.events) == 1 or last < each.due_ns
    assert [each.due_ns for each in told] == sorted(each.due_ns for each in told)


@pytest.mark.parametrize(
    "wishes, code",
    [
        (Wishes(ALL, zone="Mars/Base"), "unknown-time-zone"),
        (Wishes(ALL, quiet=["25:00-07:00"]), "malformed-hours"),
        (Wishes(ALL, language="xx"), "unknown-language"),
        (Wishes({Class.SECURITY: Wish([])}), "security-unheard"),
    ],
)
def test_wishes_that_cannot_be_kept_to_are_refused(wishes, code):
    with pytest.raises(Malformed) as refused:
        wishes.check()
    assert refused.value.code == code


def test_a_kind_that_nobody_knows_is_nobodys_notice():
    assert class_of("future.thing") is None
