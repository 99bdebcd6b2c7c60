"""`farthing notices`: what people are told, and where."""

from typing import Annotated, Any

import typer

from farthing.cli.local import ask_all, ask_hub
from farthing.cli.options import ConfigOption
from farthing.terminal.frame import Answer, command
from farthing.terminal.tables import Row, listing
from farthing.terminal.talk import say
from farthing.terminal.typed import in_path

notices_app = typer.Typer(help="What people are told, and where.", no_args_is_help=True)
PersonArgument = Annotated[str, typer.Argument(help="per_…")]
AddressArgument = Annotated[str, typer.Argument(help="adr_…")]
ClassOption = Annotated[
    str, typer.Option("--class", help="Which notices: security, money, account, summary.")
]

_addresses = listing(
    "address way state place label",
    lambda a: (a["id"], a["way"], a["state"], a["place"] or "", a["label"]),
    none="Nowhere yet: farthing notices add per_… email ada@home.example",
)
_tries = listing(
    "at about way events result",
    lambda t: (t["at"], t["about"], t["way"] or "", t["events"], t["fault"] or "told"),
    none="Nothing was told yet.",
)


def _lines(told: Row) -> list[str]:
    """Say what a person is told: a line for each class, when, and where."""
    lines = [_class(name, wish) for name, wish in told["classes"].items()]
    quiet = ", ".join(told["quiet"]) or "none"
    amounts = "shown" if told["shows_amounts"] else "hidden"
    lines.append(f"quiet hours: {quiet} ({told['time_zone']}); language: {told['language']}")
    lines.append(f"amounts are {amounts}; this hub tells by: {', '.join(told['ways']) or '-'}")
    return [*lines, *_addresses(told["addresses"])]


def _class(name: str, wish: Row) -> str:
    digest = f", gathered for {wish['digest_seconds']} s" if wish["digest_seconds"] else ""
    return f"{name}: {', then '.join(wish['ways']) or 'not told'}{digest}"


def _one(address: Any) -> Answer:
    return Answer(address, lambda one: _addresses([one]))


@command(notices_app, "show", lines=_lines, elsewhere=True)
def show(person: PersonArgument, config: ConfigOption = None) -> Any:
    """Show what a person is told, and where. Example: farthing notices show per_01j…"""
    return ask_hub("GET", f"/v1/people/{in_path(person)}/notices", config=config)


@command(notices_app, "set", lines=_lines, elsewhere=True)
def set_wishes(  # noqa: PLR0917 - options have names
    person: PersonArgument,
    about: ClassOption = "",
    way: Annotated[
        list[str] | None, typer.Option(help="By which ways, the first one first; or none.")
    ] = None,
    digest: Annotated[int, typer.Option(help="Gather for so many seconds.", min=0)] = 0,
    quiet: Annotated[
        list[str] | None, typer.Option(help="Quiet hours, such as 22:00-07:00; or none.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="The person's time zone.")] = "",
    language: Annotated[str, typer.Option(help="en or de.")] = "",
    amounts: Annotated[
        bool | None, typer.Option("--amounts/--no-amounts", help="Show amounts in notices.")
    ] = None,
    config: ConfigOption = None,
) -> Any:
    """Change what a person is told; what is not named stays as it is.

    Example: farthing notices set per_01j… --class money --way push --way email --digest 3600
    """
    body: dict[str, Any] = {"shows_amounts": amounts}
    if about:
        body["classes"] = {about: {"ways": _named(way or []), "digest_seconds": digest}}
    if quiet is not None:
        body["quiet"] = _named(quiet)
    body |= {"time_zone": time_zone or None, "language": language or None}
    return ask_hub("PUT", f"/v1/people/{in_path(person)}/notices", body, config)


def _named(words: list[str]) -> list[str]:
    return [] if words == ["none"] else words


@command(notices_app, "add", elsewhere=True)
def add(
    person: PersonArgument,
    way: Annotated[str, typer.Argument(help="email, sms …")],
    place: Annotated[str, typer.Argument(help="The mailbox, the number.")],
    label: Annotated[str, typer.Option(help="What it is.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Have a person told at one more place: a code is sent there.

    Example: farthing notices add per_01j… email ada@home.example
    """
    body = {"way": way, "place": place, "label": label}
    made = ask_hub("POST", f"/v1/people/{in_path(person)}/addresses", body, config)
    if "secret" in made:
        say(f"What is sent there is signed with this secret, shown once: {made['secret']}")
    say(f"A code is on its way. When it came: farthing notices prove {made['id']} CODE")
    return _one(made)


@command(notices_app, "code", elsewhere=True)
def code(address: AddressArgument, config: ConfigOption = None) -> Any:
    """Send another code to an address. Example: farthing notices code adr_01j…"""
    return _one(ask_hub("POST", f"/v1/addresses/{in_path(address)}/code", config=config))


@command(notices_app, "prove", elsewhere=True)
def prove(
    address: AddressArgument,
    code: Annotated[str, typer.Argument(help="The code that came there.")],
    config: ConfigOption = None,
) -> Any:
    """Tell notices at an address from now on. Example: farthing notices prove adr_01j… 042137."""
    path = f"/v1/addresses/{in_path(address)}/prove"
    return _one(ask_hub("POST", path, {"code": code}, config))


@command(notices_app, "remove", elsewhere=True)
def remove(address: AddressArgument, config: ConfigOption = None) -> Any:
    """Tell nothing there any more. Example: farthing notices remove adr_01j…"""
    return _one(ask_hub("POST", f"/v1/addresses/{in_path(address)}/remove", config=config))


@command(notices_app, "tries", lines=_tries, elsewhere=True)
def tries(config: ConfigOption = None) -> Any:
    """Show what people were told, newest first. Example: farthing notices tries."""
    return ask_all("/v1/notices", config)
