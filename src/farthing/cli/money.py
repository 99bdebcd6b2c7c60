"""Money at a glance: credit, balances, payments."""

from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_local
from farthing.cli.options import ConfigOption
from farthing.config import load_config
from farthing.money import Asset, parse_price
from farthing.terminal.frame import Answer
from farthing.terminal.tables import Row, columns
from farthing.terminal.talk import manners, say


def credit(
    account: Annotated[str, typer.Argument(help="The account: acc_…")],
    amount: Annotated[str, typer.Argument(help='How much: "10 USD".')],
    config: ConfigOption = None,
) -> Any:
    """Put test money into an account. It is no real money, and marked so everywhere.

    Example: farthing credit acc_01j… "10 USD"
    """
    price = parse_price(amount, load_config(config).asset_table())
    body = {"account": account, "units": str(price.units), "asset": price.asset.code}
    made = ask_local("POST", "/v1/credits", body, config)
    say(f"{account} got {price} of test money")
    return made if manners.get().as_json else None


def balances(config: ConfigOption = None) -> Any:
    """Show every account and what it holds.

    Example: farthing balances
    """
    items = ask_local("GET", "/v1/accounts?limit=500", config=config)["items"]
    say(views.TEST_MONEY)
    return Answer(items, lambda rows: _balances(rows, load_config(config).asset_table()))


def _balances(items: list[Row], assets: dict[str, Asset]) -> Any:
    rows = (
        (
            item["id"],
            views.money_text(item["balance"]["available"], item["asset"], assets),
            item["state"],
            item["name"],
        )
        for item in reversed(items)
    )
    return columns(rows, right=(1,))


def payments(
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    state: Annotated[str, typer.Option(help="Only in this state.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Show the newest payments.

    Example: farthing payments --state refused
    """
    query = f"?limit={limit}" + (f"&state={state}" if state else "")
    items = ask_local("GET", f"/v1/payments{query}", config=config)["items"]
    say(views.TEST_MONEY)
    return Answer(items, views.payments(load_config(config).asset_table()))
