"""Money at a glance: credit, balances, payments."""

from typing import Annotated, Any

import typer

from farthing.cli.local import ask_local
from farthing.cli.serving import ConfigOption
from farthing.cli.talk import say, show
from farthing.config import load_config
from farthing.money import Amount, Asset, parse_price

TEST_MONEY = "All of this is test money."
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def credit(
    account: Annotated[str, typer.Argument(help="The account: acc_…")],
    amount: Annotated[str, typer.Argument(help='How much: "10 USD".')],
    config: ConfigOption = None,
) -> None:
    """Put test money into an account. It is no real money, and marked so everywhere.

    Example: farthing credit acc_01j… "10 USD"
    """
    price = parse_price(amount, load_config(config).asset_table())
    body = {"account": account, "units": str(price.units), "asset": price.asset.code}
    ask_local("POST", "/v1/credits", body, config)
    typer.echo(f"{account} got {price} of test money", err=True)


def money_text(units: str, code: str, assets: dict[str, Asset]) -> str:
    """Write units as a price."""
    asset = assets.get(code)
    if asset is None:
        return f"{units} units of {code}"
    return ("-" if units.startswith("-") else "") + str(Amount(int(units.lstrip("-")), asset))


def balances(as_json: AsJson = False, config: ConfigOption = None) -> None:
    """Show every account and what it holds.

    Example: farthing balances
    """
    answer = ask_local("GET", "/v1/accounts?limit=500", config=config)
    if as_json:
        show(answer["items"])
        return
    say(TEST_MONEY)
    assets = load_config(config).asset_table()
    for item in reversed(answer["items"]):
        available = money_text(item["balance"]["available"], item["asset"], assets)
        typer.echo(f"{item['id']}  {available:>18}  {item['state']:<7} {item['name']}")


def payments(
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    state: Annotated[str, typer.Option(help="Only in this state.")] = "",
    as_json: AsJson = False,
    config: ConfigOption = None,
) -> None:
    """Show the newest payments.

    Example: farthing payments --state refused
    """
    query = f"?limit={limit}" + (f"&state={state}" if state else "")
    answer = ask_local("GET", f"/v1/payments{query}", config=config)
    if as_json:
        show(answer["items"])
        return
    say(TEST_MONEY)
    assets = load_config(config).asset_table()
    for item in answer["items"]:
        typer.echo(_line(item, assets))


def _line(item: dict[str, Any], assets: dict[str, Asset]) -> str:
    amount = money_text(item["amount"], item["asset"], assets)
    why = f"  {item['reason']}" if item["reason"] else ""
    return f"{item['created_at'][:19]}  {item['id']}  {item['state']:<9} {amount:>16}{why}"
