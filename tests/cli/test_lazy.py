"""A command imports what it needs: asking for help does not load a hub, nor paying a database."""

import os
import re
import subprocess
import sys

import pytest

from farthing.cli.table import TABLE
from farthing.terminal.help_text import first_sentence

from .runner import Terminal

HEAVY = {"apsw", "cryptography", "httpx", "msgspec", "nacl", "prometheus_client", "rich", "uvicorn"}
OF_A_HUB = {"apsw", "httptools", "prometheus_client", "structlog", "uvicorn"}


def imported_by(*words: str) -> set[str]:
    """Run a command in a process of its own, and give the packages that it imported."""
    program = "import sys; from farthing.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version_load_nothing_heavy(words: list[str]):
    assert not imported_by(*words) & HEAVY


@pytest.mark.parametrize(
    "words", [["pay", "--help"], ["enrol", "--help"], ["rotate-key", "--help"]]
)
def test_a_device_loads_nothing_of_a_hub(words: list[str]):
    assert not imported_by(*words) & OF_A_HUB


@pytest.mark.parametrize("words", [["balances", "--help"], ["accounts", "list", "--help"]])
def test_a_command_that_asks_a_hub_is_none(words: list[str]):
    assert not imported_by(*words) & {"apsw", "uvicorn"}


@pytest.mark.parametrize("later", TABLE, ids=lambda later: later.name)
def test_the_list_of_commands_says_what_a_command_says_of_itself(later):
    command = later.command()
    own = command.short_help or command.help
    assert later.told == own
    if not hasattr(command, "commands"):
        assert later.told == first_sentence(command.callback)


def test_a_word_that_is_almost_a_command_is_told_so(tmp_path):
    told = Terminal(tmp_path)("balnces")
    assert told.code == 2
    assert re.search(r"No such command 'balnces'.*'balances'", told.err)
