"""`farthing pay` on real sockets: body to stdout, payment to stderr, an exit code for each end."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from farthing.cli import app
from farthing.device import AwaitingOwner, WillNotPay, open_purse, paid, sync_client
from farthing.device.purse import is_purse
from farthing.errors import OutcomeUnknown

from .shop_server import open_shop
from .world import CODE, DEVICE, PAYEE


@pytest.fixture
def shop():
    with open_shop() as opened:
        yield opened


@pytest.fixture
def purse(shop, tmp_path):
    return shop.purse(tmp_path / "purse")


def run(*args, purse=None, given=None):
    more = ["--purse", str(purse)] if purse else []
    return CliRunner().invoke(app, [*args, *more], input=given)


def pay(shop, purse, *args, path="/weather", given=None):
    return run("pay", f"{shop.url}{path}", *args, purse=purse, given=given)


def test_the_body_goes_to_stdout_and_what_was_paid_to_stderr(shop, purse):
    done = pay(shop, purse)
    assert (done.exit_code, done.stdout) == (0, "sunny")
    [payment] = shop.world.taken
    assert done.stderr == f"paid 0.0015 USD to {PAYEE} · {payment}\n"


def test_json_tells_the_payment_on_one_line(shop, purse):
    done = pay(shop, purse, "--json")
    told = json.loads(done.stderr)
    assert told["status"] == 200
    assert told["paid"]["amount"] == "1500"
    assert told["paid"]["receipt_fault"] == ""


def test_a_body_can_be_written_to_a_file_and_headers_shown(shop, purse, tmp_path):
    done = pay(shop, purse, "-o", str(tmp_path / "out"))
    assert (done.stdout, (tmp_path / "out").read_text()) == ("", "sunny")
    shown = pay(shop, purse, "-i").stdout_bytes
    assert shown.startswith(b"HTTP/1.1 200")
    assert shown.endswith(b"\r\n\r\nsunny")


def test_an_output_that_cannot_be_written_is_noticed_before_anything_is_paid(shop, purse, tmp_path):
    done = pay(shop, purse, "-o", str(tmp_path / "none" / "out"))
    assert done.exit_code == 8
    assert "cannot-write" in done.stderr
    assert shop.world.taken == {}


def test_an_answer_can_be_thrown_away_as_with_curl(shop, purse):
    done = pay(shop, purse, "-o", "/dev/null")
    assert (done.exit_code, done.stdout) == (0, "")
    assert len(shop.world.taken) == 1


@pytest.mark.parametrize(
    ("args", "given", "method", "body", "kind"),
    [
        (["-d", "a=1", "-d", "b=2"], None, "POST", b"a=1&b=2", "application/x-www-form-urlencoded"),
        (["-d", "x", "-X", "put"], None, "PUT", b"x", "application/x-www-form-urlencoded"),
        (["--data-binary", "@-", "-H", "content-type: text/csv"], "1\n2\n", "POST", b"1\n2\n", ""),
        (["-d", "@-"], "1\n2\n", "POST", b"12", ""),
    ],
)
def test_data_is_sent_as_curl_does(shop, purse, args, given, method, body, kind):
    done = pay(shop, purse, *args, given=given)
    assert done.exit_code == 0, done.stderr
    [taken] = shop.world.taken.values()
    assert (taken.request[0], taken.request[2]) == (method, body)


def test_above_the_limit_it_says_the_price_and_how_to_allow_it(purse, tmp_path):
    with open_shop(amount=60_000) as shop:
        folder = shop.purse(tmp_path / "other")
        done = pay(shop, folder)
        assert done.exit_code == 11
        assert "0.06 USD" in done.stderr
        assert "--max" in done.stderr
        assert shop.world.taken == {}
        assert pay(shop, folder, "--max", "0.06 USD").exit_code == 0


def test_a_refusal_has_its_own_exit_code_and_says_why(shop, purse):
    shop.world.refuses = "insufficient-funds"
    done = pay(shop, purse)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "insufficient-funds" in done.stderr
    assert json.loads(pay(shop, purse, "--json").stderr)["error"]["code"] == "insufficient-funds"


def test_an_owner_who_is_asked_has_an_exit_code_and_the_same_command_goes_on(shop, purse):
    shop.world.owner_asked = True
    done = pay(shop, purse)
    assert done.exit_code == 4
    [payment] = shop.world.taken
    assert payment in done.stderr
    shop.world.owner_asked = False
    assert payment in pay(shop, purse).stderr
    assert len(shop.world.taken) == 1


def test_a_shop_that_hangs_up_after_taking_the_money_is_paid_once(shop, purse):
    shop.hang_ups = 2
    done = pay(shop, purse)
    assert (done.exit_code, done.stdout) == (0, "sunny")
    assert len(shop.credentials) == 3
    assert len(set(shop.credentials)) == 1
    assert shop.world.total() == 1500


def test_an_unknown_outcome_names_the_payment_and_the_same_command_fetches_the_answer(shop, purse):
    shop.hang_ups = 5
    done = pay(shop, purse)
    assert done.exit_code == 5
    [payment] = shop.world.taken
    assert f"The payment is {payment}" in done.stderr
    done = pay(shop, purse)
    assert (done.exit_code, done.stdout) == (0, "sunny")
    assert shop.world.total() == 1500
    assert len(set(shop.credentials)) == 1


def test_a_client_killed_between_signing_and_the_answer_pays_once_in_the_end(shop, purse):
    # The first process is stopped dead in its wait, after the money was taken.
    shop.hang_ups = 1
    code = textwrap.dedent(f"""
        import anyio
        from pathlib import Path
        from farthing.device import Client, Patience, open_purse
        async def stuck(seconds):
            print("waiting", flush=True)
            await anyio.sleep(60)
        async def main():
            purse = open_purse(Path({str(purse)!r}))
            async with Client(purse, patience=Patience(sleep=stuck)) as http:
                await http.get("{shop.url}/weather")
        anyio.run(main)
    """)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "waiting\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert len(open_purse(purse).journal.unresolved()) == 1
    done = pay(shop, purse)
    assert (done.exit_code, done.stdout) == (0, "sunny")
    assert shop.world.total() == 1500
    assert len(set(shop.credentials)) == 1
    assert open_purse(purse).journal.unresolved() == []


def test_the_credential_is_on_disk_before_it_is_sent(shop, purse):
    kept = []
    shop.on_credential = lambda: kept.append(len(list((purse / "journal").glob("*.json"))))
    assert pay(shop, purse).exit_code == 0
    assert kept == [1]
    assert list((purse / "journal").iterdir()) == []


def test_network_and_usage_faults_are_told_apart(shop, purse, tmp_path):
    gone = run("pay", "http://127.0.0.1:9/x", purse=purse)
    assert gone.exit_code == 7
    assert "network" in gone.stderr
    assert run("pay", "weather", purse=purse).exit_code == 2
    assert pay(shop, purse, "-H", "nonsense").exit_code == 2
    assert pay(shop, purse, "--max", "cheap").exit_code == 2
    nowhere = pay(shop, tmp_path / "none")
    assert nowhere.exit_code == 8
    assert "farthing enrol" in nowhere.stderr


def test_a_402_that_this_purse_cannot_pay_is_shown_and_has_its_exit_code(shop, purse):
    shop.world.languages = []
    done = pay(shop, purse)
    assert done.exit_code == 11
    assert "payment-required" in done.stdout


def test_http_errors_are_answers_unless_told_otherwise(shop, purse):
    shop.world.status = 404
    assert pay(shop, purse).exit_code == 0
    assert pay(shop, purse, "-f").exit_code == 22


def test_a_server_that_does_not_speak_tls_is_a_clear_error(shop, purse):
    done = run("pay", shop.url.replace("http:", "https:"), purse=purse)
    assert done.exit_code == 7
    assert "tls-failed" in done.stderr


def test_a_device_is_enrolled_on_the_command_line(shop, tmp_path):
    done = run("enrol", shop.url, CODE, "--max", "0.01 USD", purse=tmp_path / "new")
    assert done.exit_code == 0, done.stderr
    assert DEVICE in done.stdout
    assert is_purse(tmp_path / "new")
    assert pay(shop, tmp_path / "new").exit_code == 0
    again = run("enrol", shop.url, CODE, purse=tmp_path / "new")
    assert again.exit_code == 10
    refused = run("enrol", shop.url, "wrong", purse=tmp_path / "newer", given=None)
    assert "no-such-code" in refused.stderr


def test_a_key_is_rotated_on_the_command_line_and_payments_go_on(shop, purse):
    old = shop.world.devices[DEVICE]
    done = run("rotate-key", "--json", purse=purse)
    assert json.loads(done.stdout)["public_key"] == shop.world.devices[DEVICE] != old
    assert pay(shop, purse).exit_code == 0


def test_code_that_is_not_asynchronous_pays_too(shop, purse):
    with sync_client(open_purse(purse), cap="0.01 USD") as http:
        response = http.get(f"{shop.url}/weather")
        assert (response.text, str(paid(response).amount)) == ("sunny", "0.0015 USD")
        assert http.post(f"{shop.url}/report", content=b"x").text == "sunny"
        shop.world.owner_asked = True
        with pytest.raises(AwaitingOwner):
            http.get(f"{shop.url}/weather")
    with (
        sync_client(open_purse(purse), cap="0.001 USD") as http,
        pytest.raises(WillNotPay),
    ):
        http.get(f"{shop.url}/else")


def test_many_threads_may_share_the_synchronous_client(shop, purse):
    with sync_client(open_purse(purse)) as http, ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: http.get(f"{shop.url}/weather").text, range(16)))
    assert texts == ["sunny"] * 16
    assert shop.world.served == 16


def test_an_unknown_outcome_reaches_synchronous_code_as_itself(shop, purse):
    shop.hang_ups = 9
    started = time.monotonic()
    with sync_client(open_purse(purse)) as http, pytest.raises(OutcomeUnknown) as caught:
        http.get(f"{shop.url}/weather")
    assert caught.value.more["payment"] in shop.world.taken
    assert time.monotonic() - started < 10


def test_the_example_buyer_buys(shop, purse):
    example = Path(__file__).parents[2] / "examples" / "buyer.py"
    done = subprocess.run(
        [sys.executable, example, purse, f"{shop.url}/weather"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "sunny\n"
    assert done.stderr.startswith("paid 0.0015 USD to ")
    assert len(example.read_text().splitlines()) <= 25


def test_anew_gives_up_what_was_taken_without_an_answer_and_says_so(shop, purse):
    shop.world.lies, shop.world.cashes_first = (404, "gone"), True
    assert pay(shop, purse).exit_code == 5
    [lost] = shop.world.taken
    shop.world.lies = None
    for args, shown in (((), f"gave up 0.0015 USD to {PAYEE} · {lost}"), (("--json",), "")):
        done = pay(shop, purse, "--anew", *args)
        assert (done.exit_code, done.stdout) == (0, "sunny")
        assert shown in done.stderr
        assert ("gave up" in done.stderr) == bool(shown)
    assert shop.world.total() == 4500


def test_anew_tells_in_json_what_was_given_up(shop, purse):
    shop.world.lies, shop.world.cashes_first = (404, "gone"), True
    assert pay(shop, purse).exit_code == 5
    [lost] = shop.world.taken
    shop.world.lies = None
    told = [json.loads(line) for line in pay(shop, purse, "--anew", "--json").stderr.splitlines()]
    assert told[0]["given_up"] | {"payment": lost, "lost": True} == told[0]["given_up"]
    assert told[1]["paid"]["payment"] != lost


@contextlib.contextmanager
def dripping(said: bytes):
    """A server that says the same again and again, and never comes to an end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip():
            with contextlib.suppress(OSError):
                while True:
                    taken, _ = listening.accept()
                    with taken, contextlib.suppress(OSError):
                        while True:
                            taken.sendall(said)
                            time.sleep(0.02)

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_an_answer_that_never_ends_is_left_after_the_time_that_was_given(purse, said):
    began = time.monotonic()
    with dripping(said) as url:
        done = run("pay", f"{url}/weather", "--within", "0.5", purse=purse)
    assert (done.exit_code, done.stdout) == (5, "")
    assert "out-of-time" in done.stderr and "within 0.5 seconds" in done.stderr
    assert time.monotonic() - began < 10


def test_enrolling_ends_when_it_takes_too_long_in_all(tmp_path):
    with dripping(b"H") as url:
        began = time.monotonic()
        done = run("enrol", url, "code", "--within", "0.5", purse=tmp_path / "purse")
        assert time.monotonic() - began < 10
    assert done.exit_code == 5
    assert "out-of-time" in done.stderr
    assert "the same command goes on with the same key" in done.stderr


@pytest.mark.parametrize("seconds", ["nan", "inf", "0"])
@pytest.mark.parametrize(
    "command", [("pay", "http://127.0.0.1:1/"), ("enrol", "http://127.0.0.1:1", "code")]
)
def test_how_long_it_may_take_is_a_number_of_seconds(command, seconds, purse):
    done = run(*command, "--within", seconds, purse=purse)
    assert done.exit_code == 2
    assert "--within" in done.stderr
