"""Commands that are imported when they are typed: a table says where each one is.

Help, completion and "did you mean" need the table alone, so that they come at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from farthing.terminal.frame import command


@dataclass(frozen=True, slots=True)
class Later:
    """A command, or a group of them, by the place of its function or app.

    Shape: `place` is `module:name`; `told` is what the list of commands says of it.
    """

    name: str
    place: str
    told: str
    elsewhere: bool = False

    def command(self) -> Any:
        """Import it, and give the command itself."""
        module, _, name = self.place.partition(":")
        found = getattr(import_module(module), name)
        alone = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.callback()(lambda: None)  # So that it is a group, however few are in it.
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=self.name)
        else:
            command(alone, self.name, elsewhere=self.elsewhere)(found)
        group: Any = typer.main.get_command(alone)
        return group.commands[self.name]


class LazyGroup(TyperGroup):
    """A group that knows its commands by a table, and imports the one that is typed."""

    table: dict[str, Later]

    def __init__(self, **told: Any) -> None:
        told["commands"] = {one.name: _listed(one) for one in self.table.values()}
        super().__init__(**told)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was typed, and put the real one into its place."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, self.table[name].command() if name else listed, rest

    def imported(self) -> dict[str, Any]:
        """Give every command itself, by its name."""
        return {name: one.command() for name, one in self.table.items()}


def lazy_group(table: Iterable[Later]) -> type[LazyGroup]:
    """Give the kind of group that has these commands, for `Typer(cls=…)`."""

    class Group(LazyGroup):
        pass

    Group.table = {one.name: one for one in table}
    return Group


def _listed(later: Later) -> TyperCommand:
    """Give what stands for a command where it is only named."""
    return TyperCommand(later.name, short_help=later.told, help=later.told, rich_markup_mode=None)
