"""Owners, accounts, mandates and devices from the command line."""

from typing import Annotated, Any

import typer

from farthing.cli.local import ask_local
from farthing.cli.serving import ConfigOption
from farthing.cli.talk import say, show
from farthing.config import load_config
from farthing.errors import Malformed
from farthing.money import Asset, parse_price

owners_app = typer.Typer(help="Owners.", no_args_is_help=True)
accounts_app = typer.Typer(help="Accounts.", no_args_is_help=True)
mandates_app = typer.Typer(help="What devices may spend.", no_args_is_help=True)
offers_app = typer.Typer(help="Price tags.", no_args_is_help=True)
devices_app = typer.Typer(help="Devices.", no_args_is_help=True)

OwnerOption = Annotated[str, typer.Option("--owner", help="The owner: own_… [the only one]")]


def owner_of(owner: str, config: Any) -> str:
    """Give the owner meant: the one named, or the only one there is.

    Raises: Malformed `which-owner`.
    """
    if owner:
        return owner
    items = ask_local("GET", "/v1/owners?limit=2", config=config)["items"]
    if len(items) != 1:
        raise Malformed("which-owner", "say which owner with --owner own_… (farthing owners list)")
    return items[0]["id"]


@owners_app.command("create")
def create_owner(
    name: Annotated[str, typer.Argument(help="The owner's name.")],
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    config: ConfigOption = None,
) -> None:
    """Make an owner, and print its id. Example: farthing owners create "Acme Lockers"."""
    made = ask_local("POST", "/v1/owners", {"name": name, "time_zone": time_zone}, config)
    print(made["id"])


@owners_app.command("list")
def list_owners(config: ConfigOption = None) -> None:
    """List owners. Example: farthing owners list."""
    show(ask_local("GET", "/v1/owners?limit=500", config=config)["items"])


@accounts_app.command("open")
def open_account(
    asset: Annotated[str, typer.Argument(help="What it counts, such as USD.")],
    name: Annotated[str, typer.Option(help="A name for it.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> None:
    """Open an account, and print its id. Example: farthing accounts open USD --name shop."""
    body = {"asset": asset, "name": name, "owner": owner_of(owner, config)}
    print(ask_local("POST", "/v1/accounts", body, config)["id"])


@accounts_app.command("list")
def list_accounts(config: ConfigOption = None) -> None:
    """List accounts. Example: farthing accounts list."""
    show(ask_local("GET", "/v1/accounts?limit=500", config=config)["items"])


def _account_state(verb: str) -> Any:
    def command(
        account: Annotated[str, typer.Argument(help="acc_…")], config: ConfigOption = None
    ) -> None:
        show(ask_local("POST", f"/v1/accounts/{account}/{verb}", config=config))

    command.__doc__ = f"{verb.capitalize()} an account. Example: farthing accounts {verb} acc_01j…"
    return command


for _verb in ("freeze", "unfreeze", "close"):
    accounts_app.command(_verb)(_account_state(_verb))


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


@mandates_app.command("create")
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
    expires: Annotated[str, typer.Option(help="Until: 2027-01-01T00:00:00Z.")] = "",
    name: Annotated[str, typer.Option(help="A name for it.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> None:
    """Make a mandate, and print its id.

    Example: farthing mandates create USD --largest "0.50 USD" --budget "5 USD/day"
    """
    assets = load_config(config).asset_table()
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
        "expires": expires or None,
    }
    print(ask_local("POST", "/v1/mandates", body, config)["id"])


@mandates_app.command("list")
def list_mandates(config: ConfigOption = None) -> None:
    """List mandates. Example: farthing mandates list."""
    show(ask_local("GET", "/v1/mandates?limit=500", config=config)["items"])


@mandates_app.command("revoke")
def revoke_mandate(
    mandate: Annotated[str, typer.Argument(help="man_…")], config: ConfigOption = None
) -> None:
    """Revoke a mandate at once. Example: farthing mandates revoke man_01j…"""
    show(ask_local("POST", f"/v1/mandates/{mandate}/revoke", config=config))


@offers_app.command("create")
def create_offer(
    payee: Annotated[str, typer.Argument(help="Who is paid: acc_…")],
    path: Annotated[str, typer.Argument(help="What is sold: /page, /a/{name}, /a/*")],
    price: Annotated[str, typer.Argument(help='For how much: "0.001 USD".')],
    *,
    method: Annotated[str, typer.Option(help="The method.")] = "GET",
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    category: Annotated[str, typer.Option(help="What kind of thing it is.")] = "",
    free_for: Annotated[list[str] | None, typer.Option(help="Free for: dev_…")] = None,
    config: ConfigOption = None,
) -> None:
    """Put up an offer, and print its id; farthing proxy --payee sells by it.

    Example: farthing offers create acc_01j… /weather "0.001 USD"
    """
    amount = parse_price(price, load_config(config).asset_table())
    body = {
        "payee": payee,
        "path": path,
        "method": method,
        "asset": amount.asset.code,
        "amount": str(amount.units),
        "description": description,
        "category": category,
        "free_for": free_for or [],
    }
    print(ask_local("POST", "/v1/offers", body, config)["id"])


@offers_app.command("list")
def list_offers(config: ConfigOption = None) -> None:
    """List offers. Example: farthing offers list."""
    show(ask_local("GET", "/v1/offers?limit=500", config=config)["items"])


@offers_app.command("withdraw")
def withdraw_offer(
    offer: Annotated[str, typer.Argument(help="off_…")], config: ConfigOption = None
) -> None:
    """Take an offer down. Example: farthing offers withdraw off_01j…"""
    show(ask_local("POST", f"/v1/offers/{offer}/withdraw", config=config))


@devices_app.command("invite")
def invite(
    account: Annotated[str, typer.Argument(help="What it spends from: acc_…")],
    mandate: Annotated[str, typer.Argument(help="Under which mandate: man_…")],
    name: Annotated[str, typer.Option(help="A name for the device.")] = "",
    config: ConfigOption = None,
) -> None:
    """Print a one-time code with which a device enrols within ten minutes.

    Example: farthing devices invite acc_01j… man_01j… --name "Charger 7"
    """
    body = {"account": account, "mandate": mandate, "name": name}
    made = ask_local("POST", "/v1/devices/invitations", body, config)
    print(made["code"])
    url = ask_local("GET", "/v1/hub", config=config)["url"]
    say(f"On the device, until {made['expires']}: farthing enrol {url} {made['code']}")


@devices_app.command("list")
def list_devices(config: ConfigOption = None) -> None:
    """List devices. Example: farthing devices list."""
    show(ask_local("GET", "/v1/devices?limit=500", config=config)["items"])


@devices_app.command("revoke")
def revoke_device(
    device: Annotated[str, typer.Argument(help="dev_…")], config: ConfigOption = None
) -> None:
    """Revoke a device at once. Example: farthing devices revoke dev_01j…"""
    show(ask_local("POST", f"/v1/devices/{device}/revoke", config=config))
