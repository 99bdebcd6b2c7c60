"""What a rule sees of an order, and what it may say: all integers and ids, no clock, no look-up."""

from typing import Final, Protocol, runtime_checkable

import msgspec


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What was known when an order came in: of its device and its payee, itself not counted.

    Units: amounts count smallest units; `hour` is the local hour of the owner's zone, 0 to 23.
    Shape: *orders* are all that came in, *payments* those that were authorised. Minute and
           hour are the last ones, in slices (`known.py` says how many). `usual_units` is a running
           mean that follows the newest payments; `hour_payments` of `hours_counted` were within an
           hour of this time of day; of `placed_payments` it is known where they came from.
           `model_rank` is the highest that a model gave one of the last hour's orders, of a
           hundred thousand; 0 if it has said nothing.
    """

    device: str
    payee: str
    place: str
    units: int
    hour: int
    minute_orders: int
    last_hour_payments: int
    last_hour_units: int
    device_payments: int
    usual_units: int
    largest_units: int
    hour_payments: int
    hours_counted: int
    pair_payments: int
    places_known: int
    place_payments: int
    placed_payments: int
    payee_payments: int
    payee_day_strangers: int
    payee_month_strangers: int
    model_rank: int


class Rule(Protocol):
    """One thing that can be odd. A rule's fields are its settings, and all have defaults."""

    def judge(self, facts: Facts) -> str | None:
        """Say what is odd, so that the owner understands it; None if nothing is."""
        ...


NEVER: Final = 1 << 30
"""More orders than a device sends in a quarter of an hour."""


@runtime_checkable
class Patient(Protocol):
    """A rule that can tell how long nothing changes for it while a device keeps its habits."""

    def patience(self, facts: Facts) -> int:
        """Count orders from this one on, itself included, of all of which it says nothing.

        Shape: each of them is no larger than the largest payment yet, to a payee that the device
               has paid, from nowhere or a place that it has paid from, and within a time in which
               the hour of the day stays, and nothing leaves the last hour. They may be paid or
               not. Who speaks of all of them until something leaves the last minute counts those.
        """
        ...
