"""Owners and accounts from the command line."""

from pathlib import Path
from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub
from farthing.cli.options import ConfigOption, OwnerOption, owner_of
from farthing.terminal.frame import command
from farthing.terminal.tables import the_id
from farthing.terminal.typed import in_path

owners_app = typer.Typer(help="Owners.", no_args_is_help=True)
accounts_app = typer.Typer(help="Accounts.", no_args_is_help=True)
AccountArgument = Annotated[str, typer.Argument(help="acc_…")]


@command(owners_app, "create", lines=the_id, elsewhere=True)
def create_owner(
    name: Annotated[str, typer.Argument(help="The owner's name.")],
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    config: ConfigOption = None,
) -> Any:
    """Make an owner, and print its id. Example: farthing owners create "Acme Lockers"."""
    return ask_hub("POST", "/v1/owners", {"name": name, "time_zone": time_zone}, config)


@command(owners_app, "list", lines=views.owners, elsewhere=True)
def list_owners(config: ConfigOption = None) -> Any:
    """List owners. Example: farthing owners list."""
    return ask_all("/v1/owners", config)


@command(accounts_app, "open", lines=the_id, elsewhere=True)
def open_account(
    asset: Annotated[str, typer.Argument(help="What it counts, such as USD.")],
    name: Annotated[str, typer.Option(help="A name for it.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> Any:
    """Open an account, and print its id. Example: farthing accounts open USD --name shop."""
    body = {"asset": asset, "name": name, "owner": owner_of(owner, config)}
    return ask_hub("POST", "/v1/accounts", body, config)


@command(accounts_app, "list", lines=views.accounts, elsewhere=True)
def list_accounts(config: ConfigOption = None) -> Any:
    """List accounts. Example: farthing accounts list."""
    return ask_all("/v1/accounts", config)


@command(accounts_app, "freeze", lines=lambda a: views.accounts([a]), elsewhere=True)
def freeze(account: AccountArgument, config: ConfigOption = None) -> Any:
    """Freeze an account: nothing moves in or out. Example: farthing accounts freeze acc_01j…"""
    return _turn(account, "freeze", config)


@command(accounts_app, "unfreeze", lines=lambda a: views.accounts([a]), elsewhere=True)
def unfreeze(account: AccountArgument, config: ConfigOption = None) -> Any:
    """Open a frozen account again. Example: farthing accounts unfreeze acc_01j…"""
    return _turn(account, "unfreeze", config)


@command(accounts_app, "close", lines=lambda a: views.accounts([a]), elsewhere=True)
def close(account: AccountArgument, config: ConfigOption = None) -> Any:
    """Close an empty account for good. Example: farthing accounts close acc_01j…"""
    return _turn(account, "close", config)


def _turn(account: str, verb: str, config: Path | None) -> Any:
    return ask_hub("POST", f"/v1/accounts/{in_path(account)}/{verb}", config=config)
