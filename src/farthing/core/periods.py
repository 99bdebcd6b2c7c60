"""Periods of budgets: fixed lengths, or calendar days, weeks and months in a time zone."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from farthing.errors import Malformed

CALENDAR = ("day", "week", "month")
_FIXED = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FIXED_MAX = 366 * 86400


class Period(msgspec.Struct, frozen=True):
    """A span of time, its start included. Units: whole Unix seconds."""

    start: int
    end: int


class ZoneChange(msgspec.Struct, frozen=True):
    """From `at` (Unix seconds) the owner's zone is `zone`, once both periods have ended."""

    at: int
    zone: str


_NO_PLACES = ("localtime", "posixrules", "Factory")
"""Files beside the zones that mean another thing on each machine, or nothing."""


def check_zone(zone: str) -> str:
    """Check the name of a time zone, and give it back.

    Raises: Malformed `unknown-time-zone`.
    """
    try:
        if zone in _NO_PLACES or zone.startswith(("posix/", "right/")):
            raise ValueError(zone)
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Malformed(
            "unknown-time-zone", f"{zone[:40]!r} is not a zone such as Europe/Berlin"
        ) from None
    return zone


def check_per(per: str) -> str:
    """Check how long a period is: `day`, `week`, `month`, or a length such as `15m`.

    Raises: Malformed `malformed-period`.
    """
    if per not in CALENDAR and not 1 <= _fixed(per) <= _FIXED_MAX:
        raise Malformed(
            "malformed-period", "a period is day, week, month, or like 90s, 15m, 1h, 7d"
        )
    return per


def _fixed(per: str) -> int:
    read = _FIXED.fullmatch(per)
    return int(read[1]) * _SECONDS[read[2]] if read else 0


def period_in_zone(per: str, zone: str, now: int) -> Period:
    """Give the period that holds this moment."""
    if per not in CALENDAR:
        length = _fixed(per)
        return Period(now - now % length, now - now % length + length)
    quarter = _calendar_period(per, zone, now - now % 900)
    if quarter.start <= now < quarter.end:
        return quarter
    return _calendar_period(per, zone, now)


@lru_cache(maxsize=4096)
def _calendar_period(per: str, zone: str, now: int) -> Period:
    place = ZoneInfo(zone)
    today = datetime.fromtimestamp(now, place).date()
    if per == "day":
        first, after = today, today + timedelta(days=1)
    elif per == "week":
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    return Period(_midnight(first, place), _midnight(after, place))


def _midnight(day: date, place: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=place).timestamp())


def period_at(per: str, zones: Sequence[ZoneChange], now: int) -> Period:
    """Give the budget's period at this moment, changes of zone included.

    A changed zone applies from the later end of the two periods that hold the change, so no
    change of zone ever opens a fresh budget early.
    """
    zone, held = zones[0].zone, Period(0, 0)
    for change in zones[1:]:
        if change.at > now:
            break
        current = _current(per, zone, held, change.at)
        other = period_in_zone(per, change.zone, change.at)
        zone, held = change.zone, Period(current.start, max(current.end, other.end))
    return _current(per, zone, held, now)


def _current(per: str, zone: str, held: Period, now: int) -> Period:
    if now < held.end:
        return held
    found = period_in_zone(per, zone, now)
    return Period(max(found.start, held.end), found.end)


def within_hours(hours: Sequence[str], zone: str, now: int) -> bool:
    """Tell whether a moment lies in one of the spans, such as `08:00-18:00`, in a time zone."""
    if not hours:
        return True
    local = datetime.fromtimestamp(now, ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    return any(_holds(span, minute) for span in hours)


def _holds(span: str, minute: int) -> bool:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in span.split("-"))
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end  # Over midnight.


_HOURS = re.compile(
    r"([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)", re.ASCII
)


def check_hours(span: str) -> str:
    """Check a span of hours, and give it back.

    Raises: Malformed `malformed-hours`.
    """
    if _HOURS.fullmatch(span) is None or span[:5] == span[6:]:
        raise Malformed("malformed-hours", "write hours like 08:00-18:00")
    return span
