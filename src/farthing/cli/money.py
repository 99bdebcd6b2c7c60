"""Money at a glance: credit, balances, payments, fees."""

from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub, assets_of
from farthing.cli.options import ConfigOption
from farthing.money import parse_price
from farthing.terminal.frame import Answer
from farthing.terminal.talk import manners, say


def credit(
    account: Annotated[str, typer.Argument(help="The account: acc_…")],
    amount: Annotated[str, typer.Argument(help='How much: "10 USD".')],
    config: ConfigOption = None,
) -> Any:
    """Put test money into an account. It is no real money, and marked so everywhere.

    Example: farthing credit acc_01j… "10 USD"
    """
    price = parse_price(amount, assets_of(config))
    body = {"account": account, "units": str(price.units), "asset": price.asset.code}
    made = ask_hub("POST", "/v1/credits", body, config)
    say(f"{account} got {price} of test money")
    return made if manners.get().as_json else None


def balances(config: ConfigOption = None) -> Any:
    """Show every account and what it holds.

    Example: farthing balances
    """
    items = ask_all("/v1/accounts", config)
    say(views.TEST_MONEY)
    return Answer(items, views.balances(assets_of(config)))


def payments(
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    state: Annotated[str, typer.Option(help="Only in this state: awaiting, held, captured …")] = "",
    config: ConfigOption = None,
) -> Any:
    """Show the newest payments.

    Example: farthing payments --state refused
    """
    query = f"?limit={limit}" + (f"&state={state}" if state else "")
    items = ask_hub("GET", f"/v1/payments{query}", config=config)["items"]
    say(views.TEST_MONEY)
    return Answer(items, views.payments(assets_of(config)))


def fees(
    per: Annotated[str, typer.Option(help="Add up by hour, day or all.")] = "day",
    since: Annotated[
        str, typer.Option(help="From when on, such as 2026-11-01T00:00:00Z; 31 days, unless said.")
    ] = "",
    until: Annotated[str, typer.Option(help="Before when; now unless said.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Show what fees came to: what was taken, for whom, and what went back.

    Example: farthing fees --per all --since 2026-11-01T00:00:00Z
    """
    items = ask_all("/v1/fees", config, per=per, since=since, until=until)
    say(views.TEST_MONEY)
    return Answer(items, views.fees(assets_of(config)))
