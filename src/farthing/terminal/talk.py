"""How commands talk: data to stdout, talk to stderr, and never a traceback."""

import getpass
import json
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from farthing.errors import BadConfig, FarthingError
from farthing.terminal.exits import Exit, exit_of

Lines = Callable[[Any], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Manners:
    """How this command was asked to talk: `--json`, `--no-input`; and with whom: `--hub`."""

    as_json: bool = False
    no_input: bool = False
    hub: str = ""


manners: ContextVar[Manners] = ContextVar("manners", default=Manners())  # noqa: B039 - frozen


_UNSEEN = [*range(32), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F)]
_MARKS = [*_UNSEEN, *range(0x2066, 0x206A)]
_SHOWN = {code: f"\\u{code:04x}" for code in _MARKS if chr(code) not in "\n\t"}


def plain(text: str) -> str:
    """Spell out what would steer a terminal or turn the reading direction: others wrote the text.

    Shape: as JSON spells it, so that JSON stays what it is.
    """
    return text.translate(_SHOWN)


def say(text: str) -> None:
    """Tell the person at the terminal something; scripts read stdout and do not see it."""
    print(plain(text), file=sys.stderr)


def show(value: Any, lines: Lines | None = None) -> None:
    """Print data: as `lines` for a person, as JSON with `--json` or where there are no lines."""
    if lines is None or manners.get().as_json:
        print(plain(json.dumps(value, indent=2, ensure_ascii=False)))
        return
    for line in lines(value):
        print(plain(line))


def emit(value: Any, line: str) -> None:
    """Print one item of a stream at once: the line, or one line of JSON with `--json`."""
    told = json.dumps(value, ensure_ascii=False) if manners.get().as_json else line
    print(plain(told), flush=True)


def fail(error: FarthingError) -> Exit:
    """Say what went wrong and what to do, and give the exit code."""
    if manners.get().as_json:
        say(json.dumps({"error": error.problem()}, ensure_ascii=False))
        return exit_of(error)
    say(f"farthing: {error.detail or error.title} [{error.code}]")
    hint = error.problem().get("hint")
    if hint:
        say(f"  {hint}")
    payment = error.more.get("payment")
    if payment:
        say(f"  The payment is {payment}.")
    return exit_of(error)


def confirm(question: str, *, instead: str) -> bool:
    """Ask a yes-or-no question at a terminal; `instead` is what a script says beforehand.

    Raises: BadConfig `input-needed` where nobody can answer.
    """
    if manners.get().no_input or not sys.stdin.isatty():
        raise BadConfig("input-needed", f"{question} Nobody can answer here: give {instead}")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def can_ask() -> bool:
    """Tell whether somebody at a terminal can be asked."""
    return not manners.get().no_input and sys.stdin.isatty()


def ask_secret(question: str, instead: str) -> bytes:
    """Ask for a secret at the terminal, without showing it; `instead` is what a script does.

    Raises: BadConfig `passphrase-needed` where nobody can answer.
    """
    if can_ask():
        answer = getpass.getpass(question, sys.stderr).strip()
        if answer:
            return answer.encode()
    detail = f"{question.rstrip(': ')} is needed: {instead}"
    raise BadConfig("passphrase-needed", detail)
