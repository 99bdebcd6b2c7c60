"""Streaming features: one pass over orders in their order, live and in a replay alike.

What is remembered follows from the sequence of `keep`s alone, so whoever hands in the same orders
gets the same facts, and a hub that starts anew rebuilds its memory from its history.
"""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from farthing.risk.base import Facts, Ordered
from farthing.risk.known import KNOWN_MAX, KnownDevice, KnownPayee, newest_of

_QUARTER = 900
"""Seconds for which the local hour stays the same, in every zone of today."""

_NOBODY, _NOWHERE = KnownDevice(), KnownPayee()
"""What is known of whom nobody knows: nothing is added to it."""


class Memory:
    """What is known of devices and payees: the last `devices_max` and `payees_max` that came."""

    def __init__(self, devices_max: int = KNOWN_MAX, payees_max: int = KNOWN_MAX) -> None:
        self._devices_max, self._payees_max = devices_max, payees_max
        self._devices: dict[str, KnownDevice] = {}
        self._payees: dict[str, KnownPayee] = {}

    @property
    def known(self) -> tuple[int, int]:
        """How many devices and payees are remembered."""
        return len(self._devices), len(self._payees)

    def facts(self, ordered: Ordered) -> Facts:
        """Tell what is known as an order comes in; looking leaves what is known as it was."""
        now, place = ordered.at, ordered.place
        device = self._devices.get(ordered.device, _NOBODY)
        payee = self._payees.get(ordered.payee, _NOWHERE)
        minute, last_hour = device.minute, device.hour
        day, month = payee.day, payee.month
        # Calling costs more than counting: most windows are in the slice that they were in.
        if now >= minute.ends:
            minute.reach(now)
        if now >= last_hour.ends:
            last_hour.reach(now)
        if now >= day.ends:
            day.reach(now)
        if now >= month.ends:
            month.reach(now)
        hour = local_hour(ordered.zone, now // _QUARTER)
        return Facts(
            ordered.device, ordered.payee, place, ordered.units, hour,
            minute.count, last_hour.count, last_hour.units,
            device.payments, device.usual, device.largest,
            device.near(hour), device.hours_counted,
            device.payees.get(ordered.payee, 0),
            len(device.places), device.places.get(place, 0),
            payee.payments, day.count, month.count,
        )  # fmt: skip

    def keep(self, ordered: Ordered, *, paid: bool) -> None:
        """Remember an order; only one that was authorised becomes a habit."""
        now, payee = ordered.at, ordered.payee
        device = newest_of(self._devices, ordered.device, KnownDevice, self._devices_max)
        device.minute.reach(now)
        device.minute.add()
        if not paid:
            return
        known = newest_of(self._payees, payee, KnownPayee, self._payees_max)
        known.paid(now, stranger=payee not in device.payees)
        device.hour.reach(now)
        device.paid(payee, ordered.units, local_hour(ordered.zone, now // _QUARTER), ordered.place)


@lru_cache(maxsize=4096)
def local_hour(zone: str, quarter: int) -> int:
    """Give the hour of the day in a zone, in this quarter of an hour since 1970."""
    return datetime.fromtimestamp(quarter * _QUARTER, ZoneInfo(zone)).hour
