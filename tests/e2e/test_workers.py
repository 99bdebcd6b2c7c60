"""`farthing serve --workers`: processes behind one port that are watched, replaced and ended."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from tests.clusters import own_server
from tests.e2e.crashing import CrashingHub, crash_again_and_again
from tests.e2e.hub_process import HubProcess
from tests.e2e.many_hubs import ManyHubs
from tests.e2e.neighbours import ask
from tests.ports import free_port

_PATIENCE_SECONDS = 120


@pytest.fixture(params=[pytest.param("postgresql", marks=pytest.mark.postgres), "sqlite"])
def kept_in(request) -> dict[str, str]:
    """What `[books]` says: workers that write for themselves, or have one process write for all."""
    if request.param == "sqlite":
        return {"engine": "sqlite"}
    return {"engine": "postgresql", "dsn": request.getfixturevalue("postgres_dsn")}


BY_SQLITE_EACH_DAY = pytest.mark.parametrize(
    "kept_in",
    [pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.prove]), "sqlite"],
    indirect=True,
)
"""For what workers and who starts them do, wherever the books are."""


@pytest.fixture
def in_cluster(postgres_dsn):
    """And of workers that take turns beside a cluster."""
    server = own_server()
    yield {"engine": "tigerbeetle", "addresses": server.address, "dsn": postgres_dsn}
    server.close()


def lines(books: dict[str, str]) -> str:
    return "\n".join(f'{name} = "{value}"' for name, value in books.items())


def children_of(starter: int) -> list[psutil.Process]:
    """All processes that were started and live now, in the order of their start."""
    found = psutil.Process(starter).children()
    return sorted(found, key=lambda one: (one.create_time(), one.pid))


def serves(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return any(one.status == psutil.CONN_LISTEN for one in process.net_connections("tcp"))
    return False


def workers_of(starter: int) -> list[psutil.Process]:
    """The workers that live now, in the order of their start."""
    return [one for one in children_of(starter) if serves(one)]


def writers_of(starter: int) -> list[psutil.Process]:
    """Who writes for the workers now: nobody may ask it for anything from outside."""
    return [one for one in children_of(starter) if not serves(one)]


def wait_until(happened) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.02)


@BY_SQLITE_EACH_DAY
async def test_workers_killed_under_load_are_replaced_and_cost_nothing(tmp_path, kept_in):
    await are_killed_under_load(tmp_path, kept_in)


@pytest.mark.postgres
async def test_workers_killed_beside_a_cluster_are_replaced_and_cost_nothing(tmp_path, in_cluster):
    await are_killed_under_load(tmp_path, in_cluster)


async def are_killed_under_load(tmp_path, books: dict[str, str]) -> None:
    """Both workers are killed, one after the other, while clients pay and draw."""
    hub = ManyHubs(tmp_path, lines(books), count=1)
    try:
        await asyncio.to_thread(hub.start, "--workers", "2")
        wait_until(lambda: len(workers_of(hub.process.pid)) == 2)
        await hub.furnish()
        await hub.open_sessions()
        before = {worker.pid for worker in workers_of(hub.process.pid)}

        async def trouble():
            for worker in before:
                os.kill(worker, signal.SIGKILL)
                await hub.go_on()

        def replaced() -> bool:
            after = {worker.pid for worker in workers_of(hub.process.pid)}
            return len(after) == 2 and not after & before

        await hub.disturbed(trouble)
        assert hub.repeated > 0
        wait_until(replaced)  # One that lived for a few seconds only is replaced after a pause.
        async with hub.client() as client:
            for drawer in hub.drawers:
                await drawer.close(client)
        hub.process.terminate()
        assert await asyncio.to_thread(hub.process.wait, _PATIENCE_SECONDS) == 0
        report = await hub.check()
        assert report.payments == len(hub.sent) + len(hub.drawers)
    finally:
        hub.stop()


@contextlib.contextmanager
def served_by(workers: int, folder: Path, books: dict[str, str], **settings: str):
    """A hub of so many workers, once all of them serve."""
    hub = HubProcess(
        folder,
        **{f"FARTHING_BOOKS_{name.upper()}": value for name, value in books.items()},
        FARTHING_SERVER_WORKERS=str(workers),
        FARTHING_LOG_FORMAT="json",
        **settings,
    )
    hub.log = folder / "log"
    with hub:
        wait_until(lambda: '"hub.started"' in hub.log.read_text())
        yield hub


@pytest.fixture
def crew(tmp_path: Path, kept_in):
    """A hub of three workers that shows its metrics."""
    shown_at = f"127.0.0.1:{free_port()}"
    with served_by(3, tmp_path, kept_in, FARTHING_METRICS_LISTEN=shown_at) as hub:
        hub.metrics = f"http://{shown_at}/metrics"
        yield hub


def metric(page: str, name: str) -> Counter:
    """A metric's values by the worker's number."""
    found = re.findall(rf'^{name}{{.*worker="(\d+)".*}} (\S+)$', page, re.MULTILINE)
    return Counter({int(number): float(value) for number, value in found})


def test_workers_share_a_port_and_what_is_done_once_is_done_once(crew: HubProcess):
    for _ in range(30):  # Each on a connection of its own.
        ask(crew, "POST", "/v1/accounts", {"asset": "USD"})
    page = httpx.get(crew.metrics, timeout=20).text
    served = metric(page, "farthing_http_requests_total")
    assert set(metric(page, "farthing_build_info")) == {0, 1, 2}
    assert len(set(re.findall("^# HELP .*$", page, re.MULTILINE))) == page.count("# HELP ")
    assert sum(served.values()) > 0
    events = metric(page, "farthing_events_total")
    wait_until(lambda: crew.log.read_text().count('"account.opened"') >= 30)
    assert crew.stop() == 0
    log = crew.log.read_text()
    assert log.count('"account.opened"') == 30
    assert log.count('"hub.started"') == log.count('"hub.stopped"') == 1
    assert sorted(file.name for file in crew.home.glob("hub/*.sock")) == []
    assert events


def test_what_is_revoked_is_refused_by_every_worker_at_once(crew: HubProcess):
    made = ask(crew, "POST", "/v1/keys", {"owner": crew.made["owner"], "scopes": ["read"]})
    fields = {"authorization": f"Bearer {made['secret']}"}

    def answers() -> set[int]:
        with httpx.Client(headers=fields) as one:
            held = [httpx.Client(headers=fields) for _ in range(12)]
            told = {each.get(f"{crew.url}/v1/accounts").status_code for each in (one, *held)}
            for each in held:
                each.close()
        return told

    assert answers() == {200}
    ask(crew, "POST", f"/v1/keys/{made['id']}/revoke")
    assert answers() == {401}


@BY_SQLITE_EACH_DAY
def test_beyond_their_places_workers_say_503_at_once_and_the_slow_hold_nobody_up(
    tmp_path: Path, kept_in
):
    bounds = {"FARTHING_SERVER_CONNECTIONS_MAX": "8", "FARTHING_LIMITS_STALL_SECONDS": "2"}
    with served_by(2, tmp_path, kept_in, **bounds) as hub, contextlib.ExitStack() as opened:
        slow = [socket.create_connection(("127.0.0.1", hub.port), 60) for _ in range(60)]
        for one in slow:
            opened.enter_context(one)
            with contextlib.suppress(OSError):  # It may have been turned away by now.
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n")
        said = [all_said(one) for one in slow]
        refused = [heard for heard in said if heard.startswith(b"HTTP/1.1 503 ")]
        late = [heard for heard in said if heard.startswith(b"HTTP/1.1 408 ")]
        assert len(late) >= 8
        assert refused
        assert all(b"retry-after: " in heard.lower() for heard in refused)
        assert len(refused) + len(late) + said.count(b"") == 60
        wait_until(lambda: httpx.get(f"{hub.url}/healthz").status_code == 200)


def all_said(one: socket.socket) -> bytes:
    """What was said until the end; nothing where the end came too hard to hear it."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while part := one.recv(4096):
            said += part
    return said


