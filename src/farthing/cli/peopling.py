"""People who sign in to the pages, from the command line."""

from typing import Annotated, Any

import typer

from farthing.cli.local import ask, ask_all, ask_hub, local_client
from farthing.cli.options import ConfigOption, OwnerOption, owner_of
from farthing.settings import Config
from farthing.terminal.frame import command
from farthing.terminal.tables import Row, listing
from farthing.terminal.talk import say
from farthing.terminal.typed import in_path

people_app = typer.Typer(help="Who signs in to the pages.", no_args_is_help=True)
PersonArgument = Annotated[str, typer.Argument(help="per_…")]

_people = listing(
    "person owner roles state name",
    lambda p: (p["id"], p["owner"], ",".join(p["roles"]), _state(p), p["name"]),
    none="Nobody yet: farthing people invite NAME",
)


def _state(person: Row) -> str:
    return f"removed {person['removed_at']}" if person["removed_at"] else "may sign in"


@command(people_app, "invite", lines=lambda made: [made["link"]], elsewhere=True)
def invite(
    name: Annotated[str, typer.Argument(help="What the person is called.")],
    role: Annotated[list[str] | None, typer.Option(help="owner, operator, ward.")] = None,
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> Any:
    """Let somebody sign in for an owner: prints a link that is good once, for a day.

    Example: farthing people invite Ada --owner own_01j…
    """
    body = {"name": name, "roles": role or ["owner"], "owner": owner_of(owner, config)}
    made = ask_hub("POST", "/v1/people", body, config)
    _tell(made)
    return made


@command(people_app, "link", lines=lambda made: [made["link"]], elsewhere=True)
def link(person: PersonArgument, config: ConfigOption = None) -> Any:
    """Make another link for somebody who lost every passkey. Example: farthing people link per_…"""
    made = ask_hub("POST", f"/v1/people/{in_path(person)}/links", config=config)
    _tell(made)
    return made


def _tell(made: dict[str, Any]) -> None:
    say(f"{made['name']} makes a passkey with this link, once, within a day; shown once:")


@command(people_app, "list", lines=_people, elsewhere=True)
def list_people(config: ConfigOption = None) -> Any:
    """List who may sign in. Example: farthing people list."""
    return ask_all("/v1/people", config)


@command(people_app, "remove", lines=lambda p: _people([p]), elsewhere=True)
def remove(person: PersonArgument, config: ConfigOption = None) -> Any:
    """Let somebody in no more, at once. Example: farthing people remove per_01j…"""
    return ask_hub("POST", f"/v1/people/{in_path(person)}/remove", config=config)


async def first_link(config: Config, owner: str, name: str) -> str:
    """Make the first person of a hub, and give their link."""
    async with local_client(config) as client:
        body = {"name": name, "owner": owner, "roles": ["owner", "operator"]}
        return (await ask(client, "POST", "/v1/people", body))["link"]
