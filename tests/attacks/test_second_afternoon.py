"""What a second afternoon from outside found: full disks, devices as files, hostile words."""

import errno
import json
import os
import ssl
from pathlib import Path

import httpx
import pytest

from farthing import keys
from farthing.cli import local
from farthing.cli.local import _page
from farthing.config import load_config
from farthing.core.periods import check_zone
from farthing.device.hub_calls import ask_hub
from farthing.errors import BadConfig, Malformed, Unavailable
from farthing.terminal.talk import Manners, manners, plain
from tests.cli.runner import Terminal


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_init_goes_on_where_a_full_disk_stopped_it(tmp_path: Path, monkeypatch, nth: int):
    farthing, synced = Terminal(tmp_path / "home"), [0]
    really = os.fsync

    def full(descriptor: int) -> None:
        synced[0] += 1
        if synced[0] == nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    stopped = farthing("init")
    assert stopped.code == 8 and "No space left" in stopped.err
    again = farthing("init", "--json")
    assert again.code == 0, again.err
    assert farthing("accounts", "list").code == 0


def test_no_empty_key_is_left_by_a_full_disk(tmp_path: Path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keys.write_key_file(tmp_path / "device.key", keys.new_signer())
    assert list(tmp_path.iterdir()) == []


def test_heads_are_not_noted_in_the_books_own_file(tmp_path: Path):
    file = tmp_path / "farthing.toml"
    (tmp_path / "link.db").symlink_to("farthing.db")
    for named in ("farthing.db", "farthing.db-wal", "./x/../farthing.db", "link.db"):
        file.write_text(f'[audit]\nheads_path = "{named}"\n')
        with pytest.raises(BadConfig) as raised:
            load_config(file, {})
        assert raised.value.code == "config-invalid", named
    file.write_text('[audit]\nheads_path = "other/farthing.db"\n')
    assert load_config(file, {}).audit.heads_path == "other/farthing.db"


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        '[server]\npublic_url = "file:///etc"\n',
        '[server]\npublic_url = "https://hub.example/\\r\\nX: y"\n',
        '[server]\npublic_url = "https://"\n',
        '[server]\npublic_url = "https://name:word@hub.example"\n',
        '[books]\npath = "/"\n',
        '[books]\npath = "a\\u0000b"\n',
        '[audit]\nheads_path = "a\\nb"\n',
        '[notices]\nemail_from = "hub@hub.example\\r\\nBcc: all@hub.example"\n',
        '[notices]\nemail_from = "hub@hub.example, all@hub.example"\n',
    ],
)
def test_what_no_configuration_can_be_is_named(tmp_path: Path, text: str):
    file = tmp_path / "farthing.toml"
    file.write_text('[server]\npublic_url = "https://hub.example:8402/under/it"\n')
    assert load_config(file, {}).server.url() == "https://hub.example:8402/under/it"
    file.write_text(text)
    with pytest.raises(BadConfig) as raised:
        load_config(file, {})
    assert "public_url" not in text or "such as" in raised.value.detail


@pytest.mark.parametrize("place", ["hub.example:65536", "[1.2.3.4]", "[::1"])
def test_a_url_that_leads_nowhere_is_named(tmp_path: Path, place: str):
    file = tmp_path / "farthing.toml"
    file.write_text(f'[server]\npublic_url = "https://{place}"\n')
    with pytest.raises(BadConfig) as raised:
        load_config(file, {})
    assert f"{file}, line 2: [server] public_url" in raised.value.detail


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_cannot_be_is_wrong_usage(tmp_path: Path, port: str):
    farthing = Terminal(tmp_path / "home")
    assert farthing("serve", "--port", port).code == 2
    assert farthing("proxy", "--upstream", "http://127.0.0.1:1", "--port", port).code == 2


@pytest.mark.parametrize(
    "told", [[1], None, {"items": None}, {"items": [1]}, {"items": [], "next": 5}]
)
def test_a_list_that_is_none_is_named(told: object):
    with pytest.raises(Malformed) as raised:
        _page(told)
    assert raised.value.code == "malformed-answer"
    assert _page({"items": [{"id": "a"}], "next": None}) == ([{"id": "a"}], "")


def test_a_hub_that_gives_the_same_page_for_ever_is_left(monkeypatch):
    async def same(*_: object) -> object:
        return {"items": [], "next": "again"}

    monkeypatch.setattr(local, "ask", same)
    monkeypatch.setenv("FARTHING_KEY", "fk_" + "a" * 43)
    token = manners.set(Manners(hub="http://127.0.0.1:1"))
    try:
        with pytest.raises(Malformed) as raised:
            local.ask_all("/v1/accounts")
    finally:
        manners.reset(token)
    assert raised.value.code == "malformed-answer"


def test_a_bit_that_turned_in_a_backup_is_seen_wherever_it_is(tmp_path: Path):
    farthing, copy = Terminal(tmp_path / "home"), tmp_path / "books.backup"
    assert farthing("init", "--json").code == 0
    assert farthing("backup", str(copy)).code == 0
    raw = copy.read_bytes()
    begin = raw.index(b"SQLite format 3")
    for place in (begin + 4096 - 50, begin + 9000, begin + 100_000, raw.index(b'"chain"')):
        changed = tmp_path / f"changed-{place}"
        changed.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        other = Terminal(tmp_path / f"other-{place}")
        refused = other("restore", str(changed), "--no-verify")
        assert refused.code == 2 and "was changed since it was made" in refused.err, place
    whole = Terminal(tmp_path / "whole")
    assert whole("restore", str(copy)).code == 0


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory", "posix/UTC", "right/UTC"])
def test_a_zone_means_the_same_on_every_machine(zone: str):
    assert check_zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(Malformed) as raised:
        check_zone(zone)
    assert raised.value.code == "unknown-time-zone"


def test_words_of_others_do_not_steer_a_terminal(capsys):
    hostile = "\x1b[31mred\r\x9b2J\x07\u202e\u2028\x7f"
    told = plain(hostile)
    assert told.isprintable() and json.loads(f'"{told}"') == hostile
    assert plain("two\nlines\tü 😀") == "two\nlines\tü 😀"


async def test_a_certificate_that_is_not_trusted_is_told_as_that(tmp_path: Path):
    class Untrusted(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
            cause.verify_message = "self-signed certificate"
            raise httpx.ConnectError(str(cause)) from cause

    async with httpx.AsyncClient(transport=Untrusted()) as http:
        with pytest.raises(Unavailable) as raised:
            await ask_hub(http, "https://localhost:1/v1/devices/enrol", {})
    assert raised.value.code == "tls-not-trusted"
