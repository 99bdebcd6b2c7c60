"""How a command looks in `--help`: what kind of value an option takes, and its first sentence."""

import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo

_WORDS: dict[Any, str] = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}


def first_sentence(function: Callable[..., Any]) -> str:
    """Give what a command does in one sentence, whole, for a list of commands."""
    told = (function.__doc__ or "").strip().partition("\n\n")[0]
    return re.split(r"(?<=[.])\s", " ".join(told.split()), maxsplit=1)[0]


def name_values(function: Callable[..., Any]) -> None:
    """Say of every option and argument what it takes, in capitals, where it does not say so."""
    for name, hint in function.__annotations__.items():
        if get_origin(hint) is not Annotated:
            continue
        kind, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, OptionInfo) and note.metavar is None:
                note.metavar = _WORDS.get(_one(kind))
            elif isinstance(note, ArgumentInfo) and note.metavar is None:
                note.metavar = name.upper() + ("..." if get_origin(kind) is list else "")


def _one(kind: Any) -> Any:
    """Give the type of one value: of `list[str] | None`, `str`."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    return get_args(kind)[0] if get_origin(kind) is list else kind
