"""`farthing topups` and `farthing payouts`: money in and out by rails."""

import time
from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub, assets_of
from farthing.cli.options import ConfigOption
from farthing.money import parse_price
from farthing.terminal.frame import Answer, command
from farthing.terminal.talk import say
from farthing.terminal.typed import in_path

topups_app = typer.Typer(help="Money in, by rails.", no_args_is_help=True)
payouts_app = typer.Typer(help="Money out, by rails.", no_args_is_help=True)

_WAIT_SECONDS, _PAUSE_SECONDS = 8, 0.2
AccountArgument = Annotated[str, typer.Argument(help="acc_…")]
AmountArgument = Annotated[str, typer.Argument(help='How much: "5 USD".')]
PlaceOption = Annotated[
    str, typer.Option(help="Where from or to; with the simulated rail how it behaves.")
]
RailOption = Annotated[str, typer.Option(help="Which rail.")]


def _begin(noun: str, account: str, amount: str, place: str, rail: str, config: Any) -> Answer:
    wanted = parse_price(amount, assets_of(config))
    body = {
        "account": account,
        "units": str(wanted.units),
        "asset": wanted.asset.code,
        "rail": rail,
        "place": place,
    }
    made = ask_hub("POST", f"/v1/{noun}", body, config)
    deadline = time.monotonic() + _WAIT_SECONDS
    while not made["booked"] and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        made = ask_hub("GET", f"/v1/{noun}/{in_path(made['id'])}", config=config)
    if made["money"] == "test":
        say("This rail moves no money: it is for trying things.")
    return Answer(made, lambda one: views.movements([one]))


@command(topups_app, "create", elsewhere=True)
def top_up(
    account: AccountArgument,
    amount: AmountArgument,
    place: PlaceOption = "",
    rail: RailOption = "simulated",
    config: ConfigOption = None,
) -> Any:
    """Bring money in. Example: farthing topups create acc_01j… "5 USD"."""
    return _begin("topups", account, amount, place, rail, config)


@command(payouts_app, "create", elsewhere=True)
def pay_out(
    account: AccountArgument,
    amount: AmountArgument,
    place: PlaceOption = "",
    rail: RailOption = "simulated",
    config: ConfigOption = None,
) -> Any:
    """Pay money out. Example: farthing payouts create acc_01j… "5 USD"."""
    return _begin("payouts", account, amount, place, rail, config)


@command(topups_app, "list", lines=views.movements, elsewhere=True)
def list_topups(config: ConfigOption = None) -> Any:
    """List top-ups, newest first. Example: farthing topups list."""
    return ask_all("/v1/topups", config)


@command(payouts_app, "list", lines=views.movements, elsewhere=True)
def list_payouts(config: ConfigOption = None) -> Any:
    """List payouts, newest first. Example: farthing payouts list."""
    return ask_all("/v1/payouts", config)
