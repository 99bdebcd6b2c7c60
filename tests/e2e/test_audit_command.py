"""`farthing audit` as a person runs it: beside a running hub and after, right books and wrong."""

import json
import subprocess
import sys

import apsw

from farthing.config import load_config
from tests.e2e.crashing import CrashingHub


def _audit(hub):
    command = [sys.executable, "-m", "farthing", "audit", "--json", "--config", str(hub.config)]
    ran = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return ran.returncode, json.loads(ran.stdout)


async def test_the_command_audits_a_running_hub_and_names_what_somebody_changed(tmp_path):
    hub = CrashingHub(tmp_path)
    try:
        hub.start()
        await hub.furnish()
        async with hub.client() as client:
            for held in (False, True):
                await hub.pay(client, hub.order(held=held))
        code, told = _audit(hub)  # The hub is running, and has the writer's lock.
        assert (code, told["ok"], told["payments"]) == (0, True, 2)
        assert told["notes"] == []
    finally:
        hub.stop()
    connection = apsw.Connection(str(tmp_path / "farthing.db"))
    connection.execute(
        "UPDATE balances SET credits_posted = credits_posted + 1000000 WHERE timestamp ="
        " (SELECT timestamp FROM accounts WHERE id ="
        " (SELECT credit_account_id FROM transfers WHERE code = 10 AND flags = 0))"
    )
    connection.close()
    code, told = _audit(hub)
    assert (code, told["ok"]) == (6, False)
    assert told["text"].startswith(f"account {hub.shop} ")
    assert "credits posted is 1000014, history makes 14" in told["text"]


async def test_a_hub_does_not_start_on_a_restored_older_copy_until_that_is_accepted(tmp_path):
    hub = CrashingHub(tmp_path)
    try:
        hub.start()
        await hub.furnish()
        hub.stop()
        _checkpoint(tmp_path)
        older = (tmp_path / "farthing.db").read_bytes()
        hub.start()
        async with hub.client() as client:
            await hub.pay(client, hub.order(held=False))
        hub.stop()
        _checkpoint(tmp_path)
        (tmp_path / "farthing.db").write_bytes(older)
        code, told = _audit(hub)
        assert code == 6
        assert "heads file" in told["text"]
        refused = _serve(hub)
        assert refused.returncode != 0
        assert b"--accept-rollback" in refused.stderr
        noted = _heads_file(hub)
        before = noted.read_bytes()
        hub.start("--accept-rollback")
        hub.kill()
        hub.start()
        hub.kill()
        noted.write_bytes(before)  # As a power cut leaves it: without the newest head.
        hub.start()
        assert _audit(hub)[0] == 0
    finally:
        hub.stop()


def _checkpoint(folder):
    connection = apsw.Connection(str(folder / "farthing.db"))
    connection.pragma("wal_checkpoint", "truncate")
    connection.close()


def _serve(hub):
    command = [sys.executable, "-m", "farthing", "serve", "--config", str(hub.config)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False)


def _heads_file(hub):
    config = load_config(hub.config)
    return config.path(config.audit.heads_path)
