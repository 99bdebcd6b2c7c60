"""Keys under a passphrase, the root key elsewhere, and no secret in the list of processes."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from farthing.app import open_hub
from farthing.config import load_config
from farthing.errors import BadConfig
from tests.e2e.hub_process import HubProcess

from .runner import Terminal

PHRASE = "correct horse battery staple"
SECRET = {"FARTHING_PASSPHRASE": PHRASE}


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init").code == 0
    return terminal


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "home" / "hub" / "keys"


def seeds(folder: Path) -> list[str]:
    """Every word in the key files that is long enough to be a secret."""
    return [
        word
        for file in sorted(folder.glob("*.key"))
        for word in file.read_text().split()
        if len(word) >= 40
    ]


def test_protected_keys_serve_as_before_and_are_nowhere_in_clear(farthing: Terminal, keys: Path):
    clear = seeds(keys)
    assert len(clear) == 3
    told = farthing("hub-keys", "protect", "--json", **SECRET)
    assert (told.code, len(json.loads(told.out)["files"])) == (0, 3)
    for file in keys.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert not any(seed in file.read_text() for seed in clear)
    assert farthing("accounts", "open", "USD", **SECRET).code == 0
    for wrong, code in (({}, "passphrase-needed"), ({"FARTHING_PASSPHRASE": "w" * 20}, "wrong-")):
        refused = farthing("accounts", "list", "--no-input", **wrong)
        assert (refused.code, code in refused.err) == (8, True), refused.err
    assert farthing("audit").code == 0  # Which needs no secret at all.
    assert "under a passphrase" in farthing("doctor", "--offline").out
    assert "under a passphrase" in farthing("doctor", "--offline", **SECRET).out
    assert farthing("hub-keys", "unprotect", **SECRET).code == 0
    assert seeds(keys) == clear
    assert farthing("accounts", "list").code == 0


def test_new_keys_of_a_protected_hub_are_protected(farthing: Terminal, keys: Path):
    farthing("hub-keys", "protect", **SECRET)
    assert farthing("hub-keys", "rotate", **SECRET).code == 0
    assert farthing("hub-keys", "rotate-challenges", **SECRET).code == 0
    assert len(list(keys.glob("*.key"))) == 4
    assert all(file.read_text().startswith("farthing-sealed-1 ") for file in keys.glob("*.key"))
    assert farthing("accounts", "list", **SECRET).code == 0


def test_a_passphrase_is_changed_without_a_moment_in_clear(
    farthing: Terminal, keys: Path, tmp_path: Path
):
    farthing("hub-keys", "protect", **SECRET)
    new = tmp_path / "new"
    new.touch(mode=0o600)
    new.write_text("another horse, another staple\n")
    assert farthing("hub-keys", "protect", "--passphrase-file", str(new), **SECRET).code == 0
    assert "wrong-passphrase" in farthing("accounts", "list", **SECRET).err
    assert farthing("accounts", "list", FARTHING_PASSPHRASE_FILE=str(new)).code == 0
    assert farthing("accounts", "list", FARTHING_KEYS_PASSPHRASE_FILE=str(new)).code == 0
    new.chmod(0o644)
    refused = farthing("accounts", "list", FARTHING_PASSPHRASE_FILE=str(new))
    assert "key-file-open-to-others" in refused.err


def test_a_hub_made_with_a_passphrase_never_has_its_keys_in_clear(tmp_path: Path):
    terminal = Terminal(tmp_path / "home")
    short = terminal("init", FARTHING_PASSPHRASE="too short")
    assert (short.code, "passphrase-too-short" in short.err) == (8, True)
    assert terminal("init", **SECRET).code == 0
    assert seeds(tmp_path / "home" / "hub" / "keys") != []
    for file in (tmp_path / "home" / "hub" / "keys").glob("*.key"):
        assert file.read_text().startswith("farthing-sealed-1 ")
    assert "passphrase-needed" in terminal("accounts", "list").err


def test_a_backup_of_protected_keys_comes_back_protected(
    farthing: Terminal, keys: Path, tmp_path: Path
):
    farthing("hub-keys", "protect", **SECRET)
    phrase = tmp_path / "phrase"
    phrase.touch(mode=0o600)
    phrase.write_text("the passphrase of backups")
    copy = str(tmp_path / "books.backup")
    assert farthing("backup", copy, "--passphrase-file", str(phrase)).code == 0
    other = Terminal(tmp_path / "elsewhere")
    assert other("restore", copy, "--passphrase-file", str(phrase)).code == 0
    assert "passphrase-needed" in other("accounts", "list").err
    assert other("accounts", "list", **SECRET).code == 0


def test_a_hub_runs_without_its_root_key_and_rotates_only_with_it(
    farthing: Terminal, keys: Path, tmp_path: Path
):
    safe = tmp_path / "safe" / "root.key"
    safe.parent.mkdir()
    shutil.move(keys / "root.key", safe)
    assert farthing("accounts", "open", "USD").code == 0
    assert farthing("audit").code == 0
    assert "kept elsewhere" in farthing("doctor", "--offline").out
    before = sorted(file.name for file in keys.iterdir())
    refused = farthing("hub-keys", "rotate")
    assert (refused.code, "root-key-away" in refused.err) == (8, True)
    other = Terminal(tmp_path / "other")
    other("init")
    strange = tmp_path / "other" / "hub" / "keys" / "root.key"
    refused = farthing("hub-keys", "rotate", "--root-key", str(strange))
    assert (refused.code, "another-root-key" in refused.err) == (8, True)
    assert sorted(file.name for file in keys.iterdir()) == before
    assert farthing("hub-keys", "rotate", "--root-key", str(safe)).code == 0
    assert farthing("accounts", "list").code == 0
    assert farthing("audit").code == 0
    copy = str(tmp_path / "books.backup")
    assert "root key is not in it" in _backup(farthing, tmp_path, copy)


def _backup(farthing: Terminal, tmp_path: Path, copy: str) -> str:
    phrase = tmp_path / "phrase"
    phrase.touch(mode=0o600)
    phrase.write_text(PHRASE)
    made = farthing("backup", copy, "--passphrase-file", str(phrase))
    assert made.code == 0, made.err
    other = Terminal(tmp_path / "elsewhere")
    assert other("restore", copy, "--passphrase-file", str(phrase)).code == 0
    assert other("accounts", "list").code == 0
    return made.err


def test_a_hub_of_before_notes_its_roots_public_half_by_itself(farthing: Terminal, keys: Path):
    noted = (keys / "root.pub").read_text()
    (keys / "root.pub").unlink()
    assert farthing("accounts", "list").code == 0
    assert (keys / "root.pub").read_text() == noted


def test_another_roots_public_half_stops_the_start(farthing: Terminal, keys: Path, tmp_path: Path):
    other = Terminal(tmp_path / "other")
    other("init")
    shutil.copy(tmp_path / "other" / "hub" / "keys" / "root.pub", keys / "root.pub")
    told = farthing("accounts", "list")
    assert (told.code, "another-root-key" in told.err) == (8, True)
    assert "another-root-key" in farthing("doctor", "--offline").out + told.err


def test_a_hub_that_could_not_start_lets_go_of_its_books(
    farthing: Terminal, keys: Path, tmp_path: Path
):
    config = load_config(None, {"FARTHING_HOME": str(tmp_path / "home")})
    shutil.copy(keys / "signing-0001.key", tmp_path / "kept")
    root = (keys / "root.key").read_bytes()
    (keys / "root.key").unlink()
    Terminal(tmp_path / "other")("init")
    shutil.copy(tmp_path / "other" / "hub" / "keys" / "signing-0001.key", keys / "signing-0002.key")

    async def started() -> None:
        with pytest.raises(BadConfig, match="root key is needed"):
            await open_hub(config)
        (keys / "root.key").touch(mode=0o600)
        (keys / "root.key").write_bytes(root)
        hub = await open_hub(config)
        await hub.close()

    asyncio.run(started())


@pytest.mark.rule("asvs.14.2.1", on="hub")
def test_headers_come_from_a_file_and_a_url_has_no_password(farthing: Terminal, tmp_path: Path):
    fields = tmp_path / "fields"
    fields.write_text("Accept: application/json\n\nIdempotency-Key: k-1\n")
    body = '{"asset": "USD", "owner": "%s"}'
    owner = json.loads(farthing("owners", "list", "--json").out)[0]["id"]
    asked = ["api", "POST", "/v1/accounts", "-d", body % owner, "-H", f"@{fields}"]
    made = [json.loads(farthing(*asked).out)["id"] for _ in range(2)]
    assert made[0] == made[1]  # The key in the file was sent.
    for words in (
        ["pay", "https://me:secret@shop.example/a"],
        ["enrol", "https://me:secret@hub.example", "code"],
        ["api", "GET", "/v1/accounts", "--hub", "https://me:secret@hub.example"],
        ["proxy", "--upstream", "http://me:secret@127.0.0.1", "--payee", "acc_" + "0" * 26],
        [
            "proxy",
            "--upstream",
            "http://127.0.0.1",
            "--payee",
            "acc_" + "0" * 26,
            "--hub",
            "https://a:b@c",
        ],
    ):
        told = farthing(*words, FARTHING_KEY="fk_1")
        assert told.code in (2, 8)
        assert "secret" not in told.err
    told = farthing("api", "GET", "/v1/accounts", "-H", "Authorization Bearer fk_secret")
    assert (told.code, "secret" in told.err) == (2, False)


def test_a_devices_key_is_protected_and_no_process_has_a_secret_in_its_arguments(tmp_path: Path):
    """One hub for all of it: enrol by stdin, protect, pay, rotate, unprotect."""
    others = set(psutil.Process().children(recursive=True))  # Hubs that several tests share.
    with HubProcess(tmp_path, **SECRET) as hub:
        terminal, purse, out = Terminal(hub.home), tmp_path / "purse", tmp_path / "out"
        wallet, shop = [terminal("accounts", "open", "USD").out.strip() for _ in range(2)]
        terminal("credit", wallet, "1 USD")
        terminal("offers", "create", shop, "/a", "0.001 USD")
        mandate = terminal("mandates", "create", "USD").out.strip()
        code = terminal("devices", "invite", wallet, mandate).out
        asked = [sys.executable, "-m", "farthing", "enrol", hub.url, "--purse", str(purse)]
        plain = {name: told for name, told in hub.environment.items() if name not in SECRET}
        subprocess.run(asked, env=plain, input=code, check=True, text=True, capture_output=True)
        [seed] = seeds(purse)
        assert terminal("protect-key", "--purse", str(purse), **SECRET).code == 0
        assert seed not in (purse / "device.key").read_text()
        site = tmp_path / "site"
        site.mkdir()
        (site / "a").write_text("goods")
        hub.environment["FARTHING_KEY"] = hub.made["key"]
        more = ["--payee", shop, "--hub", hub.url]
        with hub.service(site) as upstream, hub.proxy(upstream, *more) as front:
            pay = ["pay", f"{front}/a", "--purse", str(purse), "-o", str(out)]
            told = terminal(*pay)
            assert (told.code, "passphrase-needed" in told.err) == (8, True)
            assert terminal(*pay, **SECRET).code == 0
            assert terminal("rotate-key", "--purse", str(purse), **SECRET).code == 0
            assert (purse / "device.key").read_text().startswith("farthing-sealed-1 ")
            assert terminal(*pay, **SECRET).code == 0
            assert terminal("unprotect-key", "--purse", str(purse), **SECRET).code == 0
            assert terminal(*pay).code == 0
            ours = set(psutil.Process().children(recursive=True)) - others
            found = [" ".join(one.cmdline()) for one in ours]
        listed = "\n".join(words for words in found if "-m farthing" in words)
        assert listed.count("-m farthing ") == 2  # And what the hub started beside it.
        assert not re.search(r"fk_|farthing-key|horse", listed)
        assert not any(word in listed for word in [*seeds(hub.home / "hub" / "keys"), seed])


def test_another_hubs_whole_key_folder_stops_the_start(
    farthing: Terminal, keys: Path, tmp_path: Path
):
    assert farthing("accounts", "open", "USD").code == 0
    other = Terminal(tmp_path / "other")
    other("init")
    shutil.rmtree(keys)
    shutil.copytree(tmp_path / "other" / "hub" / "keys", keys)
    told = farthing("accounts", "list")
    assert (told.code, "another-root-key" in told.err) == (8, True)
