"""Fees: what is taken of a captured amount, for whom, and what goes back with a refund.

A fee's terms are written into a payment when it is ordered, so what is taken never depends on what
is configured later. The fee follows from the whole that was captured, rounded once; where a session
is captured deposit by deposit, each gives what the whole so far owes less what was taken before.
`docs/reference/fees.md` has the rules and worked examples.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from farthing.core.tariffs import Rounding

PPM = 1_000_000
HUB = "hub"
"""What the hub's own fee is called; an offer's is called by the offer's id."""

FEES_MAX = 2
"""Fees of one payment: the hub's, and its offer's."""


class FeeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a captured amount, and for which account.

    Units: `ppm` is a share in millionths; `flat` is added to it and `minimum` is the least that is
           taken of anything captured, both in smallest units.
    Shape: `of` is `hub` or an offer's id; `rounding` is that of the share alone.
    """

    of: str
    account: str
    ppm: int = 0
    flat: int = 0
    minimum: int = 0
    rounding: Rounding = "down"
    on_refund: Literal["return", "keep"] = "return"


class Fee(FeeTerms, frozen=True, kw_only=True):
    """A payment's fee: its terms, whose it is, what was taken and what went back.

    Shape: `waived` is true where its account was frozen or closed when it was due: the payee
           keeps it.
    """

    owner: str
    units: int = 0
    returned: int = 0
    waived: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Fee, ...]).decode


def write_fees(fees: Sequence[Fee]) -> str:
    """Write fees as a payment keeps them: JSON, and nothing where there are none."""
    return _encode(fees).decode() if fees else ""


def read_fees(text: str) -> tuple[Fee, ...]:
    """Read the fees that a payment keeps."""
    return _read(text) if text else ()


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Fee, ...]:
    return _decode(text)


def fee_on(terms: FeeTerms, units: int) -> int:
    """Tell what one fee takes of a captured amount; never more than that."""
    if units == 0:
        return 0
    return min(units, max(terms.flat + _share(units * terms.ppm, terms.rounding), terms.minimum))


def _share(millionths: int, rounding: Rounding) -> int:
    whole, left = divmod(millionths, PPM)
    if rounding == "down" or not left:
        return whole
    if rounding == "up":
        return whole + 1
    return whole + (2 * left > PPM or (2 * left == PPM and whole % 2 == 1))


def fees_on(terms: Sequence[FeeTerms], units: int) -> list[int]:
    """Tell what several fees take of a captured amount: the first comes first.

    Shape: together never more than the amount.
    """
    left, found = units, list[int]()
    for each in terms:
        found.append(min(fee_on(each, units), left))
        left -= found[-1]
    return found


def fees_on_shares(terms: Sequence[FeeTerms], shares: Sequence[int]) -> list[list[int]]:
    """Tell what fees take of each part of an amount that is captured in parts.

    Shape: what the whole so far owes, less what the parts before gave, and never more than a part
           has; so many parts are rounded once, not each.
    """
    so_far, given = 0, [0] * len(terms)
    found: list[list[int]] = []
    for share in shares:
        so_far += share
        left, taken = share, list[int]()
        for owed, before in zip(fees_on(terms, so_far), given, strict=True):
            taken.append(max(0, min(owed - before, left)))
            left -= taken[-1]
        given = [before + now for before, now in zip(given, taken, strict=True)]
        found.append(taken)
    return found


def due_back(fee: Fee, captured: int, refunded: int) -> int:
    """Tell how much of a fee belongs back once so much of what was captured is refunded.

    Shape: in proportion and rounded down, of all that was refunded and not of each refund; so
           whoever gives everything back gets the whole fee.
    """
    return 0 if fee.on_refund == "keep" else fee.units * refunded // captured


def fee_total(fees: Sequence[Fee]) -> tuple[int, int]:
    """Tell what all fees together took, and what of it went back."""
    return sum(fee.units for fee in fees), sum(fee.returned for fee in fees)
