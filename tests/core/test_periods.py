"""Periods of budgets: every moment lies in one, they do not overlap, and zones open none early."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.core.periods import (
    ZoneChange,
    check_hours,
    check_per,
    check_zone,
    period_at,
    period_in_zone,
    within_hours,
)
from farthing.errors import Malformed
from tests.effort import REPEATED, examples

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia",
         "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Kiritimati"]  # fmt: skip
PERS = ["day", "week", "month", "90s", "15m", "1h", "7d"]
MOMENTS = st.integers(1_500_000_000, 2_100_000_000)


def moment(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@settings(max_examples=examples(300), deadline=None, derandomize=REPEATED, database=None)
@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(PERS))
def test_every_moment_lies_in_one_period_and_the_next_begins_where_it_ends(
    now: int, zone: str, per: str
):
    period = period_in_zone(per, zone, now)
    assert period.start <= now < period.end
    assert period_in_zone(per, zone, period.start) == period
    assert period_in_zone(per, zone, period.end - 1) == period
    assert period_in_zone(per, zone, period.end).start == period.end


@pytest.mark.parametrize(
    ("per", "zone", "now", "start", "end"),
    [
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),
        ("day", "Europe/Berlin", "2026-10-25T23:59", "2026-10-25T00:00", "2026-10-26T00:00"),
        ("week", "America/New_York", "2026-11-22T23:59", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("week", "Asia/Kathmandu", "2027-01-01T00:00", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("month", "Asia/Kathmandu", "2028-02-29T23:59", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_calendar_periods_follow_the_owners_clock(
    per: str, zone: str, now: str, start: str, end: str
):
    period = period_in_zone(per, zone, moment(now, zone))
    assert (period.start, period.end) == (moment(start, zone), moment(end, zone))


def test_a_day_with_a_change_of_clocks_has_23_or_25_hours():
    for text, hours in (("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25)):
        period = period_in_zone("day", "Europe/Berlin", moment(text, "Europe/Berlin"))
        assert period.end - period.start == hours * 3600


@settings(max_examples=examples(300), deadline=None, derandomize=REPEATED, database=None)
@given(
    MOMENTS,
    st.sampled_from(PERS),
    st.lists(st.tuples(st.integers(0, 40 * 86400), st.sampled_from(ZONES)), max_size=3),
    st.lists(st.integers(0, 60 * 86400), min_size=2, max_size=12),
)
def test_no_change_of_zone_opens_a_fresh_budget_early(
    start: int, per: str, changes: list[tuple[int, str]], looks: list[int]
):
    """Periods seen one after the other never overlap, and none is shorter for a change."""
    zones = [ZoneChange(0, "UTC")]
    zones += [ZoneChange(start + after, zone) for after, zone in sorted(changes)]
    seen = [period_at(per, [z for z in zones if z.at <= now], now)
            for now in sorted(start + look for look in looks)]  # fmt: skip
    for now, period in zip(sorted(start + look for look in looks), seen, strict=True):
        assert period.start <= now < period.end
    for before, after in pairwise(seen):
        assert after.start == before.start or after.start >= before.end, (before, after)


def test_a_changed_zone_applies_when_both_periods_have_ended():
    changed = moment("2026-11-22T12:00")
    zones = [ZoneChange(0, "UTC"), ZoneChange(changed, "Asia/Tokyo")]
    held = period_at("day", zones, changed)
    assert held.start == moment("2026-11-22T00:00")
    assert held.end == moment("2026-11-23T00:00")
    after = period_at("day", zones, held.end)
    assert after.start == held.end
    assert after.end == moment("2026-11-24T00:00", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("hours", "now", "inside"),
    [
        ([], "03:00", True),
        (["08:00-18:00"], "08:00", True),
        (["08:00-18:00"], "17:59", True),
        (["08:00-18:00"], "18:00", False),
        (["22:00-06:00"], "23:30", True),
        (["22:00-06:00"], "05:59", True),
        (["22:00-06:00"], "06:00", False),
        (["00:00-24:00"], "23:59", True),
        (["08:00-09:00", "20:00-24:00"], "20:00", True),
    ],
)
def test_hours_are_the_owners(hours: list[str], now: str, inside: bool):
    for zone in ("UTC", "Asia/Kathmandu"):
        assert within_hours(hours, zone, moment(f"2026-11-22T{now}", zone)) is inside


@pytest.mark.parametrize(
    "per", ["", "days", "Day", "0s", "-1h", "1w", "1.5h", "367d", "999999d", "٣h", "1h ", "1 h"]
)
def test_odd_periods_are_refused(per: str):
    with pytest.raises(Malformed) as caught:
        check_per(per)
    assert caught.value.code == "malformed-period"


@pytest.mark.parametrize(
    "span",
    ["", "8:00-9:00", "08:00", "08:00-08:00", "24:00-01:00", "08:00-24:01", "08:60-09:00",
     "08:00\u201309:00", "٠٨:00-09:00", "08:00-09:00\n"],
)  # fmt: skip
def test_odd_hours_are_refused(span: str):
    with pytest.raises(Malformed) as caught:
        check_hours(span)
    assert caught.value.code == "malformed-hours"


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "a\0b", "x" * 300, ".", "Europe"]
)
def test_odd_zones_are_refused(zone: str):
    with pytest.raises(Malformed) as caught:
        check_zone(zone)
    assert caught.value.code == "unknown-time-zone"


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "posix/UTC", "right/UTC"])
def test_files_beside_the_zones_are_none(zone: str):
    with pytest.raises(Malformed) as caught:
        check_zone(zone)
    assert caught.value.code == "unknown-time-zone"


@pytest.mark.parametrize("good", ["UTC", "Europe/Berlin"])
def test_a_zone_is_given_back(good: str):
    assert check_zone(good) == good


@pytest.mark.parametrize("good", ["day", "week", "month", "1s", "90s", "15m", "1h", "7d", "366d"])
def test_a_period_is_given_back(good: str):
    assert check_per(good) == good


@pytest.mark.parametrize(
    ("per", "length"), [("1s", 1), ("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604_800)]
)
def test_a_fixed_period_is_as_long_as_it_says_and_begins_at_a_multiple(per: str, length: int):
    period = period_in_zone(per, "UTC", 1_800_000_123)
    assert period.start == 1_800_000_123 // length * length
    assert period.end - period.start == length


@pytest.mark.parametrize("good", ["08:00-18:00", "22:00-06:00", "00:00-24:00"])
def test_a_span_of_hours_is_given_back(good: str):
    assert check_hours(good) == good


def test_hours_begin_and_end_at_their_minutes():
    for now, inside in (("08:14", False), ("08:15", True), ("09:44", True), ("09:45", False)):
        assert within_hours(["08:15-09:45"], "UTC", moment(f"2026-11-22T{now}")) is inside
    for now, inside in (("22:14", False), ("22:15", True), ("06:44", True), ("06:45", False)):
        assert within_hours(["22:15-06:45"], "UTC", moment(f"2026-11-22T{now}")) is inside


def test_a_zone_applies_from_its_very_moment_and_a_period_ends_the_later_of_both():
    changed = moment("2026-11-22T12:00")
    zones = [ZoneChange(0, "UTC"), ZoneChange(changed, "America/New_York")]
    whole = moment("2026-11-22T00:00"), moment("2026-11-23T00:00")
    before = period_at("day", zones, changed - 1)
    assert (before.start, before.end) == whole
    held = period_at("day", zones, changed)
    assert (held.start, held.end) == (whole[0], moment("2026-11-23T00:00", "America/New_York"))
    # A third zone, whose day ends later still.
    zones.append(ZoneChange(changed + 3600, "Pacific/Apia"))
    again = period_at("day", zones, changed + 3600)
    assert (again.start, again.end) == (held.start, moment("2026-11-24T00:00", "Pacific/Apia"))
    after = period_at("day", zones, again.end)
    assert (after.start, after.end) == (again.end, moment("2026-11-25T00:00", "Pacific/Apia"))


def test_a_period_ends_at_its_second_where_a_zone_was_some_seconds_off():
    """Liberia was 44:30 behind until 1972: no quarter of an hour begins with its days."""
    end = moment("1971-02-02T00:44:30")
    before = period_in_zone("day", "Africa/Monrovia", end - 1)
    after = period_in_zone("day", "Africa/Monrovia", end)
    assert (before.start, before.end) == (end - 86400, end)
    assert (after.start, after.end) == (end, end + 86400)
