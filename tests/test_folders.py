"""Folders with secrets in them are nobody else's, whatever the umask says."""

import os
import stat
from pathlib import Path

import pytest

from farthing.folders import private_folder
from tests.cli.runner import Terminal


@pytest.fixture(autouse=True)
def _generous():
    """Let everybody do everything, as some machines do."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_missing_on_the_way_is_made_as_private_as_the_folder(tmp_path: Path):
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    private_folder(there / "a" / "b" / "c")
    made = [there / "a", there / "a" / "b", there / "a" / "b" / "c"]
    assert [mode(folder) for folder in made] == [0o700] * 3
    private_folder(there)
    assert mode(there) == 0o755


def test_a_new_hub_leaves_nothing_open_to_others(tmp_path: Path):
    home = tmp_path / "home" / "farthing"
    assert Terminal(home)("init", "--owner", "Parkside").code == 0
    made = [tmp_path / "home", *(tmp_path / "home").rglob("*")]
    assert home / "hub" / "farthing.db" in made
    assert [str(one) for one in made if mode(one) & 0o077] == []
