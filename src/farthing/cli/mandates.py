"""Mandates from the command line."""

from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub, assets_of
from farthing.cli.options import ConfigOption, OwnerOption, owner_of
from farthing.errors import Malformed
from farthing.money import Asset, parse_price
from farthing.terminal.frame import Answer, command
from farthing.terminal.tables import the_id
from farthing.terminal.typed import in_path

mandates_app = typer.Typer(help="What devices may spend.", no_args_is_help=True)

_NONE = "none"
"""What takes a rule away."""

_KEPT = (
    *("asset", "name", "largest", "budgets", "payees", "categories", "hours", "time_zone"),
    *("expires", "ask_above", "two_above", "ask_seconds", "on_timeout"),
)
"""What a mandate is made of when it is set anew."""


def _units(text: str, asset: str, assets: dict[str, Asset]) -> str:
    """Read a price in the mandate's own asset; another asset's units would count wrongly.

    Raises: Malformed `malformed-price`, `asset-mismatch`.
    """
    amount = parse_price(text, assets)
    if amount.asset.code != asset:
        raise Malformed("asset-mismatch", f"this mandate counts {asset}, and {text!r} does not")
    return str(amount.units)


def _budget(text: str, asset: str, assets: dict[str, Asset]) -> dict[str, Any]:
    price, slash, per = text.partition("/")
    if not slash:
        raise Malformed("malformed-budget", f'{text!r} is no budget; write it like "5 USD/day"')
    units = _units(price.strip(), asset, assets)
    return {"name": f"per {per.strip()}", "per": per.strip(), "limit": units}


