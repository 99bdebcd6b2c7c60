"""Statements: what an account held at the beginning and the end of a period, and what moved.

It is reckoned backwards from the balance of now, transfer by transfer, so that opening, lines and
closing agree to the unit by themselves. What is held is no part of it until it is captured.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from farthing.core.accounts import TransferCode


class Line(StrEnum):
    """What amounts of a statement are for. The order is the one in which they are shown."""

    SALES = "sales"
    FEES = "fees"
    REFUNDS = "refunds"
    FEES_BACK = "fees_back"
    PURCHASES = "purchases"
    REFUNDED = "refunded"
    FEES_EARNED = "fees_earned"
    TOP_UPS = "top_ups"
    PAYOUTS = "payouts"
    CREDITS = "credits"
    OTHER = "other"


_LINES: dict[tuple[int, bool], Line] = {
    (TransferCode.PAYMENT, False): Line.SALES,
    (TransferCode.PAYMENT, True): Line.PURCHASES,
    (TransferCode.REFUND, False): Line.REFUNDED,
    (TransferCode.REFUND, True): Line.REFUNDS,
    (TransferCode.FEE, False): Line.FEES_EARNED,
    (TransferCode.FEE, True): Line.FEES,
    (TransferCode.FEE_BACK, False): Line.FEES_BACK,
    (TransferCode.FEE_BACK, True): Line.FEES_EARNED,
    (TransferCode.TOP_UP, False): Line.TOP_UPS,
    (TransferCode.PAYOUT, True): Line.PAYOUTS,
    (TransferCode.CREDIT, False): Line.CREDITS,
}
"""By a transfer's code, and whether it took from the account."""


class Posting(NamedTuple):
    """A transfer as one account sees it, once it is posted.

    Units: smallest units, negative where it took from the account; Unix ns.
    Shape: `subject` is the number of what it was for.
    """

    units: int
    code: int
    subject: int
    time_ns: int

    @property
    def line(self) -> Line:
        """What it was for."""
        return _LINES.get((self.code, self.units < 0), Line.OTHER)


@dataclass(slots=True)
class Sum:
    """What the amounts of one line come to. Units: smallest units, negative where they took."""

    count: int = 0
    units: int = 0


@dataclass(slots=True)
class Statement:
    """An account's statement while it is reckoned, newest posting first.

    Units: Unix ns, `end_ns` not included; `opening` and `closing` count smallest units.
    Shape: begun with the balance of now as both; `postings` are the newest of the period.
    """

    start_ns: int
    end_ns: int
    opening: int
    closing: int
    keep: int = 0
    count: int = 0
    sums: dict[Line, Sum] = field(default_factory=dict[Line, Sum])
    postings: list[Posting] = field(default_factory=list[Posting])

    def take(self, posting: Posting) -> bool:
        """Take the next older posting in; False where it lies before the period."""
        if posting.time_ns < self.start_ns:
            return False
        self.opening -= posting.units
        if posting.time_ns >= self.end_ns:
            self.closing -= posting.units
            return True
        found = self.sums.setdefault(posting.line, Sum())
        found.count += 1
        found.units += posting.units
        self.count += 1
        if len(self.postings) < self.keep:
            self.postings.append(posting)
        return True

    @property
    def lines(self) -> list[tuple[Line, Sum]]:
        """Give the lines that have anything in them, in order."""
        return [(line, self.sums[line]) for line in Line if line in self.sums]
