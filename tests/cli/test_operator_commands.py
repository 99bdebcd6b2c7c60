"""What an operator asks: prices, configuration, the API, explanations."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.hub_process import HubProcess
from tests.house.reference import all_commands

from .runner import Terminal

PRICES = """
[seller]
payee = "acc_shop"
priced_prefixes = ["/api"]

[[offer]]
path = "/api/weather"
price = "0.001 USD"

[[offer]]
path = "/api/{town}"
price = "0.002 USD"

[[offer]]
path = "/api/send"
methods = ["POST"]
price = "0.5 USD"
"""


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "home")


@pytest.fixture
def prices(tmp_path: Path) -> str:
    file = tmp_path / "prices.toml"
    text = PRICES.replace('priced_prefixes = ["/api"]\n', "")
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize(
    ("method", "url", "verdict", "said"),
    [
        ("GET", "/api/weather", "priced", "0.001 USD"),
        ("HEAD", "https://shop.example/api/weather?day=1", "priced", "0.001 USD"),
        ("GET", "/api/berlin", "priced", "0.002 USD"),
        ("GET", "/elsewhere", "free", "no offer"),
        ("DELETE", "/api/weather", "refused", "405"),
        ("GET", "/api/../secret", "refused", "ambiguous-path"),
        ("GET", "/api%2fweather", "refused", "ambiguous-path"),
        ("BREW", "/api/weather", "refused", "no method"),
    ],
)
def test_prices_explain_says_which_offer_applies_and_why(
    farthing: Terminal, prices: str, method: str, url: str, verdict: str, said: str
):
    told = farthing("prices", "explain", method, url, "--prices", prices, "--json")
    found = json.loads(told.out)
    assert (found["verdict"], said in found["why"]) == (verdict, True)
    assert told.code == (6 if verdict == "refused" else 0)
    plain = farthing("prices", "explain", method, url, "--prices", prices)
    assert plain.out.startswith(f"{verdict}: ")


def test_each_offer_is_told_why_it_does_not_apply(farthing: Terminal, prices: str):
    told = farthing("prices", "explain", "GET", "/api/weather", "--prices", prices, "--json")
    whys = {row["path"]: row["why"] for row in json.loads(told.out)["offers"]}
    assert whys == {
        "/api/weather": "this one",
        "/api/{town}": "a more specific offer comes first",
        "/api/send": "another path",
    }


def test_a_price_file_is_checked_with_the_line_of_its_fault(farthing: Terminal, prices: str):
    assert "0.001 USD" in farthing("prices", "check", prices).out
    file = Path(prices)
    file.write_text(file.read_text().replace("0.5 USD", "a lot"))
    told = farthing("prices", "check", prices)
    assert told.code == 6
    assert "line" in told.err


def test_config_check_names_every_fault_with_its_line(farthing: Terminal, tmp_path: Path):
    file = tmp_path / "farthing.toml"
    file.write_text('[server]\nprot = 1\nport = 99999\n\n[boks]\npath = "x"\n')
    told = farthing("config", "check", str(file), "--json")
    found = json.loads(told.out)
    assert told.code == 6
    assert not found["ok"]
    text = "\n".join(found["faults"])
    assert "line 2" in text
    assert "did you mean port?" in text
    assert "line 3" in text
    assert "did you mean books?" in text


def test_config_check_finds_nothing_in_the_example(farthing: Terminal, tmp_path: Path):
    file = tmp_path / "farthing.toml"
    file.write_text(farthing("config", "example").out)
    told = farthing("config", "check", str(file))
    assert (told.code, told.out.startswith("ok: ")) == (0, True)


def test_config_show_says_where_a_value_comes_from_and_hides_passwords(
    farthing: Terminal, tmp_path: Path
):
    home = tmp_path / "home" / "hub"
    home.mkdir(parents=True)
    for dsn in ("postgresql://u:a:b@h/d", "postgresql://u:a/b@h/d", "password='two words'"):
        (home / "farthing.toml").write_text(f'[books]\ndsn = "{dsn}"\n')
        told = farthing("config", "show", "--json", FARTHING_SERVER_PORT="9000")
        rows = {row["setting"]: row for row in json.loads(told.out)}
        assert rows["books.dsn"]["value"] == "[hidden]"
    assert (rows["server.port"]["value"], rows["server.port"]["from"]) == (
        9000,
        "$FARTHING_SERVER_PORT",
    )
    assert rows["server.host"]["from"] == "default"


def test_config_check_names_each_variable_and_a_missing_file(farthing: Terminal, tmp_path: Path):
    told = farthing("config", "check", str(tmp_path / "none.toml"))
    assert (told.code, "config-missing" in told.err) == (8, True)
    wrong = {"FARTHING_SERVER_PROT": "1", "FARTHING_LOG_LEVL": "info", "FARTHING_SERVER_PORT": "x"}
    told = farthing("config", "check", **wrong)
    assert told.code == 6
    for name in wrong:
        assert name in told.out


def test_a_hub_that_is_down_or_unprivate_is_a_clear_error(farthing: Terminal):
    for words in (["tail"], ["api", "GET", "/v1/accounts"]):
        down = farthing(*words, "--hub", "http://127.0.0.1:1", FARTHING_KEY="fk_x")
        assert (down.code, "hub-unreachable" in down.err) == (7, True)
        open_way = farthing(*words, "--hub", "http://hub.example", FARTHING_KEY="fk_x")
        assert (open_way.code, "not-private" in open_way.err) == (2, True)


def test_explain_tells_problems_refusals_events_and_exits(farthing: Terminal):
    assert "raise the budget" in farthing("explain", "mandate-budget").out
    assert "Event" in farthing("explain", "payment.held").out
    assert (
        "refus" in farthing("explain", "exit-3").out
        or "said no" in farthing("explain", "exit-3").out
    )
    for name in ("insufficient_funds", "[insufficient-funds]", "INSUFFICIENT-FUNDS"):
        assert "top" in farthing("explain", name).out
    assert farthing("explain", "3").out == farthing("explain", "exit-3").out
    missed = farthing("explain", "mandat-budget")
    assert (missed.code, "did you mean mandate-budget" in missed.err) == (9, True)
    assert len(json.loads(farthing("explain", "--json").out)) > 200


@pytest.mark.parametrize("words", [words for words, _ in all_commands()])
def test_every_command_has_the_frame_and_an_example(words: str, farthing: Terminal):
    told = farthing(*words.split()[1:], "--help")
    assert told.code == 0
    for part in ("--json", "--no-input", "Example"):
        assert part in told.out, part


def test_an_error_with_json_is_one_problem_on_stderr(farthing: Terminal):
    told = farthing("balances", "--json")
    assert (told.code, told.out) == (8, "")
    error = json.loads(told.err)["error"]
    assert error["code"] == "hub-not-initialised"
    assert error["hint"] == "Make a hub first: farthing init"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_can_be_had(shell: str, tmp_path: Path):
    done = subprocess.run(
        [str(Path(sys.executable).parent / "farthing")],
        env={
            "_FARTHING_COMPLETE": f"source_{shell}",
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
    )
    assert "_FARTHING_COMPLETE" in done.stdout, done.stderr


def test_the_api_is_asked_and_events_are_followed(tmp_path: Path):
    with HubProcess(tmp_path) as hub:
        following = subprocess.Popen(
            [sys.executable, "-m", "farthing", "tail", "--kind", "account.opened", "--json"],
            env=hub.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            owner = json.loads(hub.run("api", "GET", "/v1/owners").stdout)["items"][0]["id"]
            body = json.dumps({"asset": "USD", "owner": owner})
            heard, made = list[str](), list[str]()
            hearing = threading.Thread(target=lambda: heard.append(following.stdout.readline()))
            hearing.start()
            for _ in range(60):  # It tells what happens from the moment it is connected.
                told = hub.run("api", "POST", "/v1/accounts", "-d", body).stdout
                made.append(json.loads(told)["id"])
                hearing.join(0.5)
                if heard:
                    break
            event = json.loads(heard[0])
            assert event["kind"] == "account.opened" and event["subject"] in made
        finally:
            following.terminate()
            following.wait(10)
        shown = hub.run("api", "GET", "/v1/hub", "-i").stdout
        assert shown.startswith("HTTP/1.1 200 OK")
        missing = hub.run("api", "GET", "/v1/accounts/acc_x", ok=False)
        assert missing.returncode == 9
        assert "no-such-account" in missing.stderr
        key = {"FARTHING_KEY": "fk_wrong"}
        hub.environment.update(key)
        refused = hub.run("api", "GET", "/v1/accounts", "--hub", hub.url, ok=False)
        assert refused.returncode == 12
