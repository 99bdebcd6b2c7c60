"""Streaming features: one pass over orders in their order, live and in a replay alike.

What is remembered follows from the sequence of what is kept alone, so whoever hands in the same
orders gets the same facts, and a hub that starts anew rebuilds its memory from its history.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from farthing.core.judgements import Kept, Ordered, Ranked
from farthing.risk.base import Facts
from farthing.risk.known import KNOWN_MAX, KnownDevice, KnownPayee, make_room

QUARTER = 900
"""Seconds for which the local hour stays the same, in every zone of today."""

Item = tuple[Kept, bool]
"""An order that was kept, and whether its device had never paid that payee."""

NOBODY, _NOWHERE = KnownDevice(), KnownPayee()
"""What is known of whom nobody knows. Time passes in it: nothing is added to it, nor to a copy."""


class Memory:
    """What is known of devices and payees: the last that came, so many at most."""

    def __init__(self, devices_max: int = KNOWN_MAX, payees_max: int = KNOWN_MAX) -> None:
        self._devices_max, self._payees_max = devices_max, payees_max
        self._devices: dict[str, KnownDevice] = {}
        self._payees: dict[str, KnownPayee] = {}
        self._stamp = 0

    @property
    def known(self) -> tuple[int, int]:
        """How many devices and payees are remembered."""
        return len(self._devices), len(self._payees)

    def anew(self) -> "Memory":
        """Give a memory as large, of nothing."""
        return Memory(self._devices_max, self._payees_max)

    def device(self, name: str) -> KnownDevice:
        """Give what is known of a device, to look at."""
        return self._devices.get(name, NOBODY)

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
        device = self._devices.get(kept.ordered.device, NOBODY)
        self.take([(kept, kept.paid and kept.ordered.payee not in device.payees)], {}, {})

    def heed(self, ranked: Iterable[Ranked]) -> None:
        """Hear what a model found of orders; of whom nobody knows, nothing is heard."""
        for one in ranked:
            device = self._devices.get(one.device)
            if device is not None:
                device.heed(one.rank, one.at)

    def take(
        self,
        items: Iterable[Item],
        devices: Mapping[str, KnownDevice],
        payees: Mapping[str, KnownPayee],
    ) -> None:
        """Remember orders, in their order.

        Shape: `devices` and `payees` are those of which all that is known now is told already.
        """
        for kept, stranger in items:
            device = self._take_device(kept, devices)
            self._stamp = device.stamp = self._stamp + 1
            if kept.paid:
                payee = self._take_payee(kept, payees, stranger=stranger)
                payee.stamp = self._stamp

    def _take_device(self, kept: Kept, told: Mapping[str, KnownDevice]) -> KnownDevice:
        name, known = kept.ordered.device, self._devices
        device, all_told = known.get(name), told.get(name)
        if device is None:
            make_room(known, self._devices_max)
            device = known[name] = all_told or KnownDevice()
        if all_told is None:
            add_order(device, kept)
        elif all_told is not device:
            device = known[name] = all_told
        return device

    def _take_payee(
        self, kept: Kept, told: Mapping[str, KnownPayee], *, stranger: bool
    ) -> KnownPayee:
        name, known = kept.ordered.payee, self._payees
        payee, all_told = known.get(name), told.get(name)
        if payee is None:
            make_room(known, self._payees_max)
            payee = known[name] = all_told or KnownPayee()
        if all_told is None:
            payee.paid(kept.ordered.at, stranger=stranger)
        elif all_told is not payee:
            payee = known[name] = all_told
        return payee


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
    hour = local_hour(ordered.zone, now // QUARTER)
    return Facts(
        ordered.device, ordered.payee, place, ordered.units, hour,
        minute.count, last_hour.count, last_hour.units,
        device.payments, device.usual, device.largest,
        device.near(hour), device.hours_counted,
        device.payees.get(ordered.payee, 0),
        len(device.places), device.places.get(place, 0), device.placed,
        payee.payments, day.count, month.count,
        device.rank_at(now) if device.rank else 0,
    )  # fmt: skip


def add_order(device: KnownDevice, kept: Kept) -> None:
    """Add an order to what is known of its device."""
    ordered, now = kept.ordered, kept.ordered.at
    device.orders += 1
    if device.calm_zone != ordered.zone:
        device.calm_orders = 0
    if not kept.answered:
        if now >= device.minute.ends:
            device.minute.reach(now)
        device.minute.add()
        if kept.flagged:
            device.tell(kept.flagged, now)
    if kept.paid:
        if now >= device.hour.ends:
            device.hour.reach(now)
        hour = local_hour(ordered.zone, now // QUARTER)
        device.paid(ordered.payee, ordered.units, hour, ordered.place)


@lru_cache(maxsize=4096)
def local_hour(zone: str, quarter: int) -> int:
    """Give the hour of the day in a zone, in this quarter of an hour since 1970."""
    return datetime.fromtimestamp(quarter * QUARTER, ZoneInfo(zone)).hour
