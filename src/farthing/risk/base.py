"""What a rule sees of an order, and what it may say: all integers and ids, no clock, no look-up."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """An order as it is judged, before anything is decided of it.

    Units: `units` counts smallest units of the device's asset; `at` is Unix seconds, by the books.
    Shape: `zone` is the time zone that the owner's mandate is read in; `place` is wherever the
           order came from, by whatever name the caller has for it, and empty if that is unknown.
    """

    device: str
    payee: str
    units: int
    at: int
    zone: str = "UTC"
    place: str = ""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What was known when an order came in: of its device and its payee, itself not counted.

    Units: amounts count smallest units; `hour` is the local hour of the owner's zone, 0 to 23.
    Shape: *orders* are all that came in, *payments* those that were authorised. Minute and
           hour are the last ones, in slices (`known.py` says how many). `usual_units` is a running
           mean that follows the newest payments; `hour_payments` of `hours_counted` were within an
           hour of this time of day.
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
    payee_payments: int
    payee_day_strangers: int
    payee_month_strangers: int


class Rule(Protocol):
    """One thing that can be odd. A rule's fields are its settings, and all have defaults."""

    def judge(self, facts: Facts) -> str | None:
        """Say what is odd, so that the owner understands it; None if nothing is."""
        ...


class Act(StrEnum):
    """What is to be done with an order."""

    ALLOW = "allow"
    ASK = "ask"
    REFUSE = "refuse"


class Reason(NamedTuple):
    """Which rule spoke, and what it said. Shape: `acts` is false of a rule in shadow."""

    rule: str
    said: str
    acts: bool = True


class Judgement(NamedTuple):
    """What is to be done with an order, and why.

    Shape: `act` counts the rules that are on; `would` counts those in shadow too; `typologies` are
           those that `would` follows from; `failed` are rules that broke, and so said nothing.
    """

    act: Act
    would: Act
    reasons: Sequence[Reason] = ()
    typologies: Sequence[str] = ()
    failed: Sequence[str] = ()


CLEAR = Judgement(Act.ALLOW, Act.ALLOW)
"""Nothing was said."""
