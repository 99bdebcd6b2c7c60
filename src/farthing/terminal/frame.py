"""The frame around every command: `--json`, `--no-input`, and how it ends.

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

from farthing.errors import BadConfig, FarthingError
from farthing.terminal.exits import Exit
from farthing.terminal.talk import Lines, Manners, fail, manners, show

F = TypeVar("F", bound=Callable[..., Any])

_COMMON = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print data as JSON.")],
    "no_input": Annotated[bool, typer.Option("--no-input", help="Never ask; fail instead.")],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Data to print, how to print it for a person, and how the command ends."""

    value: Any
    lines: Lines | None = None
    code: Exit = Exit.OK


def command(
    app: typer.Typer, name: str | None = None, *, lines: Lines | None = None
) -> Callable[[F], F]:
    """Add a function to an app as a command in the frame.

    Shape:  what it returns is printed: as `lines(value)` for a person, as JSON with `--json` or
            without `lines`; nothing if it is None. an `Answer` says more.
    """

    def add(function: F) -> F:
        app.command(name)(framed(function, lines))
        return function

    return add


def framed(function: Callable[..., Any], lines: Lines | None = None) -> Callable[..., None]:
    """Put a function into the frame, as a function that typer can read."""

    @functools.wraps(function)
    def run(**given: Any) -> None:
        wanted = Manners(given.pop("as_json"), given.pop("no_input"))
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
    run.__signature__ = inspect.Signature([*known, *common])  # type: ignore[attr-defined]
    run.__annotations__ = {**function.__annotations__, **_COMMON}
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
    return answer.code
