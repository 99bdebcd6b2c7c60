"""What a running hub writes to its log: a line per event, and no secret."""

import json
import subprocess
import sys

from tests.e2e.hub_process import HubProcess


def test_every_event_is_one_json_line_and_no_secret_is_among_them(tmp_path):
    hub = HubProcess(tmp_path, FARTHING_LOG_FORMAT="json")
    key = json.loads(hub.ask("init", "--json"))["key"]
    log = tmp_path / "log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "farthing", "serve"]
        hub.process = subprocess.Popen(command, env=hub.environment, stderr=out)
        hub.wait_ready()
        wallet, shop = hub.account("wallet"), hub.account("shop")
        hub.ask("credit", wallet, "1 USD")
        purse = hub.purse(wallet)
        code_free = json.loads(hub.ask("devices", "list", "--json"))
        site = tmp_path / "site"
        site.mkdir()
        (site / "a").write_text("a")
        hub.ask("offers", "create", shop, "/a", "0.001 USD")
        with hub.service(site) as upstream, hub.proxy(upstream, "--payee", shop) as url:
            hub.run("pay", f"{url}/a", "--purse", str(purse))
        assert hub.stop() == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [line["event"] for line in lines]
    assert told[:2] == ["risk.recalled", "hub.started"]
    assert told[-1] == "hub.stopped"
    for kind in ("account.opened", "account.credited", "device.enrolled", "offer.set"):
        assert kind in told
    assert told.count("payment.held") == told.count("payment.captured") == 1
    text = log.read_text()
    assert key not in text
    assert (purse / "device.key").read_text().split()[2] not in text
    assert code_free


def test_ending_a_hub_by_signal_is_no_failure_and_frees_its_socket(tmp_path):
    with HubProcess(tmp_path) as hub:
        assert (hub.home / "hub" / "hub.sock").stat().st_mode & 0o777 == 0o600
        assert hub.stop() == 0
        assert not (hub.home / "hub" / "hub.sock").exists()
        assert hub.run("audit").stdout.startswith("ok:")


def test_a_second_hub_on_the_same_books_is_refused_and_says_why(tmp_path):
    with HubProcess(tmp_path) as hub:
        second = hub.run("serve", "--port", "0", ok=False)
        assert second.returncode != 0
        assert "hub-running" in second.stderr
        assert hub.run("balances").returncode == 0, "the first one goes on"
