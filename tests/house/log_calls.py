"""Every call that writes a log line, found in the code itself."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .reference import ROOT

_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_WRITERS = {"log_lines.py"}


@dataclass(frozen=True)
class LogCall:
    """One call. Shape: `line` is empty where it is not written down as plain text."""

    place: str
    line: str
    level: str
    facts: frozenset[str]


def log_calls() -> Iterator[LogCall]:
    """Walk through the code of the package."""
    for file in sorted((ROOT / "src" / "farthing").rglob("*.py")):
        if file.name not in _WRITERS:
            place = str(file.relative_to(ROOT / "src"))
            yield from calls_in(file.read_text(), place)


def calls_in(code: str, place: str) -> Iterator[LogCall]:
    """Find the calls in one file."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and _writes(node.func):
            yield _call(node, f"{place}:{node.lineno}")


def _writes(func: ast.expr) -> bool:
    if not isinstance(func, ast.Attribute) or func.attr not in _LEVELS:
        return False
    owner = func.value
    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    return name in ("log", "_log", "logger", "_logger", "logging")


def _call(node: ast.Call, place: str) -> LogCall:
    first = node.args[0] if len(node.args) == 1 else None
    line = first.value if isinstance(first, ast.Constant) else ""
    level = node.func.attr
    facts = {keyword.arg or "**" for keyword in node.keywords}
    if level == "exception" or "fault" in facts or "exc_info" in facts:
        facts = facts - {"fault", "exc_info"} | {"exception"}
    level = "error" if level == "exception" else level
    return LogCall(place, str(line), level, frozenset(facts))


def event_facts() -> set[str]:
    """Name every fact that the core puts into an event's body."""
    found: set[str] = set()
    for file in sorted((ROOT / "src" / "farthing" / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            name = getattr(getattr(node, "func", None), "id", "")
            if name == "body_of":
                found |= {keyword.arg for keyword in node.keywords}
            elif name == "Fact" and isinstance(node.args[-1], ast.Dict):
                found |= {key.value for key in node.args[-1].keys}
    return found
