"""Options that several commands take, and what they mean when they are left out."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from farthing.cli.local import ask_hub
from farthing.errors import Malformed
from farthing.terminal.talk import manners

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The hub's farthing.toml [~/.farthing/hub/].")
]
OwnerOption = Annotated[str, typer.Option("--owner", help="The owner: own_… [the only one]")]


def owner_of(owner: str, config: Path | None) -> str | None:
    """Give the owner meant: the one named, or the only one there is; elsewhere, the key's own.

    Raises: Malformed `which-owner`.
    """
    if owner or manners.get().hub:
        return owner or None
    items = ask_hub("GET", "/v1/owners?limit=2", config=config)["items"]
    if len(items) != 1:
        raise Malformed("which-owner", "say which owner with --owner own_… (farthing owners list)")
    return items[0]["id"]


def with_config(command: str, config: Path | None) -> str:
    """Give a command as it has to be typed, in any folder, to mean the same hub."""
    return f"{command} --config {shlex.quote(str(config.absolute()))}" if config else command
