"""`farthing prices`: which offer a request meets and why, before anybody asks."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from farthing.cli.local import ask_all, assets_of
from farthing.cli.options import ConfigOption
from farthing.core.paths import AmbiguousPath, normal_path
from farthing.core.paths import Path as UrlPath
from farthing.core.prices import METHODS, Offer, PriceList, parse_pattern, priced_method
from farthing.errors import BadConfig, Malformed
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer, command
from farthing.terminal.tables import columns
from farthing.terminal.talk import fail
from farthing.web.for_sale import price_words
from farthing.web.hub_offers import offer_of
from farthing.web.price_file import BadPriceFile, price_text, read_prices

prices_app = typer.Typer(help="What costs how much.", no_args_is_help=True)

PricesOption = Annotated[
    Path | None, typer.Option(help="The price file [the payee's offers in the hub].")
]
PayeeOption = Annotated[str, typer.Option(help="Whose offers in the hub: acc_…")]


@command(prices_app, "check")
def check(
    file: Annotated[Path, typer.Argument(help="The price file.")], config: ConfigOption = None
) -> Answer:
    """Read a price file, and list what it sells. Example: farthing prices check prices.toml."""
    try:
        found = _list(file, "", config)
    except BadPriceFile as fault:
        fail(fault)
        return Answer(None, code=Exit.NOT_VALID)
    rows = [
        {
            "offer": offer.name,
            "methods": sorted(offer.methods),
            "path": offer.path,
            "price": price_words(offer),
            "payee": offer.payee or found.payee,
        }
        for offer in found.offers
    ]
    return Answer(
        rows,
        lambda told: columns(
            ((",".join(r["methods"]), r["path"], r["price"], r["payee"]) for r in told), right=(2,)
        ),
    )


@command(prices_app, "explain", elsewhere=True)
def explain(
    method: Annotated[str, typer.Argument(help="GET, POST …")],
    url: Annotated[str, typer.Argument(help="The path, or the whole URL.")],
    *,
    prices: PricesOption = None,
    payee: PayeeOption = "",
    config: ConfigOption = None,
) -> Answer:
    """Say which offer a request meets, and why the others do not apply.

    Example: farthing prices explain GET /weather/berlin --prices prices.toml
    """
    found = _list(prices, payee, config)
    told = explained(found, method.upper(), url, int(time.time()))
    return Answer(told, _lines, Exit.NOT_VALID if told["verdict"] == "refused" else Exit.OK)


def explained(prices: PriceList, method: str, url: str, now: int) -> dict[str, Any]:
    """Say what becomes of a request: priced, free or refused, and how each offer bears on it.

    Shape: `offers` tells of each offer in the order they are tried, with `applies` and `why`.
    """
    told: dict[str, Any] = {"method": method, "asked": url}
    if method not in METHODS | {"HEAD"}:
        return {**told, "verdict": "refused", "why": f"{method} is no method that is passed on"}
    try:
        path = normal_path(_target(url))
    except AmbiguousPath as fault:
        return {**told, "verdict": "refused", "why": f"400 ambiguous-path: {fault.detail}"}
    found = prices.find(method, path, now)
    told["path"] = path.raw
    told["offers"] = [_row(offer, path, method, now, found.offer) for offer in _tried(prices)]
    if found.offer is not None:
        chosen = found.offer
        who = chosen.payee or prices.payee
        why = f"{chosen.price} to {who}, by {chosen.name}; it is the most specific that is valid"
        return {**told, "verdict": "priced", "price": str(chosen.price), "payee": who, "why": why}
    if found.refusal:
        return {**told, "verdict": "refused", "why": _REFUSED[found.refusal]}
    return {**told, "verdict": "free", "why": "no offer and no priced prefix covers this path"}


def _target(url: str) -> bytes:
    """Give the path as a client would send it, for a path or a whole URL."""
    bare = url.partition("#")[0].partition("?")[0]
    return (bare if bare.startswith("/") else urlsplit(bare).path or "/").encode()


_REFUSED = {
    "other-spelling": "404: it only looks like a priced path; a service could take both for one",
    "offer-not-valid": "404: an offer is for this, but none is valid now",
    "unpriced-method": "405: this path is for sale by other methods only",
    "unpriced-path": "404: the path lies under a priced prefix, and nothing there has this name",
}


def _tried(prices: PriceList) -> list[Offer]:
    """List offers as they are tried: exact paths first, then the most specific patterns."""
    return sorted(prices.offers, key=lambda o: (not parse_pattern(o.path).exact, _order(o)))


def _order(offer: Offer) -> Any:
    return parse_pattern(offer.path).order


def _row(
    offer: Offer, path: UrlPath, method: str, now: int, chosen: Offer | None
) -> dict[str, Any]:
    why = _why_not(offer, path, method, now)
    if not why and offer is not chosen:
        why = "a more specific offer comes first"
    return {
        "offer": offer.name,
        "path": offer.path,
        "methods": sorted(offer.methods),
        "price": str(offer.price),
        "applies": offer is chosen,
        "why": why or "this one",
    }


def _why_not(offer: Offer, path: UrlPath, method: str, now: int) -> str:
    if not parse_pattern(offer.path).matches(path.segments):
        return "another path"
    if priced_method(method) not in offer.methods:
        return f"only for {', '.join(sorted(offer.methods))}"
    return "" if offer.valid_at(now) else "not valid at this time"


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"{told['verdict']}: {told['why']}"
    if "path" in told and told["path"] != told["asked"]:
        yield f"the path is read as {told['path']}"
    rows = (
        ("→" if r["applies"] else " ", ",".join(r["methods"]), r["path"], r["price"], r["why"])
        for r in told.get("offers", [])
    )
    yield from columns(rows, right=(3,))


def _list(file: Path | None, payee: str, config: Path | None) -> PriceList:
    assets = assets_of(config)
    if file is not None:
        return read_prices(price_text(file), assets, str(file))
    if not payee:
        raise BadConfig("nothing-priced", "give --prices FILE, or --payee acc_… for its offers")
    items = ask_all("/v1/offers", config)
    mine = [item for item in items if item["payee"] == payee and item["withdrawn_at"] is None]
    if not mine:
        raise Malformed("nothing-priced", f"{payee} has no offers: farthing offers list")
    return PriceList(tuple(offer_of(item, assets) for item in mine), payee=payee)
