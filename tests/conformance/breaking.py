"""Breaking the code on purpose: what is broken, and a copy of the code in which it is.

A break stands in `breaks/*.toml`: the rules that it breaks, a file of `src/farthing`, a text that
stands there once, and what takes its place. It is made in a copy that comes first on the import
path of a process of its own, never in the code itself.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.effort import ALL_DRAWN

from .rules import shown

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "farthing"
FOLDER = Path(__file__).parent / "breaks"
SECONDS_MAX, SECONDS_A_TEST = 90, 10
"""How long a run may take: so long, and so much for each test in it."""
_ENDED = re.compile(r"^(?:FAILED|ERROR) tests/(\S+?)(?:\[| |$)", re.MULTILINE)


class Break(NamedTuple):
    """One way to break the code.

    Shape: `seen_by` names tests of its rules; `slow` ones are drawn by `make prove` alone.
    """

    rules: list[str]
    file: str
    old: str
    new: str
    seen_by: list[str]
    slow: bool = False

    @property
    def name(self) -> str:
        """Say what it is."""
        return f"{self.rules[0]} in {self.file}: {self.old.strip().splitlines()[0][:50]}"

    @property
    def tests(self) -> list[str]:
        """Give the tests that must see it."""
        named = sorted({one.test for one in shown() if one.rule in self.rules})
        return [test for test in named if test.partition("::")[2] in self.seen_by]


@functools.cache
def breaks() -> list[Break]:
    """Read every break."""
    files = sorted(FOLDER.glob("*.toml"))
    return [Break(**one) for file in files for one in tomllib.loads(file.read_text())["break"]]


def broken_copy(one: Break | None, folder: Path) -> Path:
    """Copy the code, with one break in it; give the folder to import from.

    Raises: AssertionError if the text that it changes does not stand there once.
    """
    shutil.copytree(SOURCE, folder / "farthing")  # What is compiled already stays good.
    if one is not None:
        file = folder / "farthing" / one.file
        text = file.read_text()
        assert text.count(one.old) == 1, f"write this break anew: {one.name}"
        file.write_text(text.replace(one.old, one.new))
    return folder


class Starter:
    """A process that has everything imported but our own code, and runs tests on copies of it."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "said"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.starter"],
            cwd=ROOT,
            env={**os.environ, **ALL_DRAWN, "COLUMNS": "300"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seen(self, tests: list[str], source: Path, seconds: int = 0) -> tuple[set[str], str]:
        """Run tests on a copy of the code; give those that failed, and what was said.

        Raises: AssertionError if they do not end in time: code that hangs is no verdict.
        """
        seconds = seconds or SECONDS_MAX + len(tests) * SECONDS_A_TEST
        arguments = ["-q", "--tb=short", "-rfE", "-m", "not prove", "-p", "no:xdist"]
        arguments += [f"--basetemp={source / 'tmp'}", *(f"tests/{test}" for test in tests)]
        asks, tells = self._process.stdin, self._process.stdout
        assert asks is not None and tells is not None
        print(json.dumps([str(source), str(self._said), seconds, arguments]), file=asks, flush=True)
        code, told = tells.readline().strip(), self._said.read_text(errors="replace")
        # 0: all passed, 1: some failed; anything else is no verdict of a test.
        assert code in ("0", "1"), f"exit {code} in {seconds} s: {told[-3000:]}"
        return set(_ENDED.findall(told)), told

    def close(self) -> None:
        """End it."""
        self._process.communicate()
