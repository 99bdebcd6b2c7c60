"""What is remembered of one device and of one payee: bounded, whatever they do."""

from collections.abc import Callable, Sequence
from heapq import nsmallest
from sys import intern
from typing import Protocol, Self, TypeVar

from farthing.risk.windows import Window

KNOWN_MAX = 20_000
"""How many devices, and how many payees, are remembered unless one is told otherwise."""

PAYEES_MAX = 256
"""How many payees of a device are remembered: those that it paid last."""

PLACES_MAX = 16
HOURS_COUNTED_MAX = 255
FOLLOWS = 8
"""Of how many payments `usual_units` is about the mean: each moves it by an eighth."""

RANKS_MAX = 8
"""How many ranks of the last hour are remembered: of more, the last two are taken together."""

TOLD_MAX = 16
"""Of how many sets of typologies a device is known to have been flagged by them lately."""

MINUTE, HOUR, DAY = 60, 3600, 86_400

K = TypeVar("K")
S = TypeVar("S", bound="Stamped")


class KnownDevice:
    """A device's habits.

    Shape: `orders` counts all that were added; while it is below `calm_orders`, and it is not yet
           `calm_until` in Unix seconds, no rule has anything to say of plain orders (`calm.py`).
           `rank` is the highest that a model gave until `rank_until`, and `lower_ranks` are those
           which come after it by then, each lower than the one before and later. The higher its
           `stamp`, the later it was seen.
    """

    __slots__ = (
        "calm_orders", "calm_until", "calm_zone", "hour", "hours", "hours_counted", "largest",
        "lower_ranks", "minute", "newest_payee", "orders", "payees", "payments", "placed", "places",
        "rank", "rank_until", "stamp", "told", "usual",
    )  # fmt: skip

    def __init__(self) -> None:
        self.minute = Window(10, 6)
        self.hour = Window(10 * MINUTE, 6)
        self.payments = self.placed = self.usual = self.largest = 0
        self.orders = self.calm_orders = self.calm_until = self.stamp = 0
        self.rank: int = 0
        self.rank_until: int = 0
        self.lower_ranks: tuple[tuple[int, int], ...] = ()
        self.calm_zone = self.newest_payee = ""
        self.payees: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self.hours = bytearray(24)
        self.hours_counted = 0
        self.told: dict[tuple[str, ...], int] = {}

    def copy(self) -> Self:
        """Give another that knows the same."""
        made = object.__new__(type(self))  # Nothing is made to be replaced at once.
        made.minute, made.hour = self.minute.copy(), self.hour.copy()
        made.payments, made.usual, made.largest = self.payments, self.usual, self.largest
        made.orders, made.calm_orders = self.orders, self.calm_orders
        made.calm_until, made.calm_zone = self.calm_until, self.calm_zone
        made.stamp, made.rank, made.rank_until = self.stamp, self.rank, self.rank_until
        made.lower_ranks = self.lower_ranks
        made.payees, made.newest_payee = self.payees.copy(), self.newest_payee
        made.places, made.placed = self.places.copy(), self.placed
        made.hours, made.hours_counted = self.hours[:], self.hours_counted
        made.told = self.told.copy()
        return made

    def near(self, hour: int) -> int:
        """Count payments that were made within an hour of this time of day."""
        hours = self.hours
        return hours[hour - 1] + hours[hour] + hours[hour - 23]

    def was_told(self, typologies: tuple[str, ...], at: int) -> bool:
        """Tell whether it was flagged by these typologies within the same hour."""
        return bool(self.told) and self.told.get(typologies) == at // HOUR

    def heed(self, rank: int, at: int) -> None:
        """Hear what a model found of an order; each rank counts for an hour."""
        known = ((self.rank, self.rank_until), *self.lower_ranks)
        higher = [one for one in known if one[0] > rank and one[1] > at]
        if len(higher) >= RANKS_MAX:
            rank = higher.pop()[0]
        (self.rank, self.rank_until), *lower = (*higher, (rank, at + HOUR))
        self.lower_ranks = tuple(lower)
        self.calm_orders = 0

    def rank_at(self, now: int) -> int:
        """Give the highest rank of the last hour; 0 if a model has said nothing."""
        while now >= self.rank_until and self.lower_ranks:
            (self.rank, self.rank_until), *lower = self.lower_ranks
            self.lower_ranks = tuple(lower)
        return self.rank if now < self.rank_until else 0

    def tell(self, typologies: Sequence[str], at: int) -> None:
        """Remember that it was flagged by these typologies."""
        if len(self.told) >= TOLD_MAX:
            self.told.clear()
        self.told[tuple(typologies)] = at // HOUR

    def paid(self, payee: str, units: int, hour: int, place: str) -> None:
        """Remember a payment that was authorised, now that its hour is reached."""
        self.hour.add(units)
        # The first payments are averaged as they are; later the newest eight count most.
        self.payments = payments = self.payments + 1
        more = units - self.usual  # Rounded towards what was paid, or small amounts never count.
        self.usual += (
            more // min(payments, FOLLOWS) if more < 0 else -(-more // min(payments, FOLLOWS))
        )
        if units > self.largest:
            self.largest, self.calm_orders = units, 0
        if payee == self.newest_payee:
            self.payees[payee] += 1  # It is where it belongs: most pay whom they paid last.
        else:
            count_newest(self.payees, payee, PAYEES_MAX)
            self.newest_payee = payee
        if place:
            count_newest(self.places, place, PLACES_MAX)
            self.placed += 1
        self.hours[hour] += 1
        self.hours_counted += 1
        if self.hours[hour] >= HOURS_COUNTED_MAX:
            self.hours = bytearray(count // 2 for count in self.hours)
            self.hours_counted, self.calm_orders = sum(self.hours), 0


class KnownPayee:
    """A payee's popularity. Shape: the higher its `stamp`, the later it was paid."""

    __slots__ = ("day", "month", "payments", "stamp")

    def __init__(self) -> None:
        self.payments = self.stamp = 0
        self.day = Window(3 * HOUR, 8)
        self.month = Window(DAY, 28)

    def copy(self) -> Self:
        """Give another that knows the same."""
        made = object.__new__(type(self))
        made.payments, made.stamp = self.payments, self.stamp
        made.day, made.month = self.day.copy(), self.month.copy()
        return made

    def paid(self, now: int, *, stranger: bool) -> None:
        """Remember a payment that was authorised; a stranger never paid this payee before."""
        self.payments += 1
        if stranger:
            self.day.reach(now)
            self.day.add()
            self.month.reach(now)
            self.month.add()


def count_newest(counts: dict[str, int], name: str, most: int) -> None:
    """Count a name as the newest of a dictionary that forgets its oldest."""
    count = counts.pop(name, 0)
    if not count and len(counts) >= most:
        del counts[next(iter(counts))]
    # Who is paid by many is named once.
    counts[name if count else intern(name)] = count + 1


class Stamped(Protocol):
    """What is known of somebody, and when that was seen last."""

    stamp: int


def make_room(known: dict[str, S], most: int) -> None:
    """Forget the tenth that was seen least lately, where there are as many as may be."""
    if len(known) >= most:
        for name in nsmallest(max(1, most // 10), known, key=lambda name: known[name].stamp):
            del known[name]


def newest_of(known: dict[str, K], name: str, new: Callable[[], K], most: int) -> K:
    """Get what is known by a name as the newest of it; the oldest is forgotten for a new one."""
    found = known.pop(name, None)
    if found is None:
        found = new()
        if len(known) >= most:
            del known[next(iter(known))]
    known[name] = found
    return found
