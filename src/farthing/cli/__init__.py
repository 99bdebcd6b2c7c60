"""The command `farthing`: everything a person types."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from farthing.cli import admin, auditing, keys, money, selling, serving
from farthing.cli.talk import fail
from farthing.device.pay_command import enrol, pay, rotate_key
from farthing.errors import BadConfig, FarthingError

app = typer.Typer(
    name="farthing",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serving.init)
app.command()(serving.serve)
app.command()(selling.proxy)
app.command()(pay)
app.command()(enrol)
app.command("rotate-key")(rotate_key)
app.command()(money.credit)
app.command()(money.balances)
app.command()(money.payments)
app.command()(auditing.audit)
app.add_typer(auditing.receipt_app, name="receipt")
app.add_typer(admin.owners_app, name="owners")
app.add_typer(admin.accounts_app, name="accounts")
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


@app.command()
def demo(
    seconds: int = typer.Option(30, min=1, help="How long it runs."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object at the end."),
) -> None:
    """Watch machines pay machines: a hub, three shops and a fleet on this computer.

    Example: farthing demo --seconds 10 --json
    """
    from farthing.demo.command import run_demo  # noqa: PLC0415 - it brings the whole hub along

    raise typer.Exit(run_demo(seconds, as_json=json))


def main() -> None:
    """Run the command; a refusal is one line that says what to do, never a traceback."""
    try:
        app()
    except FarthingError as error:
        sys.exit(fail(error))
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename else ""
        what = f"{where}{fault.strerror or fault}"
        sys.exit(fail(BadConfig("system-refused", what)))
