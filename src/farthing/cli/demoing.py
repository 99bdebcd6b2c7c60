"""`farthing demo`: machines pay machines on this computer."""

from typing import Annotated

import typer

from farthing.demo.command import run_demo
from farthing.terminal.talk import manners


def demo(
    seconds: Annotated[int, typer.Option(min=1, help="How long it runs.")] = 30,
) -> None:
    """Watch machines pay machines: a hub, three shops and a fleet on this computer.

    Example: farthing demo --seconds 10 --json
    """
    raise typer.Exit(run_demo(seconds, as_json=manners.get().as_json))
