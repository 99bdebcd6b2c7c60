"""The doctor finds what was broken on purpose, says what to do, and changes nothing."""

import json
from pathlib import Path

import pytest

from tests.e2e.hub_process import HubProcess

from .runner import Terminal

STATES = ("ok", "warn", "fail")


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--json").code == 0
    return terminal


def looked(farthing: Terminal, *more: str, code: int = 0) -> dict[str, dict[str, str]]:
    told = farthing("doctor", "--offline", "--json", *more)
    assert told.code == code, told.out + told.err
    worst: dict[str, dict[str, str]] = {}
    for found in json.loads(told.out):
        before = worst.get(found["what"], {"state": "ok"})["state"]
        if STATES.index(found["state"]) >= STATES.index(before):
            worst[found["what"]] = found
    return worst


def test_a_new_hub_is_well(farthing: Terminal):
    found = looked(farthing)
    for what in ("clock", "keys", "disk sync", "books", "books' pages", "network"):
        assert found[what]["state"] in ("ok", "warn"), found[what]
    assert found["heads"]["state"] == "warn", "books and heads are on one disk here"
    assert "→ put [audit] heads_path on another disk" in farthing("doctor", "--offline").out


def test_open_keys_are_found(farthing: Terminal, tmp_path: Path):
    key = tmp_path / "home" / "hub" / "keys" / "root.key"
    key.chmod(0o644)
    found = looked(farthing, code=6)["keys"]
    assert (found["state"], str(key) in found["do"]) == ("fail", True)


def test_torn_books_are_found(farthing: Terminal, tmp_path: Path):
    books = tmp_path / "home" / "hub" / "farthing.db"
    raw = bytearray(books.read_bytes())
    raw[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    books.write_bytes(raw)
    told = farthing("doctor", "--offline", "--json")
    assert told.code == 6, told.out


def test_a_clock_behind_the_books_is_found(farthing: Terminal, tmp_path: Path):
    heads = tmp_path / "home" / "hub" / "heads.log"
    lines = heads.read_text().splitlines()
    assert looked(farthing)["clock"]["state"] == "ok"
    heads.write_text("\n".join([*lines[:-1], lines[-1][:40]]) + "\n")
    told = farthing("doctor", "--offline", "--json")
    assert told.code == 6
    assert any("no head" in f["seen"] for f in json.loads(told.out))


def test_faults_of_the_configuration_come_first(farthing: Terminal, tmp_path: Path):
    (tmp_path / "home" / "hub" / "farthing.toml").write_text("[server]\nprot = 1\n")
    found = looked(farthing, code=6)
    assert list(found) == ["configuration"]
    assert "did you mean port?" in found["configuration"]["seen"]


def test_a_price_file_is_looked_at(farthing: Terminal, tmp_path: Path):
    file = tmp_path / "prices.toml"
    file.write_text('[[offer]]\npath = "/a"\nprice = "much"\n')
    told = farthing("doctor", "--offline", "--prices", str(file))
    assert (told.code, "line 3" in told.out) == (6, True)


def test_a_running_hub_is_asked(tmp_path: Path):
    with HubProcess(tmp_path) as hub:
        told = json.loads(hub.run("doctor", "--json").stdout)
        [found] = [one for one in told if one["what"] == "hub"]
        assert (found["state"], "ready" in found["seen"]) == ("ok", True)
