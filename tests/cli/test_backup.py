"""A backup is made beside a running hub, proves itself when it comes back, and tells no secrets."""

import json
import tarfile
from pathlib import Path

import pytest

from farthing.errors import Malformed
from farthing.services.copies import read_copy
from tests.e2e.hub_process import HubProcess

from .runner import Terminal


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--json").code == 0
    wallet = terminal("accounts", "open", "USD", "--name", "wallet").out.strip()
    assert terminal("credit", wallet, "10 USD").code == 0
    return terminal


@pytest.fixture
def phrase(tmp_path: Path) -> str:
    file = tmp_path / "phrase"
    file.touch(mode=0o600)
    file.write_text("correct horse battery staple\n")
    return str(file)


def test_a_backup_comes_back_whole_in_another_place_with_its_keys(
    farthing: Terminal, tmp_path: Path, phrase: str
):
    copy = str(tmp_path / "books.backup")
    made = farthing("backup", copy, "--passphrase-file", phrase, "--json")
    assert made.code == 0, made.err
    other = Terminal(tmp_path / "elsewhere")
    back = other("restore", copy, "--passphrase-file", phrase, "--json")
    assert back.code == 0, back.err + back.out
    assert json.loads(back.out)["lost"] == 0
    assert other("balances").out == farthing("balances").out
    assert other("audit").code == 0
    keys = tmp_path / "elsewhere" / "hub" / "keys"
    put_back = [*keys.iterdir(), keys.with_name("heads.log"), keys.with_name("farthing.db")]
    assert {file.stat().st_mode & 0o777 for file in put_back} == {0o600}


def test_no_key_is_in_a_backup_in_clear(farthing: Terminal, tmp_path: Path, phrase: str):
    for more in ([], ["--passphrase-file", phrase]):
        copy = tmp_path / "books.backup"
        assert farthing("backup", str(copy), *more).code == 0
        raw = copy.read_bytes()
        assert copy.stat().st_mode & 0o777 == 0o600
        for key in (tmp_path / "home" / "hub" / "keys").glob("*.key"):
            for word in key.read_bytes().split():
                assert len(word) < 40 or word not in raw
    other = Terminal(tmp_path / "elsewhere")
    wrong = tmp_path / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("incorrect horse battery staple")
    told = other("restore", str(copy), "--passphrase-file", str(wrong))
    assert (told.code, "wrong-passphrase" in told.err) == (8, True)


def test_a_changed_or_cut_backup_is_refused_and_nothing_is_put_in_place(
    farthing: Terminal, tmp_path: Path
):
    copy = tmp_path / "books.backup"
    assert farthing("backup", str(copy)).code == 0
    whole = copy.read_bytes()
    row = whole.index((10_000_000).to_bytes(4, "big"))
    spoiled = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "noise": b"\x00" * 20_000,
        "money": whole[:row] + (20_000_000).to_bytes(4, "big") + whole[row + 4 :],
    }
    for name, raw in spoiled.items():
        copy.write_bytes(raw)
        other = Terminal(tmp_path / name)
        told = other("restore", str(copy))
        assert told.code != 0, name
        assert not (tmp_path / name / "hub" / "farthing.db").exists(), name


def test_a_backup_with_anything_else_in_it_writes_nothing(tmp_path: Path):
    file, folder = tmp_path / "evil.tar", tmp_path / "out"
    folder.mkdir()
    with tarfile.open(file, "w") as tar:
        tar.add(__file__, "../../escape")
    with pytest.raises(Malformed):
        read_copy(file, folder)
    assert list(folder.iterdir()) == []


def test_books_that_are_there_are_never_overwritten_unasked(farthing: Terminal, tmp_path: Path):
    copy = str(tmp_path / "books.backup")
    assert farthing("backup", copy).code == 0
    assert "books-exist" in farthing("restore", copy).err
    forced = farthing("restore", copy, "--force", "--no-input")
    assert (forced.code, "input-needed" in forced.err) == (8, True)
    wallet = farthing("accounts", "list", "--json").out
    assert farthing("credit", json.loads(wallet)[0]["id"], "1 USD").code == 0
    done = farthing("restore", copy, "--force", "--yes", "--json")
    assert (done.code, json.loads(done.out)["lost"]) == (0, 1)
    assert list((tmp_path / "home" / "hub").glob("farthing.db.before-*"))
    assert "accept-rollback" in done.err
    assert "books-rolled-back" in farthing("balances").err, "lost payments are never passed over"


def test_a_backup_is_made_while_payments_go_on(tmp_path: Path):
    with HubProcess(tmp_path) as hub:
        wallet = hub.account("wallet")
        copy = tmp_path / "books.backup"
        for _ in range(3):
            hub.run("credit", wallet, "1 USD")
            hub.run("backup", str(copy))
        hub.run("credit", wallet, "1 USD")
        refused = hub.run("restore", str(copy), ok=False)
        assert "hub-running" in refused.stderr
    other = Terminal(tmp_path / "elsewhere")
    assert other("restore", str(copy)).code == 0
    assert "3 USD" in other("balances").out or "hub-not-initialised" in other("balances").err


def test_an_upgrade_is_tried_on_a_copy(farthing: Terminal, tmp_path: Path):
    before = (tmp_path / "home" / "hub" / "farthing.db").read_bytes()
    told = farthing("upgrade-check", "--json")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert (found["schema"], found["would_apply"], found["audit"]) == (found["newest"], [], "ok")
    assert (tmp_path / "home" / "hub" / "farthing.db").read_bytes() == before


def test_books_that_are_not_in_a_file_alone_are_backed_up_otherwise(
    farthing: Terminal, tmp_path: Path
):
    elsewhere = farthing.home / "hub" / "elsewhere.toml"
    for told, code, what in (
        ('engine = "tigerbeetle"\naddresses = "127.0.0.1:1"', "backup-of-cluster", "replicas"),
        ('engine = "postgresql"\ndsn = "dbname=x"', "backup-of-postgresql", "pg_dump"),
    ):
        elsewhere.write_text(f"[books]\n{told}\n")
        for command in ("backup", "restore"):
            said = farthing(command, str(tmp_path / "copy"), "--config", str(elsewhere))
            assert (said.code, code in said.err, what in said.err) == (8, True, True), said
    assert not (tmp_path / "copy").exists()
