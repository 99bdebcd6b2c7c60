"""Streaming features: one pass over orders in their order, live and in a replay alike.

What is remembered follows from the sequence of what is kept alone, so whoever hands in the same
orders gets the same facts, and a hub that starts anew rebuilds its memory from its history.
"""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from farthing.core.judgements import Kept, Ordered
from farthing.risk.base import Facts
from farthing.risk.known import KNOWN_MAX, KnownDevice, KnownPayee, newest_of

_QUARTER = 900
"""Seconds for which the local hour stays the same, in every zone of today."""

_NOBODY, _NOWHERE = KnownDevice(), KnownPayee()
"""What is known of whom nobody knows. Time passes in it: nothing is added to it, nor to a copy."""


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

    def anew(self) -> "Memory":
        """Give a memory as large, of nothing."""
        return Memory(self._devices_max, self._payees_max)

    def device(self, name: str) -> KnownDevice:
        """Give what is known of a device, to look at."""
        return self._devices.get(name, _NOBODY)

    def payee(self, name: str) -> KnownPayee:
        """Give what is known of a payee, to look at."""
        return self._payees.get(name, _NOWHERE)

    def device_copied(self, name: str) -> KnownDevice:
        """Give what is known of a device, to add to."""
        found = self._devices.get(name)
        return found.copy() if found is not None else KnownDevice()

    def payee_copied(self, name: str) -> KnownPayee:
        """Give what is known of a payee, to add to."""
        found = self._payees.get(name)
        return found.copy() if found is not None else KnownPayee()

    def facts(self, ordered: Ordered) -> Facts:
        """Tell what is known as an order comes in; looking leaves what is known as it was."""
        return facts_of(ordered, self.device(ordered.device), self.payee(ordered.payee))

    def keep(self, ordered: Ordered, *, paid: bool) -> None:
        """Remember an order; only one that was authorised becomes a habit."""
        self.add(Kept(ordered, paid))

    def add(self, kept: Kept) -> None:
        """Remember an order, as the books kept it."""
        ordered = kept.ordered
        device = newest_of(self._devices, ordered.device, KnownDevice, self._devices_max)
        stranger = kept.paid and ordered.payee not in device.payees
        add_order(device, kept)
        if kept.paid:
            payee = newest_of(self._payees, ordered.payee, KnownPayee, self._payees_max)
            payee.paid(ordered.at, stranger=stranger)

    def keep_device(self, name: str, known: KnownDevice | None, kept: Kept) -> None:
        """Remember an order of a device; all that is `known` of it now, where that is told."""
        device = newest_of(self._devices, name, KnownDevice, self._devices_max)
        if known is None:
            add_order(device, kept)
        else:
            self._devices[name] = known

    def keep_payee(self, name: str, known: KnownPayee | None, now: int, *, stranger: bool) -> None:
        """Remember a payment to a payee; all that is `known` of it now, where that is told."""
        payee = newest_of(self._payees, name, KnownPayee, self._payees_max)
        if known is None:
            payee.paid(now, stranger=stranger)
        else:
            self._payees[name] = known


def facts_of(ordered: Ordered, device: KnownDevice, payee: KnownPayee) -> Facts:
    """Tell what is known as an order comes in, of these two."""
    now, place = ordered.at, ordered.place
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


def add_order(device: KnownDevice, kept: Kept) -> None:
    """Add an order to what is known of its device."""
    ordered, now = kept.ordered, kept.ordered.at
    if not kept.answered:
        device.minute.reach(now)
        device.minute.add()
        if kept.flagged:
            device.tell(kept.flagged, now)
    if kept.paid:
        device.hour.reach(now)
        hour = local_hour(ordered.zone, now // _QUARTER)
        device.paid(ordered.payee, ordered.units, hour, ordered.place)


@lru_cache(maxsize=4096)
def local_hour(zone: str, quarter: int) -> int:
    """Give the hour of the day in a zone, in this quarter of an hour since 1970."""
    return datetime.fromtimestamp(quarter * _QUARTER, ZoneInfo(zone)).hour
