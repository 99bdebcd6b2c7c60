"""The frame around every command: `--json`, `--no-input`, `--hub`, and how it ends.

A command is a function that returns what it found, as plain data; the frame prints it, through
`lines` for a person. It may be `async`. What goes wrong is a FarthingError.
"""

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any, TypeVar

import typer

from farthing.errors import BadConfig, FarthingError, InvariantBroken
from farthing.terminal.exits import Exit
from farthing.terminal.help_text import first_sentence, name_values
from farthing.terminal.talk import Lines, Manners, fail, manners, show

F = TypeVar("F", bound=Callable[..., Any])

TRACE = "FARTHING_TRACE"
"""The variable that shows where in this software a fault of its own lies."""

_COMMON = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print data as JSON.")],
    "no_input": Annotated[bool, typer.Option("--no-input", help="Never ask; fail instead.")],
}

HubOption = Annotated[
    str,
    typer.Option(
        "--hub", envvar="FARTHING_HUB", help="A hub elsewhere; $FARTHING_KEY has your API key."
    ),
]
_ELSEWHERE = {"hub": HubOption}


@dataclass(frozen=True, slots=True)
class Answer:
    """Data to print, how to print it for a person, and how the command ends."""

    value: Any
    lines: Lines | None = None
    code: Exit = Exit.OK


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    lines: Lines | None = None,
    elsewhere: bool = False,
) -> Callable[[F], F]:
    """Add a function to an app as a command in the frame.

    Shape:  what it returns is printed: as `lines(value)` for a person, as JSON with `--json` or
            without `lines`; nothing if it is None. an `Answer` says more. `elsewhere` lets it ask
            a hub on another machine.
    """

    def add(function: F) -> F:
        run = framed(function, lines, elsewhere=elsewhere)
        app.command(name, short_help=first_sentence(function))(run)
        return function

    return add


def framed(
    function: Callable[..., Any], lines: Lines | None = None, *, elsewhere: bool = False
) -> Callable[..., None]:
    """Put a function into the frame, as a function that typer can read."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        hub = given.pop("hub") if elsewhere else ""
        wanted = Manners(given.pop("as_json"), given.pop("no_input"), hub)
        token = manners.set(wanted)
        try:
            code = _ended(function, given, lines)
        finally:
            manners.reset(token)
        if code:
            raise typer.Exit(int(code))

    known = inspect.signature(function).parameters.values()
    common = [
        Parameter(word, Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for word, kind in _COMMON.items()
    ]
    if elsewhere:
        hub = Parameter("hub", Parameter.KEYWORD_ONLY, default="", annotation=HubOption)
        common.insert(0, hub)
    run.__signature__ = inspect.Signature([*known, *common])  # type: ignore[attr-defined]
    more = {**_ELSEWHERE, **_COMMON} if elsewhere else _COMMON
    run.__annotations__ = {**function.__annotations__, **more}
    name_values(run)
    return run


def _ended(function: Callable[..., Any], given: dict[str, Any], lines: Lines | None) -> Exit:
    """Run a command to its end, whatever that is, and give its exit code."""
    try:
        told = function(**given)
        if inspect.iscoroutine(told):
            told = asyncio.run(told)
        answer = told if isinstance(told, Answer) else Answer(told)
        if answer.value is not None:
            show(answer.value, answer.lines or lines)
        sys.stdout.flush()
    except FarthingError as error:
        return fail(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # Whoever read our output has heard enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename else ""
        return fail(BadConfig("system-refused", f"{where}{fault.strerror or fault}"))
    except (typer.Exit, typer.Abort):
        raise
    except Exception as fault:
        if TRACE in os.environ:
            raise
        told = f"{type(fault).__name__}: {fault} (set {TRACE}=1 to see where)"
        return fail(InvariantBroken("internal-error", told))
    return answer.code
