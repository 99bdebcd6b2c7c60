"""Amounts are integers of an asset's smallest unit: exact, never a float."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from farthing.errors import Malformed, ensure

UNITS_MAX = 2**63 - 1
SCALE_MAX = 18

_PRICE = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.([0-9]{1,18}))? ([A-Z][A-Z0-9]{1,11})", re.ASCII)
_UNITS = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,11}", re.ASCII)


class MalformedPrice(Malformed):
    """A text that is not a price; prices are never rounded to fit."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed-price", detail)


class MalformedAmount(Malformed):
    """A text that does not count units."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed-amount", detail)


@dataclass(frozen=True, slots=True)
class Asset:
    """What is counted: a code and how many decimals its smallest unit has."""

    code: str
    scale: int

    def __post_init__(self) -> None:
        ensure(_CODE.fullmatch(self.code) is not None, "an asset code is 2-12 of A-Z and 0-9")
        ensure(0 <= self.scale <= SCALE_MAX, "an asset's scale is 0-18")


@dataclass(frozen=True, slots=True)
class Amount:
    """A count of an asset's smallest units: never negative, never a float."""

    units: int
    asset: Asset

    def __post_init__(self) -> None:
        ensure(0 <= self.units <= UNITS_MAX, "an amount fits a signed 64-bit integer")

    def __str__(self) -> str:
        """Write the amount as a price that `parse_price` reads back to the same amount."""
        whole, part = divmod(self.units, 10**self.asset.scale)
        digits = f"{part:0{self.asset.scale}d}".rstrip("0") if self.asset.scale else ""
        return f"{whole}.{digits} {self.asset.code}" if digits else f"{whole} {self.asset.code}"

    def split(self, parts: int) -> list[Self]:
        """Divide so that nothing is lost: the first `units % parts` shares get one more."""
        ensure(parts > 0, "there is at least one share")
        share, left = divmod(self.units, parts)
        return [type(self)(share + (i < left), self.asset) for i in range(parts)]


def parse_price(text: str, assets: Mapping[str, Asset]) -> Amount:
    """Read a price such as `"0.0015 USD"`.

    Units:  the result counts the asset's smallest units: 1500 at scale 6.
    Raises: MalformedPrice for anything but plain digits, an unknown asset, or more
            decimals than the asset has; a price is never rounded.
    """
    read = _PRICE.fullmatch(text)
    if read is None:
        raise MalformedPrice(f'{text[:40]!r} is not a price; write it like "0.0015 USD"')
    whole, part, code = read[1], read[2] or "", read[3]
    asset = assets.get(code)
    if asset is None:
        raise MalformedPrice(f"this hub does not know {code}; it has {', '.join(sorted(assets))}")
    if len(part) > asset.scale:
        raise MalformedPrice(f"{code} has {asset.scale} decimals, and a price is never rounded")
    units = int(whole) * 10**asset.scale + int(part.ljust(asset.scale, "0") or "0")
    if units > UNITS_MAX:
        raise MalformedPrice("the price is larger than any account can hold")
    return Amount(units, asset)


def parse_units(text: str) -> int:
    """Read a decimal string of units, as amounts are written on the wire.

    Raises: MalformedAmount for signs, spaces, leading zeros, other scripts' digits or overflow.
    """
    if _UNITS.fullmatch(text) is None or (units := int(text)) > UNITS_MAX:
        raise MalformedAmount("units are a decimal string from 0 to 9223372036854775807")
    return units
