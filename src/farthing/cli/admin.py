"""Offers and devices from the command line."""

from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub, assets_of
from farthing.cli.options import ConfigOption
from farthing.core.usage import usage
from farthing.errors import Malformed
from farthing.money import parse_price
from farthing.terminal.frame import Answer, command
from farthing.terminal.tables import the_id
from farthing.terminal.talk import manners, say
from farthing.terminal.typed import in_path

offers_app = typer.Typer(help="Price tags.", no_args_is_help=True)
devices_app = typer.Typer(help="Devices.", no_args_is_help=True)


@command(offers_app, "create", lines=the_id, elsewhere=True)
def create_offer(
    payee: Annotated[str, typer.Argument(help="Who is paid: acc_…")],
    path: Annotated[str, typer.Argument(help="What is sold: /page, /a/{name}, /a/*")],
    price: Annotated[str, typer.Argument(help='For how much: "0.001 USD".')],
    *,
    method: Annotated[str, typer.Option(help="The method.")] = "GET",
    description: Annotated[str, typer.Option(help="What it is.")] = "",
    category: Annotated[str, typer.Option(help="What kind of thing it is.")] = "",
    free_for: Annotated[list[str] | None, typer.Option(help="Free for: dev_…")] = None,
    listed_at: Annotated[
        str, typer.Option(help="List it for anybody to find, under https://shop.example.")
    ] = "",
    per: Annotated[
        str, typer.Option(help="Meter it: request, second, byte, or what the handler counts.")
    ] = "",
    every: Annotated[int, typer.Option(help="How many of it the price is for.", min=1)] = 1,
    minimum: Annotated[str, typer.Option(help="The least that a used session costs.")] = "",
    reserve: Annotated[
        int, typer.Option(help="The count that is promised before an answer begins.", min=1)
    ] = 1,
    fee_to: Annotated[str, typer.Option(help="Give a share to this account: acc_…")] = "",
    fee_ppm: Annotated[
        int, typer.Option(help="The share, in millionths: 10000 is 1 %.", min=0, max=1_000_000)
    ] = 0,
    fee_flat: Annotated[str, typer.Option(help="An amount that is added to the share.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Put up an offer, and print its id; farthing proxy --payee sells by it.

    Example: farthing offers create acc_01j… /weather "0.001 USD"
    """
    assets = assets_of(config)
    amount = parse_price(price, assets)
    if not per and (every != 1 or minimum or reserve != 1):
        detail = "--every, --minimum and --reserve are for a price --per …"
        raise Malformed("malformed-option", detail)
    if not fee_to and (fee_ppm or fee_flat):
        raise Malformed("malformed-option", "say who gets the fee: --fee-to acc_…")
    body: dict[str, Any] = {
        "payee": payee,
        "path": path,
        "method": method,
        "asset": amount.asset.code,
        "description": description,
        "category": category,
        "free_for": free_for or [],
        "listed_at": listed_at,
    }
    if per:
        used = usage(amount, per, assets, every=every, minimum=minimum, reserve=reserve)
        body["metered"] = {"tariff": used.tariff.members(), "reserve": used.reserve}
    else:
        body["amount"] = str(amount.units)
    if fee_to:
        flat = parse_price(fee_flat, assets).units if fee_flat else 0
        body["fee"] = {"account": fee_to, "ppm": fee_ppm, "flat": str(flat)}
    return ask_hub("POST", "/v1/offers", body, config)


@command(offers_app, "list", elsewhere=True)
def list_offers(config: ConfigOption = None) -> Any:
    """List offers. Example: farthing offers list."""
    items = ask_all("/v1/offers", config)
    return Answer(items, views.offers(assets_of(config)))


@command(offers_app, "withdraw", elsewhere=True)
def withdraw_offer(
    offer: Annotated[str, typer.Argument(help="off_…")], config: ConfigOption = None
) -> Any:
    """Take an offer down. Example: farthing offers withdraw off_01j…"""
    made = ask_hub("POST", f"/v1/offers/{in_path(offer)}/withdraw", config=config)
    return Answer(made, lambda o: views.offers(assets_of(config))([o]))


@command(devices_app, "invite", lines=lambda made: [made["code"]], elsewhere=True)
def invite(
    account: Annotated[str, typer.Argument(help="What it spends from: acc_…")],
    mandate: Annotated[str, typer.Argument(help="Under which mandate: man_…")],
    name: Annotated[str, typer.Option(help="A name for the device.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Print a one-time code with which a device enrols within ten minutes.

    Example: farthing devices invite acc_01j… man_01j… --name "Charger 7"
    """
    body = {"account": account, "mandate": mandate, "name": name}
    made = ask_hub("POST", "/v1/devices/invitations", body, config)
    url = manners.get().hub or ask_hub("GET", "/v1/hub", config=config)["url"]
    say(f"On the device, until {made['expires']}: farthing enrol {url} {made['code']}")
    return made


@command(devices_app, "list", lines=views.devices, elsewhere=True)
def list_devices(config: ConfigOption = None) -> Any:
    """List devices. Example: farthing devices list."""
    return ask_all("/v1/devices", config)


@command(devices_app, "revoke", elsewhere=True)
def revoke_device(
    device: Annotated[str, typer.Argument(help="dev_…")], config: ConfigOption = None
) -> Any:
    """Revoke a device at once. Example: farthing devices revoke dev_01j…"""
    made = ask_hub("POST", f"/v1/devices/{in_path(device)}/revoke", config=config)
    return Answer(made, lambda d: views.devices([d]))
