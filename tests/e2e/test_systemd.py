"""The systemd units that are shipped: systemd takes them, they give little away, and what they
start starts, tells that it is ready, and ends well. Without systemd-analyze two tests skip.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.house.reference import ROOT
from tests.ports import free_port

from .systemd_units import PROGRAMS, UNITS, Manager, settings

EXPOSURE_MAX = 1.5
"""Of 10; `systemd-analyze security` calls up to 2 safe."""

NAMES = sorted(file.name for file in UNITS.iterdir())
SERVICES = [name for name in NAMES if name.endswith(".service")]
PHRASE = "a passphrase that systemd keeps"
PAGE = ROOT / "docs" / "howto" / "run-under-systemd.md"

analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here: make setup-system"
)


@analyze
def test_systemd_takes_every_unit(tmp_path: Path):
    here = str(Path(sys.executable).parent)
    for name in NAMES:
        text = (UNITS / name).read_text().replace(PROGRAMS, here)
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in NAMES if not name.endswith(".conf")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr, done.stderr


@analyze
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_exposed_to_little(name: str):
    bound = str(round(EXPOSURE_MAX * 10))
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={bound}"]
    done = subprocess.run([*command, str(UNITS / name)], capture_output=True, text=True)
    assert done.returncode == 0, [*done.stdout.splitlines()[-1:], done.stderr]


def test_services_are_confined_alike():
    def confinement(name: str) -> str:
        text = (UNITS / name).read_text()
        start = text.index("# It needs its folder")
        return text[start:].partition("[Install]")[0].strip()

    assert len({confinement(name) for name in SERVICES}) == 1
    for name in SERVICES:
        assert settings(name)["NoNewPrivileges"] == ["yes"]
        assert settings(name)["ProtectSystem"] == ["strict"]
        assert settings(name)["User"] == ["farthing"]


def test_a_hub_its_jobs_and_a_proxy_run_as_the_units_say(tmp_path: Path):
    manager = Manager(tmp_path)
    manager.keep("farthing-passphrase", PHRASE)
    manager.keep("backup-passphrase", "another phrase, for the copies")
    (tmp_path / "state-backups").mkdir()
    made = farthing(manager, "init", "--json")
    port, shown_at = str(free_port()), f"127.0.0.1:{free_port()}"
    told = {"FARTHING_SERVER_PORT": port, "FARTHING_METRICS_LISTEN": shown_at}
    hub = manager.start("farthing.service", **told)
    try:
        manager.wait_for("READY=1")
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").json() == {"status": "ready"}
        manager.wait_for("WATCHDOG=1")
        for job in ("farthing-backup.service", "farthing-audit.service"):
            done = manager.start(job)
            assert done.wait(60) == 0, done.stderr and done.stderr.read()
        copy = tmp_path / "state-backups" / "books.backup"
        assert copy.stat().st_mode & 0o777 == 0o600
        page = httpx.get(f"http://{shown_at}/metrics").text
        assert "farthing_audit_ok 1.0" in page
        sells_and_ends(manager, made)
        hub.terminate()
        manager.wait_for("STOPPING=1")
    finally:
        hub.terminate()
    assert hub.wait(30) == 0
    log = hub.stderr.read() if hub.stderr else ""
    assert "hub.started" in log
    assert PHRASE not in log and made["key"] not in log


def sells_and_ends(manager: Manager, made: dict[str, str]) -> None:
    account = farthing(manager, "accounts", "open", "USD", "--name", "shop")
    told = {"UPSTREAM": "http://127.0.0.1:9", "OPTIONS": f"--payee {account} --port {free_port()}"}
    proxy = manager.start("farthing-proxy.service", **told)
    try:
        manager.wait_for("READY=1")
    finally:
        proxy.terminate()
    assert proxy.wait(30) == 0


def farthing(manager: Manager, *words: str):
    """Run a command as the page says: as the user of the hub, with its folder."""
    command = [str(Path(sys.executable).parent / "farthing"), *words]
    environment = manager.environment("farthing-audit.service", {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in words else done.stdout.strip()


def test_the_page_names_the_units_and_files_that_are_shipped_and_no_other_units():
    page = PAGE.read_text()
    units = re.compile(r"\bfarthing[a-z-]*\.(?:service|timer|sysusers\.conf)\b")
    assert set(units.findall(page)) == set(NAMES)
    files = re.compile(r"/etc/farthing/[a-z.-]+[a-z]")
    wanted = {file for name in SERVICES for file in files.findall((UNITS / name).read_text())}
    assert wanted <= set(files.findall(page))
