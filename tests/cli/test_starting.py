"""What stops a start: said in one line, before anything is made, and mended by the same command."""

import json
import socket
from pathlib import Path

import pytest

from .runner import Terminal


def test_an_init_that_could_not_reach_its_books_goes_on_when_it_can(tmp_path: Path):
    folder = tmp_path / "home" / "hub"
    folder.mkdir(parents=True)
    settings = folder / "farthing.toml"
    settings.write_text('[books]\nengine = "postgresql"\ndsn = "host=/nowhere user=x dbname=x"\n')
    terminal = Terminal(tmp_path / "home")
    assert "store-unreachable" in terminal("init").err
    root = (folder / "keys" / "root.key").read_text()
    settings.unlink()
    assert terminal("init").out.startswith("fk_")
    assert (folder / "keys" / "root.key").read_text() == root
    assert len(json.loads(terminal("owners", "list", "--json").out)) == 1
    assert "hub-exists" in terminal("init").err


def test_an_address_in_use_is_named_and_leaves_nothing_behind(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = Terminal(tmp_path / "home")("serve", "--port", str(port))
    assert (told.code, told.out) == (8, "")
    assert f"127.0.0.1:{port}" in told.err
    assert "address-in-use" in told.err
    assert not (tmp_path / "home" / "hub" / "keys").exists()


@pytest.mark.parametrize("command", ["serve", "proxy"])
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, command: str):
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    words = [command]
    if command == "proxy":
        words += ["--upstream", "http://127.0.0.1:1", "--payee", "acc_" + "0" * 26]
    for file in (tmp_path / "missing.pem", nonsense):
        options = ["--port", "0", "--tls-cert", str(file), "--tls-key", str(file)]
        told = Terminal(tmp_path / "home")(*words, *options)
        assert (told.code, told.out) == (8, "")
        assert str(file) in told.err
        assert "tls-unusable" in told.err


def test_the_version_is_told(tmp_path: Path):
    told = Terminal(tmp_path)("--version")
    assert told.code == 0
    assert told.out.startswith("farthing ")


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("balances",)], ids=["serve", "ask"])
@pytest.mark.parametrize("asset", ["", "EUR"], ids=["unknown", "another asset"])
def test_a_hub_does_not_start_with_fees_for_an_account_that_cannot_have_them(
    tmp_path: Path, command: tuple[str, ...], asset: str
):
    terminal = Terminal(tmp_path / "home")
    assert terminal("init").code == 0
    till = terminal("accounts", "open", asset).out.strip() if asset else "acc_" + "0" * 26
    settings = tmp_path / "home" / "hub" / "farthing.toml"
    settings.write_text(f'[log]\nformat = "json"\n\n[fees.USD]\naccount = "{till}"\nppm = 1\n')
    told = terminal(*command)
    assert (told.code, told.out) == (8, "")
    assert f"{settings}, line 5: there is no account {till} here that counts USD" in told.err
    assert "fee-account-unknown" in told.err
    settings.unlink()
    assert terminal("balances").code == 0


def test_fees_are_shown_among_the_settings(tmp_path: Path):
    terminal = Terminal(tmp_path / "home")
    assert terminal("init").code == 0
    till = terminal("accounts", "open", "USD").out.strip()
    settings = tmp_path / "home" / "hub" / "farthing.toml"
    settings.write_text(f'[fees.USD]\naccount = "{till}"\nminimum = "0.1 USD"\n')
    assert terminal("balances").code == 0
    rows = {row["setting"]: row for row in json.loads(terminal("config", "show", "--json").out)}
    assert rows["fees"]["from"] == str(settings)
    assert rows["fees"]["value"]["USD"]["minimum"] == "0.1 USD"
    assert rows["assets"]["from"] == "default"