@command(mandates_app, "create", lines=the_id, elsewhere=True)
def create_mandate(
    asset: Annotated[str, typer.Argument(help="What it counts, such as USD.")],
    *,
    largest: Annotated[str, typer.Option(help='The largest payment: "0.50 USD".')] = "",
    budget: Annotated[
        list[str] | None, typer.Option(help='A limit per period: "5 USD/day"; may be repeated.')
    ] = None,
    payee: Annotated[list[str] | None, typer.Option(help="Only to this account.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only in this category.")] = None,
    hours: Annotated[list[str] | None, typer.Option(help="Only then: 08:00-18:00.")] = None,
    ask_above: Annotated[str, typer.Option(help='Ask me above: "3 USD".')] = "",
    two_above: Annotated[str, typer.Option(help='Ask two people above: "50 USD".')] = "",
    expires: Annotated[str, typer.Option(help="Until: 2027-01-01T00:00:00Z.")] = "",
    name: Annotated[str, typer.Option(help="A name for it.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> Any:
    """Make a mandate, and print its id.

    Example: farthing mandates create USD --largest "0.50 USD" --budget "5 USD/day"
    """
    assets = assets_of(config)
    body: dict[str, Any] = {
        "asset": asset,
        "name": name,
        "owner": owner_of(owner, config),
        "budgets": [_budget(text, asset, assets) for text in budget or []],
        "payees": payee or [],
        "categories": category or [],
        "hours": hours or [],
        "largest": _units(largest, asset, assets) if largest else None,
        "ask_above": _units(ask_above, asset, assets) if ask_above else None,
        "two_above": _units(two_above, asset, assets) if two_above else None,
        "expires": expires or None,
    }
    return ask_hub("POST", "/v1/mandates", body, config)


@command(mandates_app, "change", elsewhere=True)
def change_mandate(
    mandate: Annotated[str, typer.Argument(help="man_…")],
    *,
    largest: Annotated[str | None, typer.Option(help='The largest payment: "0.50 USD".')] = None,
    budget: Annotated[
        list[str] | None, typer.Option(help='The limit of a period: "5 USD/day", "none/day".')
    ] = None,
    payee: Annotated[list[str] | None, typer.Option(help="Only to this account.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only in this category.")] = None,
    hours: Annotated[list[str] | None, typer.Option(help="Only then: 08:00-18:00.")] = None,
    ask_above: Annotated[str | None, typer.Option(help='Ask me above: "3 USD".')] = None,
    two_above: Annotated[str | None, typer.Option(help='Ask two people above: "50 USD".')] = None,
    expires: Annotated[str | None, typer.Option(help="Until: 2027-01-01T00:00:00Z.")] = None,
    name: Annotated[str | None, typer.Option(help="A name for it.")] = None,
    config: ConfigOption = None,
) -> Any:
    """Change rules of a mandate; the others stay, and what was spent this period still counts.

    "none" takes a rule away. A budget is changed by its period and keeps its name, because a
    budget of another name counts from zero.

    Example: farthing mandates change man_01j… --largest "1 USD" --budget "8 USD/day"
    """
    assets = assets_of(config)
    path = f"/v1/mandates/{in_path(mandate)}"
    before = ask_hub("GET", path, config=config)
    body = {member: before[member] for member in _KEPT}
    asset = body["asset"]
    for text in budget or []:
        body["budgets"] = _with_budget(body["budgets"], text, asset, assets)
    lines = (("largest", largest), ("ask_above", ask_above), ("two_above", two_above))
    for member, price in lines:
        if price is not None:
            body[member] = None if price == _NONE else _units(price, asset, assets)
    for member, given in (("payees", payee), ("categories", category), ("hours", hours)):
        if given is not None:
            body[member] = [] if given == [_NONE] else given
    if expires is not None:
        body["expires"] = None if expires == _NONE else expires
    if name is not None:
        body["name"] = name
    made = ask_hub("PUT", path, body, config)
    return Answer(made, lambda m: views.mandates(assets)([m]))


def _with_budget(
    budgets: list[dict[str, Any]], text: str, asset: str, assets: dict[str, Asset]
) -> list[dict[str, Any]]:
    """Put a limit into the budget of its period, whose name it keeps; or take that budget away.

    Raises: Malformed `malformed-budget` where it is not clear which budget is meant.
    """
    limit, _, per = text.partition("/")
    gone = limit.strip() == _NONE
    new = None if gone else _budget(text, asset, assets)
    meant = [one for one in budgets if one["per"] == per.strip() and not _is_narrow(one)]
    if len(meant) > 1 or (gone and not meant):
        raise Malformed("malformed-budget", f"{len(meant)} budgets of it are per {per.strip()}")
    if not meant:
        return budgets if new is None else [*budgets, new]
    left = [] if new is None else [meant[0] | {"limit": new["limit"]}]
    return [kept for one in budgets for kept in (left if one is meant[0] else [one])]


def _is_narrow(budget: dict[str, Any]) -> bool:
    """Tell whether a budget counts some payees or categories only."""
    return bool(budget["payees"] or budget["categories"])


@command(mandates_app, "list", elsewhere=True)
def list_mandates(config: ConfigOption = None) -> Any:
    """List mandates. Example: farthing mandates list."""
    items = ask_all("/v1/mandates", config)
    return Answer(items, views.mandates(assets_of(config)))


@command(mandates_app, "decline", elsewhere=True)
def decline_mandate(
    mandate: Annotated[str, typer.Argument(help="man_…")], config: ConfigOption = None
) -> Any:
    """Decline what one of two people wants of a mandate.

    Example: farthing mandates decline man_01j…
    """
    made = ask_hub("POST", f"/v1/mandates/{in_path(mandate)}/decline", config=config)
    return Answer(made, lambda m: views.mandates(assets_of(config))([m]))


@command(mandates_app, "revoke", elsewhere=True)
def revoke_mandate(
    mandate: Annotated[str, typer.Argument(help="man_…")], config: ConfigOption = None
) -> Any:
    """Revoke a mandate at once. Example: farthing mandates revoke man_01j…"""
    made = ask_hub("POST", f"/v1/mandates/{in_path(mandate)}/revoke", config=config)
    return Answer(made, lambda m: views.mandates(assets_of(config))([m]))