@BY_SQLITE_EACH_DAY
def test_systemd_hears_once_that_all_are_ready_and_then_that_all_live(tmp_path: Path, kept_in):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(_PATIENCE_SECONDS)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        with served_by(2, tmp_path, kept_in, **told) as hub:
            heard = [systemd.recv(100) for _ in range(2)]
            assert heard == [b"READY=1", b"WATCHDOG=1"]
            assert hub.stop() == 0
        systemd.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            while True:
                heard.append(systemd.recv(100))
        assert heard.count(b"READY=1") == heard.count(b"STOPPING=1") == 1


@BY_SQLITE_EACH_DAY
def test_workers_end_when_who_started_them_is_killed(crew: HubProcess):
    started = children_of(crew.process.pid)
    assert len(workers_of(crew.process.pid)) == 3
    crew.kill()
    _, left = psutil.wait_procs(started, _PATIENCE_SECONDS)
    for one in left:
        one.kill()
    assert not left
    crew.start()
    ask(crew, "POST", "/v1/accounts", {"asset": "USD"})


@pytest.mark.postgres
def test_workers_that_cannot_start_say_why_once_and_are_given_up(tmp_path: Path):
    hub = HubProcess(tmp_path)
    hub.ask("init")
    hub.environment["FARTHING_BOOKS_OWN_PROCESS"] = "never"
    refused = hub.run("serve", "--workers", "2", ok=False)
    assert (refused.returncode, "workers-need-writer" in refused.stderr) == (8, True)
    del hub.environment["FARTHING_BOOKS_OWN_PROCESS"]
    in_cluster = ("--config", str(hub.home / "cluster.toml"))
    told = '[books]\nengine = "tigerbeetle"\naddresses = "127.0.0.1:1"\n'
    (hub.home / "cluster.toml").write_text(told)
    refused = hub.run("serve", "--workers", "2", *in_cluster, ok=False)
    assert (refused.returncode, "workers-need-postgresql" in refused.stderr) == (8, True)
    (hub.home / "hub" / "heads.log").write_text("no head\n")
    refused = hub.run("serve", "--workers", "2", ok=False)
    assert (refused.returncode, refused.stderr.count("heads-file-broken")) == (8, 1)
    hub.environment |= {
        "FARTHING_BOOKS_ENGINE": "postgresql",
        "FARTHING_BOOKS_DSN": f"host={tmp_path}",
    }
    refused = hub.run("serve", "--workers", "2", ok=False)
    assert (refused.returncode, refused.stderr.count("store-unreachable")) == (7, 1)
    assert not list(hub.home.glob("hub/*.sock"))


