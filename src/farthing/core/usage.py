"""Usage: how a seller counts what is used of a route, and what the count costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from farthing.core.sessions import GRACE_SECONDS, GRACE_SECONDS_MAX, LIFETIME_SECONDS_MAX
from farthing.core.tariffs import Tariff, Tier, checked, owed
from farthing.errors import Malformed
from farthing.money import Amount, Asset, parse_price

By = Literal["request", "second", "byte", "handler"]
_MEASURED: dict[str, By] = {"request": "request", "second": "second", "byte": "byte"}

LIFETIME_SECONDS = 3600
USAGE = (
    "every",
    "tiers",
    "model",
    "rounding",
    "opening",
    "minimum",
    "reserve",
    "deposit",
    "lifetime_seconds",
    "grace_seconds",
)
"""What may be said of a metered price besides `price` and `per`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How use is counted, priced and paid.

    Units:  `deposit` counts smallest units: what a payer is advised to hold.
    Shape:  `by` says who counts: the paywall counts answers, seconds of an answer or bytes of its
            body, or the handler says how much it was; `reserve` is the count that has to be
            promised before an answer begins.
    """

    tariff: Tariff
    by: By
    reserve: int = 1
    deposit: int = 0
    lifetime_seconds: int = LIFETIME_SECONDS
    grace_seconds: int = GRACE_SECONDS

    @property
    def units(self) -> int:
        """Tell what a reserve costs a session that has begun: at least one unit."""
        return max(1, owed(self.tariff, self.reserve) - int(self.tariff.opening))


def measured(tariff: Tariff, **said: int) -> Usage:
    """Make a usage of a tariff: who counts follows from what it counts.

    Raises: Malformed `malformed-tariff`.
    """
    found = Usage(tariff=checked(tariff), by=_MEASURED.get(tariff.counts, "handler"), **said)
    if not 0 < found.lifetime_seconds <= LIFETIME_SECONDS_MAX or not found.grace_seconds >= 0:
        raise Malformed("malformed-tariff", "a session lasts a second to 366 days")
    if found.grace_seconds > GRACE_SECONDS_MAX or not found.reserve > 0:
        raise Malformed("malformed-tariff", "grace is 7 days at most, and reserve at least 1")
    return found


def usage(
    price: Amount,
    per: str,
    assets: Mapping[str, Asset],
    *,
    every: int = 1,
    tiers: Sequence[Mapping[str, Any]] = (),
    model: str = "graduated",
    rounding: str = "up",
    opening: str = "",
    minimum: str = "",
    reserve: int = 1,
    deposit: str = "",
    lifetime_seconds: int = LIFETIME_SECONDS,
    grace_seconds: int = GRACE_SECONDS,
) -> Usage:
    """Read how a route is metered: `price` for `every` of what `per` names.

    Shape:  `per` is `request`, `second`, `byte`, or a word of the handler's, which then says how
            many it was; each of `tiers` has a `price`, an `up_to`, and may have an `every` and a
            `flat`; `price` is for what lies beyond them.
    Raises: MalformedPrice; Malformed `malformed-tariff`.
    """

    def money(text: str) -> int:
        amount = parse_price(text, assets)
        if amount.asset != price.asset:
            raise Malformed("malformed-tariff", "a tariff has one asset")
        return amount.units

    steps = [_tier(tier, money) for tier in tiers]
    steps.append(Tier(amount=str(price.units), per=str(every)))
    tariff = Tariff(
        asset=price.asset.code,
        counts=per,
        model=model,  # pyright: ignore[reportArgumentType] - checked below
        tiers=steps,
        opening=str(money(opening)) if opening else "0",
        minimum=str(money(minimum)) if minimum else "0",
        rounding=rounding,  # pyright: ignore[reportArgumentType] - checked below
    )
    if model not in ("graduated", "volume", "package"):
        raise Malformed("malformed-tariff", "model is graduated, volume or package")
    if rounding not in ("up", "down", "half-even"):
        raise Malformed("malformed-tariff", "rounding is up, down or half-even")
    return measured(
        tariff,
        reserve=reserve,
        deposit=money(deposit) if deposit else 0,
        lifetime_seconds=lifetime_seconds,
        grace_seconds=grace_seconds,
    )


def _tier(told: Mapping[str, Any], money: Any) -> Tier:
    unknown = set(told) - {"price", "every", "flat", "up_to"}
    if unknown or "price" not in told or "up_to" not in told:
        raise Malformed("malformed-tariff", "a tier has price, up_to, and maybe every and flat")
    return Tier(
        amount=str(money(told["price"])),
        per=str(told.get("every", 1)),
        flat=str(money(told["flat"])) if told.get("flat") else "0",
        up_to=str(told["up_to"]),
    )
