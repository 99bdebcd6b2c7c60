"""How `farthing pay` ends when a seller lies: word and exit code follow the hub, not the seller."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from farthing.device import open_purse

from .shop_server import open_shop
from .test_pay_command import pay


@pytest.fixture
def shop():
    with open_shop() as opened:
        yield opened


@pytest.fixture
def purse(shop, tmp_path):
    return shop.purse(tmp_path / "purse")


def entries(purse):
    return open_purse(purse).journal.unresolved()


@pytest.mark.parametrize("prefer", ["mpp", "x402"])
def test_nothing_taken_is_said_after_the_hub_has_cancelled_the_order(shop, purse, prefer):
    shop.world.lies = (402, "verification-failed")
    for _ in range(3):
        done = pay(shop, purse, "--prefer", prefer)
        assert (done.exit_code, entries(purse)) == (3, [])
        assert "verification-failed" in done.stderr
    assert len(shop.world.hoard) == 3
    assert not any(shop.world.cash(order) for order in shop.world.hoard)
    assert shop.world.total() == 0


@pytest.mark.parametrize("prefer", ["mpp", "x402"])
def test_money_taken_without_an_answer_is_told_and_never_paid_twice(shop, purse, prefer):
    shop.world.lies, shop.world.cashes_first = (402, "verification-failed"), True
    for _ in range(3):
        done = pay(shop, purse, "--prefer", prefer)
        assert done.exit_code == 5
        assert "paid 0.0015 USD to " in done.stderr
        assert "answer-lost" in done.stderr and "refund" in done.stderr
    told = pay(shop, purse, "--prefer", prefer, "--json").stderr.splitlines()
    assert json.loads(told[0])["paid"]["receipt"]["statement"]["state"] == "captured"
    assert json.loads(told[1])["error"]["code"] == "answer-lost"
    assert shop.world.total() == 1500
    assert len(set(shop.credentials)) == 1


@pytest.mark.parametrize("status", [200, 302])
def test_an_answer_without_a_proof_is_not_called_paid(shop, purse, status):
    shop.world.lies = (status, "")
    done = pay(shop, purse)
    assert (done.exit_code, done.stdout) == (5, "sunny")
    assert done.stderr.startswith("farthing: not known to be paid: 0.0015 USD to ")
    assert "the seller passed no receipt on, and the hub says unknown-there" in done.stderr
    told = json.loads(pay(shop, purse, "--json").stderr)
    assert told["unproven"]["state"] == "unknown-there"
    assert len(set(shop.credentials)) == 1
    assert len(entries(purse)) == 1


def test_without_a_receipt_the_hub_proves_the_payment(shop, purse):
    shop.world.gives_receipts = False
    done = pay(shop, purse)
    [payment] = shop.world.taken
    assert (done.exit_code, done.stdout) == (0, "sunny")
    assert done.stderr.startswith("paid 0.0015 USD to ") and payment in done.stderr
    assert entries(purse) == []


def test_a_client_killed_between_signing_and_a_refusal_cancels_when_it_runs_again(shop, purse):
    shop.world.lies, shop.hang_ups = (402, "verification-failed"), 1
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
    [entry] = entries(purse)
    done = pay(shop, purse)
    assert (done.exit_code, entries(purse)) == (3, [])
    # The old order and the new one: both were cancelled, and neither can be cashed.
    assert entry.payment in shop.world.cancelled
    assert len(shop.world.cancelled) == 2
    assert not any(shop.world.cash(order) for order in shop.world.hoard)


def test_a_failing_shop_leaves_the_order_open_and_says_so(shop, purse):
    shop.world.lies = (500, "broken")
    done = pay(shop, purse)
    assert done.exit_code == 5
    assert "broken" in done.stdout and "not known to be paid" in done.stderr
    assert len(entries(purse)) == 1
