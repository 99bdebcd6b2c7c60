"""The rules that a server keeps to, and the tests that name them; both are read as text.

A rule stands in `rules/*.toml`: its id, source and place there, how binding it is there, what it
says in our words, and on which surfaces it holds (`hub`, `middleware`, `proxy`; a server where it
is about bytes: `uvicorn`, `granian`). A rule about something that does not exist yet has `later`
instead, and one that we keep in part has `part`: each says why.

A test names what it shows by `@pytest.mark.rule("id", ..., on="surfaces")`. A test that takes the
fixture `place` is run before the middleware and the proxy, and need not say so.
"""

import ast
import functools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "rules"
TESTS = Path(__file__).parents[1]
FILES = ("mpp", "mpp_intents", "x402", "rfc", "owasp", "asvs", "farthing", "traps")
SURFACES = ("hub", "middleware", "proxy", "uvicorn", "granian")
PLACES = ("middleware", "proxy")


class Rule(NamedTuple):
    """One demand. Shape: exactly one of `on`, `later` and `part` says something."""

    id: str
    where: str
    says: str
    level: str = ""
    on: str = ""
    later: str = ""
    part: str = ""
    note: str = ""
    unbroken: str = ""

    @property
    def surfaces(self) -> list[str]:
        """Where it holds."""
        return self.on.split()


class Chapter(NamedTuple):
    """The rules of one source."""

    title: str
    source: str
    rules: list[Rule]


class Shown(NamedTuple):
    """A test that names a rule, and where it looks. Shape: `test` is `folder/test_x.py::test_y`."""

    rule: str
    test: str
    surfaces: list[str]


@functools.cache
def chapters() -> list[Chapter]:
    """Read every file of rules."""
    read = [tomllib.loads((FOLDER / f"{name}.toml").read_text()) for name in FILES]
    return [Chapter(one["title"], one["source"], [Rule(**r) for r in one["rule"]]) for one in read]


def all_rules() -> list[Rule]:
    """Give every rule."""
    return [rule for chapter in chapters() for rule in chapter.rules]


@functools.cache
def shown() -> list[Shown]:
    """Find every test that names a rule."""
    found: list[Shown] = []
    for file in sorted(TESTS.rglob("test_*.py")):
        text = file.read_text()
        if "mark.rule(" in text:
            found += _shown_in(file.relative_to(TESTS).as_posix(), ast.parse(text))
    return found


def _shown_in(name: str, tree: ast.Module) -> Iterator[Shown]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
                    surfaces = _surfaces(node, mark)
                    for told in mark.args:
                        yield Shown(ast.literal_eval(told), f"{name}::{node.name}", surfaces)


def _surfaces(node: ast.FunctionDef | ast.AsyncFunctionDef, mark: ast.Call) -> list[str]:
    said = {keyword.arg: ast.literal_eval(keyword.value) for keyword in mark.keywords}
    if "on" in said:
        return said["on"].split()
    taken = {argument.arg for argument in node.args.args}
    return list(PLACES) if "place" in taken else []
