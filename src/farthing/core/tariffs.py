"""Tariffs: what a count of used units costs, exactly, however it was counted together.

A tariff is agreed when a session is opened: its canonical JSON is hashed into the order and into
every voucher. What is owed always follows from the whole count, so fractions of a unit add up and
none is lost: a thousand requests of 0.0004 units cost as much as one of 0.4.
`docs/reference/sessions.md` has the grammar and worked examples.
"""

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

import msgspec

from farthing.codec import canonical_json, read_json
from farthing.errors import Malformed
from farthing.money import UNITS_MAX, parse_units

COUNT_MAX = UNITS_MAX
TIERS_MAX = 32
BYTES_MAX = 4096

Rounding = Literal["up", "down", "half-even"]


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a price: `amount` for every `per` counted, up to a count, and once `flat`.

    Units: `amount` and `flat` are smallest units of money; `per` and `up_to` are counts.
    Shape: numbers are decimal strings; `up_to` is empty in the last tier, and there alone.
    """

    amount: str
    per: str = "1"
    flat: str = "0"
    up_to: str = ""


class Tariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price for what is counted.

    Shape: `model` is how tiers meet a count: `graduated` prices each part by its own tier, `volume`
           all of it by the tier that the whole falls into, `package` by packages begun. One tier
           of `graduated` is a plain price per unit. `counts` says what is counted, such as
           `request`, `second` or `Wh`.
    Units: `minimum` is the least that a session costs once anything was counted, `opening` what it
           costs to begin; both in smallest units of money.
    """

    asset: str
    counts: str
    model: Literal["graduated", "volume", "package"] = "graduated"
    tiers: list[Tier]
    opening: str = "0"
    minimum: str = "0"
    rounding: Rounding = "up"

    def written(self) -> bytes:
        """Write it canonically: what is hashed, and agreed."""
        return canonical_json(self.members())

    def members(self) -> dict[str, Any]:
        """Give all its members, defaults included."""
        return msgspec.to_builtins(self)

    def digest(self) -> bytes:
        """Name the tariff in 32 bytes."""
        return hashlib.sha256(self.written()).digest()


def flat_rate(asset: str, counts: str, amount: int, per: int = 1, **more: Any) -> Tariff:
    """Make the simplest tariff: so much for every `per` counted."""
    return checked(
        Tariff(asset=asset, counts=counts, tiers=[Tier(amount=str(amount), per=str(per))], **more)
    )


def read_tariff(source: bytes | str | Mapping[str, Any]) -> Tariff:
    """Read a tariff from JSON or its members, and check that it makes sense.

    Raises: Malformed `malformed-tariff`.
    """
    if isinstance(source, bytes | str) and len(source) > BYTES_MAX:
        raise Malformed("malformed-tariff", f"a tariff has {BYTES_MAX} bytes at most")
    members = read_json(source) if isinstance(source, bytes | str) else source
    try:
        return checked(msgspec.convert(members, Tariff))
    except msgspec.ValidationError as fault:
        raise Malformed("malformed-tariff", str(fault)) from None


def checked(tariff: Tariff) -> Tariff:
    """Check that every number is one and that the tiers follow each other; give it back.

    Raises: Malformed `malformed-tariff`.
    """
    _require(0 < len(tariff.tiers) <= TIERS_MAX, f"a tariff has 1 to {TIERS_MAX} tiers")
    _require(0 < len(tariff.counts) <= 40 and tariff.counts.isprintable(), "say what is counted")
    _number("opening", tariff.opening)
    _number("minimum", tariff.minimum)
    before = 0
    for tier in tariff.tiers:
        _number("amount", tier.amount)
        _number("flat", tier.flat)
        _require(_number("per", tier.per) > 0, "per is a count of at least 1")
        last = tier is tariff.tiers[-1]
        _require(last == (tier.up_to == ""), "every tier but the last has an up_to")
        if not last:
            _require(_number("up_to", tier.up_to) > before, "tiers go up")
            before = _number("up_to", tier.up_to)
    return tariff


def owed(tariff: Tariff, count: int) -> int:
    """Tell what a count costs in all, rounded once, as the tariff says.

    Units:  smallest units of money.
    Raises: Malformed `count-too-large`, `too-expensive`.
    """
    if not 0 <= count <= COUNT_MAX:
        raise Malformed("count-too-large", "a count is a whole number of at most 63 bits")
    units = int(tariff.opening)
    if count:
        used = _rounded(_price(tariff, count), tariff.rounding)
        units = max(units + used, int(tariff.minimum))
    if units > UNITS_MAX:
        raise Malformed("too-expensive", "this count costs more than an amount can be")
    return units


def affordable(tariff: Tariff, units: int) -> int:
    """Tell the largest count that is covered by an amount, all smaller counts included.

    Shape: -1 when not even the opening is covered. By a volume tariff a larger count may be
           cheaper again; whoever serves as it counts cannot rely on that.
    """
    if int(tariff.opening) > units:
        return -1
    low, high = 0, 1
    while high < COUNT_MAX and _covers(tariff, high, units):
        low, high = high, min(high * 2, COUNT_MAX)
    if _covers(tariff, high, units):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if _covers(tariff, middle, units):
            low = middle
        else:
            high = middle
    return low


def _covers(tariff: Tariff, count: int, units: int) -> bool:
    """Tell whether no count up to this one costs more: the peaks are where tiers end."""
    peaks = [count]
    if tariff.model == "volume":
        peaks += [int(t.up_to) for t in tariff.tiers if t.up_to and int(t.up_to) < count]
    try:
        return all(owed(tariff, peak) <= units for peak in peaks)
    except Malformed:
        return False


def _price(tariff: Tariff, count: int) -> Fraction:
    if tariff.model == "graduated":
        return _graduated(tariff.tiers, count)
    tier = next(t for t in tariff.tiers if not t.up_to or count <= int(t.up_to))
    begun = tariff.model == "package"
    return _tier_price(tier, count, whole=begun)


def _graduated(tiers: list[Tier], count: int) -> Fraction:
    price, begins = Fraction(0), 0
    for tier in tiers:
        ends = int(tier.up_to) if tier.up_to else count
        inside = min(count, ends) - begins
        if inside <= 0:
            break
        price += _tier_price(tier, inside, whole=False)
        begins = ends
    return price


def _tier_price(tier: Tier, count: int, *, whole: bool) -> Fraction:
    amount, per = int(tier.amount), int(tier.per)
    packages = Fraction(-(-count // per)) if whole else Fraction(count, per)
    return int(tier.flat) + amount * packages


def _rounded(price: Fraction, rounding: Rounding) -> int:
    if rounding == "up":
        return -(-price.numerator // price.denominator)
    if rounding == "down":
        return price.numerator // price.denominator
    return round(price)  # Half to even, exactly: a Fraction rounds without a float.


def _number(name: str, text: str) -> int:
    try:
        return parse_units(text)
    except Malformed as fault:
        raise Malformed("malformed-tariff", f"{name}: {fault.detail}") from None


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Malformed("malformed-tariff", what)
