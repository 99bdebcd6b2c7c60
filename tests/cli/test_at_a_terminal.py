"""Commands as a person meets them: at a terminal, in a pipe, with a hub on another machine."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from farthing.terminal import frame
from farthing.terminal.exits import Exit
from farthing.terminal.talk import Manners, manners
from tests.e2e.hub_process import HubProcess

from .runner import Terminal

FARTHING = [sys.executable, "-m", "farthing"]


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--json").code == 0
    return terminal


def at_a_terminal(home: Path, *words: str, typed: str = "", **environ: str) -> tuple[int, str]:
    """Run a command with a real terminal for input and output; give its code and what it wrote."""
    ours, theirs = pty.openpty()
    given = {"FARTHING_HOME": str(home), "TERM": "xterm-256color", "COLUMNS": "200"} | environ
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FARTHING", "NO_COLOR"))}
    process = subprocess.Popen(
        [*FARTHING, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=kept | given
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    written = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # Linux says so once the other end is closed.
            break
        if not some:
            break
        written += some
    os.close(ours)
    return process.wait(30), written.decode().replace("\r\n", "\n")


def test_columns_have_heads_at_a_terminal_and_none_in_a_pipe(farthing: Terminal):
    made = farthing("accounts", "open", "USD", "--name", "till").out.strip()
    code, told = at_a_terminal(farthing.home, "accounts", "list")
    assert (code, told.split("\n")[0].split()) == (0, ["ACCOUNT", "ASSET", "STATE", "NAME"])
    assert farthing("accounts", "list").out.split() == [made, "USD", "open", "till"]


def test_no_color_is_kept_to_at_a_terminal(farthing: Terminal):
    for words in (["audit"], ["doctor", "--offline"], ["fly"]):
        _, told = at_a_terminal(farthing.home, *words, NO_COLOR="1")
        codes = [int(code) for code in re.findall(r"\x1b\[(?:\d+;)*(\d+)m", told)]
        assert not [code for code in codes if code >= 30], told


@pytest.mark.parametrize(("typed", "code"), [("n\n", 8), ("\n", 8), ("y\n", 0)])
def test_a_question_is_asked_where_somebody_can_answer(
    farthing: Terminal, tmp_path: Path, typed: str, code: int
):
    copy = str(tmp_path / "books.backup")
    assert farthing("backup", copy).code == 0
    ended, told = at_a_terminal(farthing.home, "restore", copy, "--force", typed=typed)
    assert (ended, "[y/N]" in told) == (code, True), told


def test_a_reader_that_has_heard_enough_is_no_error(farthing: Terminal):
    command = f"{' '.join(FARTHING)} explain | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=os.environ | {"PATH": "/bin"}
    )
    assert (done.stdout, done.stderr) == ("above-limit\n0\n", "")


def test_a_full_disk_is_told(farthing: Terminal):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*FARTHING, "explain"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, "No space left" in done.stderr) == (8, True)


def test_a_fault_of_our_own_is_one_line_and_the_trace_is_to_be_had(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def broken() -> None:
        raise ZeroDivisionError("oh")

    run = frame.framed(broken)
    with pytest.raises(frame.typer.Exit) as ended:
        run(as_json=False, no_input=False)
    assert ended.value.exit_code == Exit.BUG
    assert "ZeroDivisionError: oh" in capsys.readouterr().err
    monkeypatch.setenv(frame.TRACE, "1")
    with pytest.raises(ZeroDivisionError):
        run(as_json=False, no_input=False)


def test_a_hub_elsewhere_is_administered_with_a_key(tmp_path: Path):
    with HubProcess(tmp_path) as hub:
        far = Terminal(tmp_path / "far")

        def there(*words: str, code: int = 0) -> str:
            told = far(*words, FARTHING_HUB=hub.url, FARTHING_KEY=hub.made["key"])
            assert told.code == code, told.err
            return told.out.strip()

        wallet = there("accounts", "open", "USD", "--name", "wallet")
        shop = there("accounts", "open", "USD", "--name", "shop")
        there("credit", wallet, "10 USD")
        assert "10 USD" in there("balances")
        mandate = there("mandates", "create", "USD", "--budget", "5 USD/day")
        assert "5 USD/day" in there("mandates", "list")
        invited = far(
            *("devices", "invite", wallet, mandate, "--hub", hub.url), FARTHING_KEY=hub.made["key"]
        )
        assert f"farthing enrol {hub.url} {invited.out.strip()}" in invited.err
        offer = there("offers", "create", shop, "/tea", "1 USD")
        assert "/tea" in there("offers", "list")
        assert "priced: 1 USD" in there("prices", "explain", "GET", "/tea", "--payee", shop)
        assert "withdrawn" in there("offers", "withdraw", offer)
        assert there("payments") == ""
        key = json.loads(there("keys", "create", "read", "--json"))
        assert "revoked" in there("keys", "revoke", key["id"])
        assert wallet in hub.run("accounts", "list").stdout
        there("owners", "create", " ", code=2)
        refused = far("balances", "--hub", hub.url, FARTHING_KEY="fk_wrong")
        assert (refused.code, "bad-key" in refused.err) == (12, True)
        missing = far("balances", "--hub", hub.url)
        assert (missing.code, "FARTHING_KEY" in missing.err) == (8, True)
        assert not (tmp_path / "far").exists()


def test_the_list_of_commands_says_whole_sentences(farthing: Terminal):
    told = farthing("--help").out
    assert "..." not in told.partition("Commands:")[2]
    assert "as the operator here or" in told


def test_values_are_named_in_capitals(farthing: Terminal):
    told = farthing("pay", "--help").out
    for words in ("URL", "--max TEXT", "--purse PATH", "--wait NUMBER"):
        assert words in told
    assert "list[" not in told
    assert "SCOPE..." in farthing("keys", "create", "--help").out


def test_manners_are_those_of_one_command(farthing: Terminal):
    farthing("balances", "--json")
    assert manners.get() == Manners()


def test_a_closed_stdout_is_refused_before_anything_is_made(tmp_path: Path):
    home = os.environ | {"FARTHING_HOME": str(tmp_path / "home")}
    command = f"{' '.join(FARTHING)} init >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=home)
    assert (done.returncode, "stdout is closed" in done.stderr) == (8, True)
    assert not (tmp_path / "home").exists()


def test_talk_does_not_go_to_stdout_where_stderr_is_closed(farthing: Terminal):
    home = os.environ | {"FARTHING_HOME": str(farthing.home)}
    for closing in ("2>&-", "2>/dev/null"):
        command = f"{' '.join(FARTHING)} balances --json {closing}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=home)
        assert (done.returncode, json.loads(done.stdout)) == (0, [])


@pytest.mark.parametrize(
    "words",
    ["accounts freeze", "devices revoke", "keys revoke", "mandates revoke", "offers withdraw"],
)
def test_an_id_that_is_none_is_told_so_whatever_is_in_it(farthing: Terminal, words: str):
    for nonsense in ("../../v1/keys", "..", "a b", "%2e%2e", "a?b#c", "ä", ""):
        told = farthing(*words.split(), nonsense)
        assert (told.code, "is no id" in told.err) == (2, True), (nonsense, told.err)
    assert farthing(*words.split(), "acc_01").code == 9


def test_a_folder_is_no_key_and_nobody_is_told_to_chmod_it(farthing: Terminal, tmp_path: Path):
    told = farthing("hub-keys", "rotate", "--root-key", str(tmp_path))
    assert (told.code, "malformed-key-file" in told.err) == (8, True), told.err
    assert "chmod" not in told.err
