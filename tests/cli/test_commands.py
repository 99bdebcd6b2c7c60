"""Commands without a running hub: what they print, and how they refuse."""

import asyncio
import json
from pathlib import Path

import pytest

from farthing.cli.local import ask, local_client
from farthing.config import load_config

from .runner import Terminal


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    """A terminal beside a new hub."""
    terminal = Terminal(tmp_path / "home")
    made = terminal("init", "--json", "--owner", "Parkside")
    assert made.code == 0, made.err
    return terminal


def test_a_new_hub_keeps_its_keys_to_itself_and_shows_the_api_key_once(tmp_path: Path):
    terminal = Terminal(tmp_path / "home")
    made = terminal("init")
    key = made.out.strip()
    assert key.startswith("fk_")
    assert key not in made.err
    keys = tmp_path / "home" / "hub" / "keys"
    assert {file.stat().st_mode & 0o777 for file in keys.iterdir()} == {0o600}
    database = (tmp_path / "home" / "hub" / "farthing.db").read_bytes()
    assert key.encode() not in database
    again = terminal("init")
    assert (again.code, "hub-exists" in again.err, again.out) == (8, True, "")


def test_accounts_are_opened_credited_frozen_and_shown(farthing: Terminal):
    account = farthing("accounts", "open", "USD", "--name", "till").out.strip()
    assert account.startswith("acc_")
    credited = farthing("credit", account, "10 USD")
    assert credited.err.strip() == f"{account} got 10 USD of test money"
    assert account in (shown := farthing("balances").out)
    assert "10 USD" in shown
    assert json.loads(farthing("accounts", "freeze", account, "--json").out)["state"] == "frozen"
    refused = farthing("credit", account, "1 USD")
    assert (refused.code, refused.out) == (10, "")
    assert json.loads(farthing("accounts", "unfreeze", account, "--json").out)["state"] == "open"
    [item] = json.loads(farthing("balances", "--json").out)
    assert item["balance"]["available"] == "10000000"


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([], "anything in USD"),
        (["--largest", "0.5 USD"], "at most 0.5 USD"),
        (["--budget", "5 USD/day", "--budget", "20 USD/month"], "5 USD/day, 20 USD/month"),
        (["--ask-above", "3 USD"], "asks above 3 USD"),
        (["--hours", "22:00-06:00", "--category", "power"], "only power, only 22:00-06:00"),
        (["--expires", "2099-01-01T00:00:00Z"], "until 2099-01-01T00:00:00Z"),
    ],
)
def test_every_mandate_can_be_listed_with_what_it_allows(
    farthing: Terminal, rules: list[str], told: str
):
    mandate = farthing("mandates", "create", "USD", "--name", "till", *rules).out.strip()
    shown = farthing("mandates", "list")
    assert (shown.code, shown.out.split()) == (0, [mandate, "open", "till", *told.split()])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["credit", "acc_x", "10 USD"], 9, "no-such-account"),
        (["credit", "acc_" + "0" * 26, "10 USD"], 9, "no-such-account"),
        (["credit", "acc_" + "0" * 26, "0.0000001 USD"], 2, "never rounded"),
        (["credit", "acc_" + "0" * 26, "10 XYZ"], 2, "this hub does not know XYZ"),
        (["credit", "acc_" + "0" * 26, "-1 USD"], 2, "No such option"),
        (["accounts", "open", "XYZ"], 9, "unknown-asset"),
        (["accounts", "freeze", "acc_" + "0" * 26], 9, "no-such-account"),
        (["accounts", "freeze", "../../v1/owners"], 2, "is no id"),
        (["mandates", "create", "USD", "--budget", "5 USD"], 2, "malformed-budget"),
        (["mandates", "create", "USD", "--budget", "5 USD/year"], 2, "malformed-period"),
        (["mandates", "create", "USD", "--hours", "9-5"], 2, "malformed-hours"),
        (["mandates", "create", "USD", "--largest", "5 EUR"], 2, "asset-mismatch"),
        (["mandates", "create", "USD", "--ask-above", "5 EUR"], 2, "asset-mismatch"),
        (["mandates", "create", "USD", "--budget", "5 EUR/day"], 2, "asset-mismatch"),
        (["mandates", "revoke", "man_x"], 9, "no-such-mandate"),
        (["devices", "revoke", "dev_x"], 9, "no-such-device"),
        (["keys", "create", "root"], 2, "invalid-body"),
        (["keys", "revoke", "key_x"], 9, "no-such-key"),
        (["payments", "--state", "paid"], 2, "invalid-filter"),
        (["payments", "--state", "held&role=x"], 2, "invalid-filter"),
        (["receipt", "verify", "/nowhere.json"], 8, "/nowhere.json"),
        (["receipt", "verify", "/dev/null"], 2, "/dev/null: this is not JSON"),
        (["owners", "create", " "], 2, "such as"),
        (["keys", "create", "seler"], 2, "must be one of metrics, operator, owner, read, seller"),
        (["audit", "--root-key", "foo"], 2, "malformed-key"),
        (["backup", "/"], 8, "is a folder"),
        (["backup", "/nowhere/x.backup"], 8, "there is no folder /nowhere"),
        (["restore", "/nowhere.backup"], 8, "backup-missing"),
        (["prices", "check", "/nowhere.toml"], 8, "/nowhere.toml"),
        (["enrol", "hub.example", "CODE"], 2, "is no URL like https://hub.example"),
        (["enrol", "ftp://hub.example", "CODE"], 2, "is no URL like"),
        (["api", "GET", "/v1/accounts", "--hub", "hub.example"], 2, "is no URL like"),
        (["api", "BREW", "/v1/accounts"], 2, "method-not-allowed"),
        (["api", "😀", "/v1/accounts"], 2, "is no method, such as GET"),
        (["proxy", "--upstream", "http://127.0.0.1:1", "--payee", "acc_x"], 2, "malformed-id"),
        (["pay", "http://127.0.0.1:1/", "-X", "GE T"], 2, "is no method, such as GET"),
        (["balances", "--hub", "http://hub.example"], 2, "not-private"),
        (["explain", "nope"], 9, "no-such-code"),
        (["accounts", "list", "--config", "/nowhere.toml"], 8, "config-missing"),
        (
            ["proxy", "--upstream", "http://127.0.0.1:1", "--payee", "acc_" + "0" * 26],
            7,
            "hub-not-running",
        ),
        (["credit"], 2, "Missing argument"),
        (["fly"], 2, "No such command"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_do(
    farthing: Terminal, words: list[str], code: int, said: str
):
    told = farthing(*words, FARTHING_KEY="fk_x")
    assert (told.code, told.out) == (code, "")
    assert said in told.err


@pytest.mark.parametrize("command", ["balances", "hub-keys rotate", "hub-keys rotate-challenges"])
def test_without_a_hub_commands_say_how_to_make_one(tmp_path: Path, command: str):
    told = Terminal(tmp_path)(*command.split())
    assert (told.code, told.out) == (8, "")
    assert f"there is no hub in {tmp_path / 'hub'}" in told.err
    assert "farthing init" in told.err
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize("options", [["--owner", " "], ["--time-zone", "Mars"]])
def test_an_owner_that_cannot_be_is_refused_before_a_hub_is_made(
    tmp_path: Path, options: list[str]
):
    told = Terminal(tmp_path)("init", *options)
    assert (told.code, told.out) == (2, "")
    assert not (tmp_path / "hub").exists()


def test_a_list_is_given_to_its_end_and_an_empty_one_says_so(farthing: Terminal):
    none = farthing("devices", "list")
    assert (none.code, none.out) == (0, "")
    assert "No devices yet: farthing devices invite" in none.err
    assert json.loads(farthing("devices", "list", "--json").out) == []
    assert "No fees in that time." in farthing("fees", "--per", "all").err
    assert "per is one of" in farthing("fees", "--per", "week").err

    async def many() -> None:
        async with local_client(load_config(farthing.home / "hub" / "farthing.toml")) as client:
            owner = (await ask(client, "GET", "/v1/owners"))["items"][0]["id"]
            for _ in range(510):
                await ask(client, "POST", "/v1/accounts", {"asset": "USD", "owner": owner})

    (farthing.home / "hub" / "farthing.toml").touch()
    asyncio.run(many())
    assert len(farthing("accounts", "list").out.splitlines()) == 510
    assert len(farthing("balances").out.splitlines()) == 510


def test_a_folder_that_cannot_be_written_is_no_crash(tmp_path: Path):
    (tmp_path / "home").write_text("a file, where a folder should be")
    told = Terminal(tmp_path / "home")("init")
    assert told.code != 0
    assert str(tmp_path / "home") in told.err


def test_receipts_are_refused_whatever_is_in_the_file(farthing: Terminal, tmp_path: Path):
    root = "ed25519:" + "A" * 43
    file = tmp_path / "receipt.json"
    good = {"version": "farthing-receipt-1", "statement": {}, "proof": {}, "certificate": {}}
    for text in (
        b"", b"[]", b"5", b"{}", b"\xff\xfe", b"{", json.dumps(good).encode(),
        json.dumps(good | {"proof": []}).encode(), json.dumps(good | {"proof": 5}).encode(),
        json.dumps(good | {"certificate": "x"}).encode(),
        json.dumps(good | {"statement": [1.5]}).encode(),
        json.dumps(good | {"proof": {"head": {"number": -1}, "path": "x"}}).encode(),
        json.dumps(good | {"statement": {"a": 1.5}}).encode(),
    ):  # fmt: skip
        file.write_bytes(text)
        told = farthing("receipt", "verify", str(file), "--root-key", root)
        assert told.code in (2, 6), text
        assert told.out == ""


def test_an_owner_must_be_named_when_there_are_two(farthing: Terminal):
    farthing("owners", "create", "Second", "--time-zone", "Asia/Tokyo")
    told = farthing("accounts", "open", "USD")
    assert (told.code, "which-owner" in told.err) == (2, True)
    second = json.loads(farthing("owners", "list", "--json").out)[0]
    assert second["name"] == "Second"
    assert farthing("accounts", "open", "USD", "--owner", second["id"]).code == 0
