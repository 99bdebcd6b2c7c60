"""Peers are paid by real processes; one that cannot be had is named and harms no other."""

import asyncio
import contextlib
import io
import json
import subprocess
import sys
from importlib import import_module

import pytest
from bench.figures import Figure
from bench.peers.base import Asked, Peer, PeerMissing
from bench.peers.children import Child, paid, serving
from bench.peers.places import python_place
from bench.peers.theirs import paying
from bench.processes import free_port, run_load

peers = import_module("bench.peers.__main__")

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
SERVES = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
PAYS = """
import asyncio
from bench.peers.theirs import paying
async def pay():
    await asyncio.sleep(0.001)
print("a library says something")
asyncio.run(paying.run([pay, pay], 0.2))
"""
REFUSES = """
import asyncio
from bench.peers.theirs import paying
times = iter(range(10**9))
async def pay():
    await asyncio.sleep(0.001)
    if next(times) > 1:
        raise ValueError("no money")
asyncio.run(paying.run([pay], 0.1))
"""


def asked(folder):
    return Asked(seconds=0.3, clients=[1, 2], runs=1, devices=5, folder=folder)


def peer(run, install=dict):
    return Peer("x", "a job", "unlike", install, run)


def figure(name="x-1"):
    return Figure(name=name, engine="sqlite", rate_per_s=1, p50_ms=1, p99_ms=1)


def test_stock_clients_of_both_languages_buy_from_a_real_shop(tmp_path):
    for name in ("farthing-x402", "farthing-mpp"):
        first, second = peers.PEERS[name].run(asked(tmp_path))
        assert (first.name, second.name) == (f"{name}-1", f"{name}-2")
        assert min(first.counted, second.counted) > 0
        assert (first.refused, second.refused) == (0, 0)
        assert first.cpu_us_each > 0
        assert first.load_cpu_us_each > 0
        assert 0 < first.p50_ms <= first.p99_ms


def test_orders_are_paid_at_the_api(tmp_path):
    [only] = peers.PEERS["farthing-api"].run(asked(tmp_path))
    assert only.name == "farthing-api-1"
    assert only.counted > 0


def test_a_payer_is_measured_beside_its_servers_whatever_its_libraries_say(tmp_path):
    port = free_port()
    with serving([*SERVES, str(port)], port, tmp_path / "log", folder=tmp_path) as server:
        payer = [sys.executable, "-c", PAYS]
        told = paid("x-2", "here", payer, [server], tmp_path / "pay", seconds=0.2, runs=3)
    assert len(told.runs_per_s) == 3
    assert 0.001 <= told.p50_ms / 1000 < 1
    assert told.counted > 10
    assert told.resident_mib > 5
    assert server.started.poll() is not None


def test_where_everything_is_refused_the_first_refusal_is_told(tmp_path):
    payer = [sys.executable, "-c", REFUSES]
    with pytest.raises(PeerMissing, match="no money"):
        paid("x-1", "here", payer, [], tmp_path / "pay", seconds=0.1, runs=1)


def test_a_payer_that_breaks_off_is_told_by_its_last_words(tmp_path):
    payer = [sys.executable, "-c", "raise SystemExit('my very last words')"]
    with pytest.raises(PeerMissing, match="my very last words"):
        paid("x-1", "here", payer, [], tmp_path / "pay", seconds=0.1, runs=1)


def test_a_server_that_ends_before_it_listens_is_not_waited_for(tmp_path):
    dies = [sys.executable, "-c", "raise SystemExit('no such database')"]
    with pytest.raises(PeerMissing, match="no such database"), serving(dies, 1, tmp_path / "log"):
        pass


def test_what_says_nothing_is_given_up_and_ended(tmp_path):
    child = Child(SLEEPS, tmp_path / "log", talks=True)
    try:
        with pytest.raises(PeerMissing, match="nothing was said"):
            child.hear("go", 0.2)
    finally:
        child.end()
    assert child.started.poll() is not None


def test_what_cannot_be_installed_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("bench.peers.places.FOLDER", tmp_path)
    with pytest.raises(PeerMissing, match="pip"):
        python_place("none", ["farthing-has-no-such-package==1"])
    assert not (tmp_path / "none" / "installed").exists()


def test_a_peer_that_is_missing_keeps_its_reason_and_what_was_measured(tmp_path):
    def run(_asked):
        yield figure()
        raise PeerMissing("it fell over")

    outcome = peers.meet(peer(run), asked(tmp_path), install_only=False)
    assert outcome.why == "it fell over"
    assert [one.name for one in outcome.figures] == ["x-1"]


BREAKS_OFF = """
for _ in "ab":
    print("go", flush=True)
    input()
print('{"latencies": [0.5, 0.', end="", flush=True)
raise SystemExit(3)
"""


def test_a_load_generator_that_breaks_off_ends_its_peer_and_says_what_was_read(
    tmp_path,
):
    heard = tmp_path / "heard"
    breaks_off = BREAKS_OFF.replace("end=", f"file=open({str(heard)!r}, 'w'), end=")

    def run(_asked):
        yield figure()
        run_load([sys.executable, "-c", breaks_off], heard, lambda: None)

    outcome = peers.meet(peer(run), asked(tmp_path), install_only=False)
    assert "22 characters, the last '{\"latencies\": [0.5, 0.'" in outcome.why
    assert "exit code is 3" in outcome.why
    assert [one.name for one in outcome.figures] == ["x-1"]


def test_a_payer_that_breaks_off_in_its_line_says_what_was_read(tmp_path):
    payer = [sys.executable, "-c", BREAKS_OFF.replace('"ab"', '"a"')]
    with pytest.raises(PeerMissing, match="22 characters"):
        paid("x-1", "here", payer, [], tmp_path / "pay", seconds=0.1, runs=1)


def test_others_go_on_and_the_exit_code_says_that_one_is_missing(monkeypatch, capsys):
    def missing():
        raise PeerMissing("there is no such thing")

    listed = {
        "gone": peer(lambda _asked: iter(()), missing),
        "here": peer(lambda _asked: iter([figure()]), lambda: {"it": "1.2"}),
    }
    monkeypatch.setattr(peers, "PEERS", listed)
    monkeypatch.setattr(sys, "argv", ["bench.peers", "--json"])
    with pytest.raises(SystemExit) as ended:
        peers.main()
    assert ended.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert {"machine", "figures", "peers"} <= told.keys()
    assert [one["name"] for one in told["figures"]] == ["x-1"]
    assert [one["why"] for one in told["peers"]] == ["there is no such thing", ""]
    assert told["peers"][1]["versions"] == {"it": "1.2"}


def test_the_loop_counts_what_was_paid_and_what_was_not(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    times = []

    async def pay():
        times.append(1)
        await asyncio.sleep(0.001)
        if len(times) > 2 and len(times) % 2:
            raise ValueError("odd")

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        asyncio.run(paying.run([pay], 0.1, warmups=2))
    go, told = said.getvalue().splitlines()
    heard = json.loads(told)
    assert go == "go"
    assert heard["refused"] + len(heard["latencies"]) == len(times) - 2
    assert abs(heard["refused"] - len(heard["latencies"])) <= 1
    assert heard["first_refusal"] == "ValueError: odd"


def test_help_has_examples():
    command = [sys.executable, "-m", "bench.peers", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "--only x402-exact" in done.stdout
    assert "--json" in done.stdout