async def test_who_writes_for_all_is_killed_under_load_and_costs_nothing(tmp_path):
    hub = ManyHubs(tmp_path, "", count=1)
    try:
        await asyncio.to_thread(hub.start, "--workers", "2")
        wait_until(lambda: len(workers_of(hub.process.pid)) == 2)
        await hub.furnish()
        await hub.open_sessions()
        workers = workers_of(hub.process.pid)
        killed: set[int] = set()

        async def trouble():
            # Whoever is killed between two commits had promised nobody an answer.
            while len(killed) < 2 or not hub.repeated:
                [writer] = writers_of(hub.process.pid)
                killed.add(writer.pid)
                writer.kill()
                await hub.go_on()

        async with asyncio.timeout(_PATIENCE_SECONDS):
            await hub.disturbed(trouble)
        assert len(killed) >= 2
        assert workers_of(hub.process.pid) == workers
        [writer] = writers_of(hub.process.pid)
        async with hub.client() as client:
            for drawer in hub.drawers:
                await drawer.close(client)
        writer.kill()  # What is accepted while it is away is finished, also at the end.
        hub.process.terminate()
        assert await asyncio.to_thread(hub.process.wait, _PATIENCE_SECONDS) == 0
        report = await hub.check()
        assert report.payments == len(hub.sent) + len(hub.drawers)
    finally:
        hub.stop()


@pytest.mark.prove
async def test_a_hub_of_workers_killed_whole_again_and_again_loses_nothing(tmp_path):
    """Kill whoever started them: the workers finish, and the next hub waits until they have."""
    hub = CrashingHub(tmp_path, "")
    hub.config.write_text(hub.config.read_text().replace("[server]", "[server]\nworkers = 2"))
    await crash_again_and_again(hub, rounds=5, sessions=True)
