"""Shells complete commands, options and codes: by scripts that each of them runs for real."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SHELLS = ("bash", "zsh", "fish")
TYPED = {
    "farthing accou": "accounts",
    "farthing mandates cre": "create",
    "farthing pay --max": "--max",
    "farthing explain mandate-lar": "mandate-largest",
}
"""What is typed before Tab, and what becomes of its last word."""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """A shell that is installed here."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed; debian-packages.txt names it")
    return request.param


def surroundings(home: Path) -> dict[str, str]:
    path = f"{BIN}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "TERM": "dumb", "LANG": "C.UTF-8"}


def run(shell: str, script: str, home: Path) -> subprocess.CompletedProcess[str]:
    told = surroundings(home)
    return subprocess.run(
        [shell, "-c", script], env=told, cwd=home, capture_output=True, text=True, timeout=60
    )


def install(shell: str, home: Path) -> Path:
    """Install completion as one does, and give the script that was written."""
    done = run(shell, "farthing --install-completion; true", home)
    assert f"{shell} completion installed" in done.stdout, done.stderr
    [script] = [file for file in home.rglob("*farthing*") if file.is_file()]
    assert str(script) in done.stdout
    return script


def test_each_shell_is_given_a_script_that_it_can_read(shell: str, tmp_path: Path):
    script = install(shell, tmp_path)
    read = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True)
    assert (read.returncode, read.stderr) == (0, "")


def test_fish_is_told_how_a_word_goes_on(tmp_path: Path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed; debian-packages.txt names it")
    install("fish", tmp_path)
    done = run("fish", "complete -C 'farthing mandates cre'", tmp_path)
    words = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert words == ["create"], done.stderr


def test_words_are_completed_while_one_types_in_bash(tmp_path: Path):
    install("bash", tmp_path)
    with Typist(tmp_path) as typist:
        for typed, completed in TYPED.items():
            assert typist.types(typed).endswith(f"{completed} ")


class Typist:
    """Somebody at an interactive bash."""

    def __init__(self, home: Path) -> None:
        child, self._terminal = pty.fork()
        if child == 0:
            os.chdir(home)
            os.execvpe("bash", ["bash", "-i"], surroundings(home) | {"PS1": "ready> "})
        self._child = child

    def __enter__(self) -> "Typist":
        self._until(r"\$ |# |> ")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)
        os.waitpid(self._child, 0)

    def types(self, text: str) -> str:
        """Type, press Tab, and read the line that stands there then."""
        os.write(self._terminal, b"\x15" + text.encode() + b"\t")  # Ctrl-U empties the line.
        return self._until(re.escape(text.rpartition(" ")[2]) + r"\S* ")

    def _until(self, pattern: str) -> str:
        seen, ends = "", time.monotonic() + 60
        while not re.search(pattern, seen):
            assert time.monotonic() < ends, seen
            if select.select([self._terminal], [], [], 0.1)[0]:
                seen += os.read(self._terminal, 4096).decode(errors="replace")
        return seen
