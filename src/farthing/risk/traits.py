"""Traits: what a model looks at, streamed in one pass like `memory.py`, and what was told later.

A rule needs few facts and microseconds; a model scores off the payment path and may look further
back. That a payment was bad is told days after it, so a day's share of bad payments counts only
once the day is old enough to be judged. All are integers; shares and ratios are in thousandths.
"""

from collections.abc import Sequence

from farthing.core.judgements import Ordered
from farthing.risk.days import NEVER, Days
from farthing.risk.known import KNOWN_MAX, MINUTE, PAYEES_MAX, PLACES_MAX, count_newest, newest_of
from farthing.risk.memory import local_hour
from farthing.risk.windows import Window

_RATIO_MAX = 1_000_000

DEVICE_NAMES: Sequence[str] = (
    "gap_seconds", "hour_payments", "hour_units", "day_payments", "day_units", "week_payments",
    "month_payments", "times_usual", "times_largest", "day_times_usual", "pair_payments",
    "place_payments", "places_known", "place_hours", "bad_known", "bad_share", "bad_newest",
    "bad_oldest",
)  # fmt: skip
PAYEE_NAMES: Sequence[str] = (
    "payee_day", "payee_week", "payee_month", "payee_times_usual", "payee_strangers",
    "payee_bad_known", "payee_bad_share", "payee_bad_week_share", "payee_bad_newest",
    "payee_bad_oldest", "payee_bad_streak",
)  # fmt: skip
NAMES: Sequence[str] = ("units", "hour", *DEVICE_NAMES, *PAYEE_NAMES)
"""What each trait is, in the order of `Traits.of`."""


class Traits:
    """What is known of devices and payees, by payments and by what was told of them later."""

    def __init__(self, devices_max: int = KNOWN_MAX, payees_max: int = KNOWN_MAX) -> None:
        self._devices_max, self._payees_max = devices_max, payees_max
        self._devices: dict[str, _Device] = {}
        self._payees: dict[str, Days] = {}

    def of(self, ordered: Ordered) -> list[int]:
        """Give the traits of an order, itself not counted. Looking leaves what is known."""
        device = self._devices.get(ordered.device) or _Device()
        payee = self._payees.get(ordered.payee) or Days()
        device.reach(ordered.at)
        payee.reach(ordered.at)
        hour = local_hour(ordered.zone, ordered.at // 900)
        return [ordered.units, hour, *device.traits(ordered), *_payee_traits(payee, ordered.units)]

    def keep(self, ordered: Ordered) -> None:
        """Remember a payment."""
        device = newest_of(self._devices, ordered.device, _Device, self._devices_max)
        payee = newest_of(self._payees, ordered.payee, Days, self._payees_max)
        device.reach(ordered.at)
        payee.reach(ordered.at)
        payee.add(ordered.units, stranger=ordered.payee not in device.payees)
        device.paid(ordered)

    def tell_bad(self, ordered: Ordered) -> None:
        """Hear that a payment of some days ago was bad."""
        device, payee = self._devices.get(ordered.device), self._payees.get(ordered.payee)
        if device is not None:
            device.days.tell_bad(ordered.at)
        if payee is not None:
            payee.tell_bad(ordered.at)


class _Device:
    """A device's last days and hours, its payees and its places."""

    __slots__ = ("day", "days", "hour", "last", "payees", "places", "since")

    def __init__(self) -> None:
        self.days = Days()
        self.hour = Window(10 * MINUTE, 6)
        self.day = Window(60 * MINUTE, 24)
        self.last = 0
        self.payees: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self.since: dict[str, int] = {}

    def reach(self, now: int) -> None:
        """Let time pass until this moment."""
        self.days.reach(now)
        self.hour.reach(now)
        self.day.reach(now)

    def paid(self, ordered: Ordered) -> None:
        """Remember a payment."""
        self.days.add(ordered.units)
        self.hour.add(ordered.units)
        self.day.add(ordered.units)
        self.last = max(self.last, ordered.at)
        count_newest(self.payees, ordered.payee, PAYEES_MAX)
        if ordered.place:
            count_newest(self.places, ordered.place, PLACES_MAX)
            since = self.since.get(ordered.place, ordered.at)
            self.since = {place: self.since.get(place, since) for place in self.places}

    def traits(self, ordered: Ordered) -> list[int]:
        """Give what stands under `DEVICE_NAMES`."""
        days, units = self.days, ordered.units
        count, spent = sum(days.counts), sum(days.units)
        since = self.since.get(ordered.place)
        return [
            min(NEVER * 86_400, max(0, ordered.at - self.last)),
            self.hour.count, self.hour.units, self.day.count, self.day.units,
            sum(days.counts[:7]), count,
            _thousandths(units * count, spent),
            _thousandths(units, max(days.largest)),
            _thousandths((units + self.day.units) * len(days.counts), spent),
            self.payees.get(ordered.payee, 0),
            self.places.get(ordered.place, 0), len(self.places),
            -1 if since is None else (ordered.at - since) // 3600,
            *days.bad_known(), *days.bad_ages(),
        ]  # fmt: skip


def _payee_traits(days: Days, units: int) -> list[int]:
    """Give what stands under `PAYEE_NAMES`."""
    count, got = sum(days.counts), sum(days.units)
    _, week_share = days.bad_known(end=15)
    return [
        days.counts[0], sum(days.counts[:7]), count,
        _thousandths(units * count, got),
        sum(days.strangers),
        *days.bad_known(), week_share, *days.bad_ages(), days.bad_streak(),
    ]  # fmt: skip


def _thousandths(part: int, whole: int) -> int:
    """Give a ratio in thousandths, bounded; 0 where there is nothing to compare with."""
    return min(_RATIO_MAX, part * 1000 // whole) if whole > 0 else 0
