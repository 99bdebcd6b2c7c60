"""Calm: for a while no rule has anything new to say of a device's plain orders: none is asked.

Plain is what is like the habit: no more than the device ever paid, to a payee that it has paid,
from nowhere or a place that it paid from. Of such orders each rule can tell, from the facts of one
of them, how many it would say nothing of, whatever comes; the least of that is how long a device
is calm. Rules that cannot tell are asked every time. Nothing is known by this that the facts do not
say: `tests/risk/test_calm.py` holds it against asking everybody about everything.
"""

from farthing.core.judgements import Ordered
from farthing.risk.base import Facts
from farthing.risk.known import HOURS_COUNTED_MAX, KnownDevice
from farthing.risk.memory import QUARTER


def is_plain(device: KnownDevice, ordered: Ordered) -> bool:
    """Tell whether an order is like the habit of its device."""
    return (
        ordered.units <= device.largest
        and ordered.payee in device.payees
        and (not ordered.place or ordered.place in device.places)
    )


def is_calm(device: KnownDevice, ordered: Ordered, before: int) -> bool:
    """Tell whether an order is plain, and its device calm.

    Shape: `before` plain orders of the device have come since what is known of it.
    """
    return (
        device.orders + before < device.calm_orders
        and ordered.at < device.calm_until
        and ordered.zone == device.calm_zone
        and is_plain(device, ordered)
    )


def calm_down(
    device: KnownDevice, ordered: Ordered, facts: Facts, orders: int, *, told: bool = False
) -> None:
    """Let a device be calm for so many orders from this one on.

    Shape: `told` where rules in shadow speak of each of them, and the owner knows. It ends with the
           quarter of an hour, when its owner's clock may show another hour, with the slice of the
           last hour, when what it is compared with becomes less, and before the hours of the day
           are halved, which rounds; where rules speak, with the slice of the last minute as well.
    """
    until_halved = HOURS_COUNTED_MAX - 1 - device.hours[facts.hour]
    device.calm_orders = device.orders + min(orders, until_halved)
    ends = ordered.at - ordered.at % QUARTER + QUARTER
    device.calm_until = min(device.hour.ends, device.minute.ends if told else ends, ends)
    device.calm_zone = ordered.zone
