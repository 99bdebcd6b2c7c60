"""`farthing explain`: what a code means, and what to do about it."""

import difflib
from typing import Annotated, Any

import typer

from farthing.core.events import EXPLAINED as EVENTS
from farthing.core.refusals import EXPLAINED as REFUSALS
from farthing.core.refusals import Refusal
from farthing.errors import PROBLEM_BASE, Missing
from farthing.explained import consequence, hints
from farthing.explained.log_lines import LINES
from farthing.terminal.exits import EXPLAINED as EXITS
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer
from farthing.terminal.tables import columns

EXIT_CODES = "exit-codes"


def _begun(begun: str) -> list[str]:
    """Complete a code for the shell."""
    return [code for code in sorted(_known()) if code.startswith(begun)]


def explain(
    code: Annotated[
        str,
        typer.Argument(
            help="A problem, a refusal, an event, a log line, exit-3; all [none].",
            autocompletion=_begun,
        ),
    ] = "",
) -> Any:
    """Say what a code means and what to do: a problem, a refusal, an event, a log line, an exit.

    Example: farthing explain mandate-budget
    """
    name = code.strip().removeprefix(PROBLEM_BASE).strip("[]").lower()
    if not name:
        return Answer(sorted(_known()), lambda names: names)
    if name == EXIT_CODES:
        return Answer(_exits(), lambda rows: columns((str(r["exit"]), r["means"]) for r in rows))
    name = f"exit-{name}" if name.isdigit() else name
    # On the command line codes stand in brackets, and x402 writes them with underscores.
    found = (
        _event(name)
        or _line(name)
        or _exit(name)
        or _problem(name)
        or _problem(name.replace("_", "-"))
    )
    if found is None:
        near = difflib.get_close_matches(name, _known(), 3)
        mean = f"did you mean {', '.join(near)}?" if near else "farthing explain lists all of them"
        raise Missing("no-such-code", f"nothing is called {code!r}; {mean}")
    return Answer(found, _lines)


def _known() -> list[str]:
    exits = [f"exit-{number.value}" for number in Exit]
    return [*hints(), *(kind.value for kind in EVENTS), *LINES, *exits, EXIT_CODES]


def _lines(found: dict[str, str]) -> list[str]:
    return [line for name, line in found.items() if name not in ("code", "type")]


def _event(name: str) -> dict[str, str] | None:
    means = next((text for kind, text in EVENTS.items() if kind.value == name), None)
    return {"code": name, "means": f"Event: {means}."} if means else None


def _line(name: str) -> dict[str, str] | None:
    if name not in LINES:
        return None
    line = LINES[name]
    told = {"code": name, "means": f"A line of the log ({line.level}): {line.told}."}
    return {**told, "hint": f"{line.to_do}."} if line.to_do else told


def _exit(name: str) -> dict[str, str] | None:
    row = next((row for row in _exits() if f"exit-{row['exit']}" == name), None)
    return row and {"code": name, "means": f"Exit code {row['exit']}: {row['means']}."}


def _exits() -> list[dict[str, str]]:
    return [{"exit": str(number.value), "means": EXITS[number]} for number in Exit]


def _problem(name: str) -> dict[str, str] | None:
    if name not in hints():
        return None
    told = {"code": name}
    if name in list(Refusal):
        told["means"] = f"A payment was refused: {REFUSALS[Refusal(name)]}."
        told["then"] = consequence(422)
    return {**told, "hint": hints()[name], "type": f"{PROBLEM_BASE}{name}"}
