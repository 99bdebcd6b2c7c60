"""The command `farthing`: everything a person types."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from farthing.cli import (
    admin,
    auditing,
    backing_up,
    calling,
    configuring,
    doctor,
    explaining,
    keys,
    money,
    owning,
    pricing,
    sampling,
    selling,
    serving,
)
from farthing.device.pay_command import enrol, pay, rotate_key
from farthing.device.protect_command import protect_key, unprotect_key
from farthing.terminal.exits import Exit
from farthing.terminal.frame import command
from farthing.terminal.talk import manners

app = typer.Typer(
    name="farthing",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _function in (serving.init, serving.serve, selling.proxy, pay, enrol):
    command(app)(_function)
command(app, "rotate-key")(rotate_key)
command(app, "protect-key")(protect_key)
command(app, "unprotect-key")(unprotect_key)
for _function in (money.credit, money.balances, money.payments, calling.api, calling.tail):
    command(app, elsewhere=True)(_function)
command(app)(auditing.audit)
for _function in (doctor.doctor, backing_up.backup, backing_up.restore, explaining.explain):
    command(app)(_function)
command(app, "upgrade-check")(backing_up.upgrade_check)
command(app, "demo-data", lines=sampling.lines)(sampling.demo_data)
app.add_typer(configuring.config_app, name="config")
app.add_typer(pricing.prices_app, name="prices")
app.add_typer(auditing.receipt_app, name="receipt")
app.add_typer(owning.owners_app, name="owners")
app.add_typer(owning.accounts_app, name="accounts")
app.add_typer(admin.mandates_app, name="mandates")
app.add_typer(admin.devices_app, name="devices")
app.add_typer(admin.offers_app, name="offers")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(keys.hub_keys_app, name="hub-keys")


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"farthing {version('farthing')}")
        raise typer.Exit


@app.callback()
def common(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Machines pay machines. Start with: farthing init, then farthing serve."""


@command(app)
def demo(
    seconds: Annotated[int, typer.Option(min=1, help="How long it runs.")] = 30,
) -> None:
    """Watch machines pay machines: a hub, three shops and a fleet on this computer.

    Example: farthing demo --seconds 10 --json
    """
    from farthing.demo.command import run_demo  # noqa: PLC0415 - it brings the whole hub along

    raise typer.Exit(run_demo(seconds, as_json=manners.get().as_json))


def main() -> None:
    """Run the command; whatever goes wrong is a line that says what to do, never a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
