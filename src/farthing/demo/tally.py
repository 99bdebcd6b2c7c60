"""What has happened so far, counted: the one thing that devices write and views read."""

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from farthing.demo.cast import ASSETS, CAST, SHOPS, Part
from farthing.device.outcomes import Paid
from farthing.money import parse_price

_FEED_KEPT = 60
_SLICE_SECONDS = 0.5


class Sign(Enum):
    """What kind of thing happened."""

    PAID = "paid"
    REFUSED = "refused"
    ASKING = "asking"
    NOTE = "note"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the feed. Units: `at` is seconds since the start."""

    sign: Sign
    at: float
    who: str
    shop: str = ""
    what: str = ""
    units: int = 0
    reason: str = ""


@dataclass(slots=True)
class DeviceRow:
    """One device. Units: smallest units; `balance` and `spent` are what the hub says."""

    part: Part
    balance: int = 0
    spent: int = 0
    payments: int = 0
    refused: int = 0
    last: Entry | None = None
    last_paid: Entry | None = None
    revoked: bool = False
    _recent: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])

    @property
    def name(self) -> str:
        """What it is called."""
        return self.part.name

    @property
    def budget(self) -> int:
        """The limit of its budget."""
        return parse_price(self.part.allowed.budget, ASSETS).units

    def budget_left(self, now: float) -> int:
        """Count what its budget leaves in the running period."""
        seconds = self.part.allowed.budget_seconds
        start = int(now) - int(now) % seconds
        while self._recent and self._recent[0][0] < start:
            self._recent.popleft()
        return max(0, self.budget - sum(units for _, units in self._recent))

    def paid(self, units: int, now: float) -> None:
        """Count a payment."""
        self.payments += 1
        self._recent.append((int(now), units))


@dataclass(slots=True)
class ShopRow:
    """One shop. Units: smallest units; `balance` and `spent` are what the hub says."""

    name: str
    sold: int = 0
    refused: int = 0
    balance: int = 0
    spent: int = 0


class Tally:
    """Counts payments, refusals, money and time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.hub_id = ""
        self.wallet = ""
        self.put_in = 0
        self.payments = 0
        self.volume = 0
        self.refused: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.devices = {part.name: DeviceRow(part) for part in CAST}
        self.shops = {name: ShopRow(name) for name in SHOPS}
        self.feed: deque[Entry] = deque(maxlen=_FEED_KEPT)
        self.entries = 0
        self.latencies_ms: list[float] = []
        self.slices: list[list[float]] = []
        self.receipt: Paid | None = None
        self._began = time.monotonic()

    def begin(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def now(self) -> float:
        """Tell how many seconds it has been running."""
        return time.monotonic() - self._began

    def wall(self) -> float:
        """Tell the time of day, which budgets go by. Units: Unix seconds."""
        return time.time()

    def paid(self, who: str, shop: str, what: str, paid: Paid, latency_ms: float | None) -> None:
        """Count an answer that was paid for; a latency without a person in it."""
        units = paid.amount.units
        self.payments += 1
        self.volume += units
        self.shops[shop].sold += 1
        self.devices[who].paid(units, self.wall())
        if paid.receipt is not None:
            self.receipt = paid
        if latency_ms is not None:
            self._timed(latency_ms)
        self._add(Entry(Sign.PAID, self.now(), who, shop, what, units))

    def not_paid(self, who: str, shop: str, what: str, reason: str) -> None:
        """Count a refusal."""
        self.refused[reason] += 1
        self.shops[shop].refused += 1
        self.devices[who].refused += 1
        self._add(Entry(Sign.REFUSED, self.now(), who, shop, what, reason=reason))

    def asking(self, who: str, shop: str, what: str) -> None:
        """Note that an owner is being asked."""
        self._add(Entry(Sign.ASKING, self.now(), who, shop, what))

    def note(self, who: str, text: str, units: int = 0) -> None:
        """Note what an owner did."""
        self._add(Entry(Sign.NOTE, self.now(), who, what=text, units=units))

    def trouble(self, who: str, text: str) -> None:
        """Note what should not happen."""
        self.troubles.append(f"{who}: {text}")
        self._add(Entry(Sign.TROUBLE, self.now(), who, reason=text))

    @property
    def with_devices(self) -> int:
        """What all devices hold."""
        return sum(row.balance for row in self.devices.values())

    @property
    def with_shops(self) -> int:
        """What all shops hold."""
        return sum(row.balance for row in self.shops.values())

    @property
    def balances(self) -> bool:
        """Whether what was put in is where it can be seen."""
        return self.put_in == self.with_devices + self.with_shops

    def latency_ms(self, share: float) -> float:
        """Give the latency that this share of all paid requests did not exceed."""
        return quantile(self.latencies_ms, share)

    def _timed(self, latency_ms: float) -> None:
        self.latencies_ms.append(latency_ms)
        index = int(self.now() / _SLICE_SECONDS)
        while len(self.slices) <= index:
            self.slices.append([])
        self.slices[index].append(latency_ms)

    def _add(self, entry: Entry) -> None:
        self.feed.append(entry)
        self.entries += 1
        row = self.devices.get(entry.who)
        if row is not None:
            row.last = entry
            if entry.sign is Sign.PAID:
                row.last_paid = entry


def quantile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that this share of all values does not exceed; 0 without any."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
