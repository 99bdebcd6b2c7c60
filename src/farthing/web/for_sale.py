"""What stands for sale now, and what an operation of a document would cost."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from farthing.core.prices import METHODS, Offer, Pattern, PriceList, parse_pattern, priced_method
from farthing.money import Amount
from farthing.protocols.names import METHOD


class Asked(NamedTuple):
    """What an operation costs. Shape: `amount` is None where it depends on the path."""

    amount: Amount | None
    currency: str
    words: str
    intent: str = "charge"

    def info(self) -> dict[str, Any]:
        """Write it as `x-payment-info`."""
        offer = {
            "intent": self.intent,
            "method": METHOD,
            "amount": str(self.amount.units) if self.amount is not None else None,
            "description": self.words,
        }
        return {"offers": [offer | ({"currency": self.currency} if self.currency else {})]}


@dataclasses.dataclass(frozen=True)
class ForSale:
    """The offers that stand now: those of a price list, and those beside an app's endpoints.

    Shape: an endpoint's offer has its route's path, as the app's own document spells it.
    """

    listed: tuple[Offer, ...] = ()
    tagged: tuple[Offer, ...] = ()

    @property
    def priced(self) -> tuple[Offer, ...]:
        """Give what costs something."""
        return tuple(offer for offer in (*self.tagged, *self.listed) if offer.price.units)

    @property
    def categories(self) -> list[str]:
        """Name what kinds of things are for sale, five at most."""
        return sorted({offer.category for offer in self.priced if offer.category})[:5]

    def met(self, method: str, path: str) -> "Met":
        """Find the offers that an operation's requests meet.

        Shape: `path` may have names in it, `/sensors/{name}`, which stand for anything.
        """
        method = priced_method(method)
        for offer in self.tagged:
            if method in offer.methods and shape_of(offer.path) == shape_of(path):
                return Met((offer,), True)
        found: list[Offer] = []
        segments = path.split("/")[1:]
        for pattern, offer in self._patterns:
            if method not in offer.methods:
                continue
            if pattern.matches(segments):  # A name in braces is what no exact part can be.
                return Met((*found, offer), True)
            if _may_match(pattern, segments):
                found.append(offer)
        return Met(tuple(found), False)

    @functools.cached_property
    def _patterns(self) -> list[tuple[Pattern, Offer]]:
        read = [(parse_pattern(offer.path), offer) for offer in self.listed]
        return sorted(read, key=lambda entry: entry[0].order)


class Met(NamedTuple):
    """The offers that an operation's requests meet, the most specific first.

    Shape: `always` tells whether every one of its requests meets one of them.
    """

    offers: tuple[Offer, ...]
    always: bool

    @property
    def asked(self) -> Asked | None:
        """Tell what the operation costs; None where it is free, or has no price here."""
        metered = [offer for offer in self.offers if offer.usage is not None]
        if self.always and len(self.offers) == 1 and metered:
            [offer] = metered
            return Asked(offer.price, offer.price.asset.code, price_words(offer), "session")
        prices = {offer.price for offer in self.offers}
        priced = sorted((price for price in prices if price.units), key=lambda price: price.units)
        if not priced:
            return None
        if self.always and len(prices) == 1:
            return Asked(priced[0], priced[0].asset.code, f"{priced[0]} for each request")
        codes = {price.asset.code for price in priced}
        if len(codes) > 1:
            return Asked(None, "", "the price depends on the path")
        most = f" to {priced[-1]}" if len(priced) > 1 else ", or nothing"
        words = f"{priced[0]}{most} for each request: it depends on the path"
        return Asked(None, codes.pop(), words)


def price_words(offer: Offer) -> str:
    """Say what an offer costs, in a few words.

    Shape: of a metered one the price of the first that is counted; its 402 has the whole tariff.
    """
    if offer.usage is None:
        return str(offer.price)
    tariff, asset = offer.usage.tariff, offer.price.asset
    first = tariff.tiers[0]
    each = f"every {first.per} of {tariff.counts}" if first.per != "1" else f"each {tariff.counts}"
    more = ", then less or more" if len(tariff.tiers) > 1 else ""
    return f"{Amount(int(first.amount), asset)} for {each}{more}, by a session"


def standing(prices: PriceList, tagged: Sequence[Offer], now: int) -> ForSale:
    """Give what stands for sale at a moment. Units: `now` is whole Unix seconds."""
    return ForSale(
        tuple(offer for offer in prices.offers if offer.valid_at(now)),
        tuple(offer for offer in tagged if offer.valid_at(now)),
    )


def shape_of(path: str) -> tuple[str | None, ...]:
    """Give a path's parts, names left out: paths of one shape are one path in OpenAPI."""
    return tuple(None if "{" in part else part for part in path.split("/"))


def operations(offer: Offer) -> Iterator[tuple[str, str]]:
    """Give the method and the path of each operation an offer is for."""
    path = f"{offer.path[:-1]}{{rest}}" if offer.path.endswith("/*") else offer.path
    for method in sorted(offer.methods & METHODS):
        yield method, path


def _may_match(pattern: Pattern, segments: Sequence[str]) -> bool:
    if len(segments) < len(pattern.segments) + pattern.rest:
        return False
    if len(segments) != len(pattern.segments) and not pattern.rest:
        return False
    return all(
        want is None or "{" in have or want == have
        for want, have in zip(pattern.segments, segments, strict=False)
    )
