"""The command `farthing`: everything a person types."""

import os
import sys
from typing import Annotated

import typer

from farthing.cli.table import TABLE
from farthing.terminal.exits import Exit
from farthing.terminal.lazy import lazy_group
from farthing.terminal.talk import say

app = typer.Typer(
    name="farthing",
    cls=lazy_group(TABLE),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and seldom wanted

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


def main() -> None:
    """Run the command; whatever goes wrong is a line that says what to do, never a traceback."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123,SIM115 - talk must not go to stdout
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        say("farthing: stdout is closed; send it to /dev/null if nobody is to read it")
        sys.exit(Exit.SETTINGS)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
