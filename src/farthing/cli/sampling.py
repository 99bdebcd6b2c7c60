"""`farthing demo-data`: something to look at in a fresh hub."""

import asyncio
from pathlib import Path
from typing import Any

from farthing.cli import views
from farthing.cli.local import local_client
from farthing.cli.options import ConfigOption, with_config
from farthing.config import load_config
from farthing.settings import Config
from farthing.terminal.frame import Answer
from farthing.terminal.talk import say

_LOOK_AT = ("payments", "balances", "payments --state awaiting")


def demo_data(config: ConfigOption = None) -> Any:
    """Fill a fresh hub with test owners, accounts, devices, mandates, offers and payments.

    All of it is made by the ordinary requests, and its names say that it is demo data. A hub in
    which something was made before is left as it is.

    Example: farthing demo-data
    """
    made = asyncio.run(fill(load_config(config)))
    say(views.TEST_MONEY)
    return Answer({**made, "next": look_at(config)}, lines)


def look_at(config: Path | None) -> list[str]:
    """Give the commands that show what was made."""
    return [with_config(f"farthing {words}", config) for words in _LOOK_AT]


async def fill(config: Config) -> dict[str, Any]:
    """Make demo data in this machine's hub.

    Raises: Conflict `not-a-fresh-hub`.
    """
    from farthing.demo.sample import Sample  # noqa: PLC0415 - needed by this command alone

    async with local_client(config) as client:
        return await Sample(client, config.asset_table()).make()


def lines(made: dict[str, Any]) -> list[str]:
    """Say what was made, and what to look at."""
    counts = [f"{count} {noun}" for noun, count in made.items() if noun not in _APART]
    states = [f"{count} {state}" for state, count in made["payments"].items()]
    return [
        f"made {', '.join(counts)}; payments: {', '.join(states)}",
        "",
        "Look at them:",
        *(f"  {command}" for command in made["next"]),
    ]


_APART = ("payments", "next")
