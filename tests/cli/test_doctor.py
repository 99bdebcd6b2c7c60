"""The doctor finds what was broken on purpose, says what to do, and changes nothing."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest

from farthing.cli.looks import clock, disk
from tests.e2e.hub_process import HubProcess

from .runner import Terminal

STATES = ("ok", "warn", "fail")


@pytest.fixture
def farthing(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path / "home")
    assert terminal("init", "--json").code == 0
    return terminal


def looked(farthing: Terminal, *more: str, code: int = 0) -> dict[str, dict[str, str]]:
    told = farthing("doctor", "--offline", "--json", *more)
    assert told.code == code, told.out + told.err
    worst: dict[str, dict[str, str]] = {}
    for found in json.loads(told.out):
        before = worst.get(found["what"], {"state": "ok"})["state"]
        if STATES.index(found["state"]) >= STATES.index(before):
            worst[found["what"]] = found
    return worst


def test_a_new_hub_is_well(farthing: Terminal):
    found = looked(farthing)
    for what in ("clock", "keys", "disk sync", "books", "books' pages", "network"):
        assert found[what]["state"] in ("ok", "warn"), found[what]
    assert found["heads"]["state"] == "warn", "books and heads are on one disk here"
    assert "→ put [audit] heads_path on another disk" in farthing("doctor", "--offline").out


def test_open_keys_are_found(farthing: Terminal, tmp_path: Path):
    key = tmp_path / "home" / "hub" / "keys" / "root.key"
    key.chmod(0o644)
    found = looked(farthing, code=6)["keys"]
    assert (found["state"], str(key) in found["do"]) == ("fail", True)


def test_torn_books_are_found(farthing: Terminal, tmp_path: Path):
    books = tmp_path / "home" / "hub" / "farthing.db"
    raw = bytearray(books.read_bytes())
    raw[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    books.write_bytes(raw)
    told = farthing("doctor", "--offline", "--json")
    assert told.code == 6, told.out


def test_a_clock_behind_the_books_is_found(farthing: Terminal, tmp_path: Path):
    heads = tmp_path / "home" / "hub" / "heads.log"
    lines = heads.read_text().splitlines()
    assert looked(farthing)["clock"]["state"] == "ok"
    heads.write_text("\n".join([*lines[:-1], lines[-1][:40]]) + "\n")
    told = farthing("doctor", "--offline", "--json")
    assert told.code == 6
    assert any("no head" in f["seen"] for f in json.loads(told.out))


def test_faults_of_the_configuration_come_first(farthing: Terminal, tmp_path: Path):
    (tmp_path / "home" / "hub" / "farthing.toml").write_text("[server]\nprot = 1\n")
    found = looked(farthing, code=6)
    assert list(found) == ["configuration"]
    assert "did you mean port?" in found["configuration"]["seen"]


def test_a_price_file_is_looked_at(farthing: Terminal, tmp_path: Path):
    file = tmp_path / "prices.toml"
    file.write_text('[[offer]]\npath = "/a"\nprice = "much"\n')
    told = farthing("doctor", "--offline", "--prices", str(file))
    assert (told.code, "line 3" in told.out) == (6, True)


def test_a_running_hub_and_its_public_url_are_asked(tmp_path: Path):
    with HubProcess(tmp_path) as hub:

        def found(url: str) -> dict[str, dict[str, str]]:
            hub.environment["FARTHING_SERVER_PUBLIC_URL"] = url
            told = hub.run("doctor", "--json", ok=False).stdout
            return {one["what"]: one for one in json.loads(told)}

        told = found(hub.url)
        assert (told["hub"]["state"], "ready" in told["hub"]["seen"]) == ("ok", True)
        assert (told["public url"]["state"], told["clock of 127.0.0.1"]["state"]) == ("ok", "ok")
        assert found("http://127.0.0.1:1")["public url"]["state"] == "fail"
        with stranger(b'{"hub": "another"}') as url:
            told = found(url)
            assert (told["public url"]["state"], "another" in told["public url"]["seen"]) == (
                "fail",
                True,
            )
        with stranger(json.dumps({"hub": hub.made["hub"]}).encode()) as url:
            assert "ours is" in found(url)["clock of 127.0.0.1"]["seen"]
            offline = hub.run("doctor", "--json", "--offline").stdout
            assert "public url" not in offline


@contextlib.contextmanager
def stranger(body: bytes) -> Iterator[str]:
    """Somebody else's server, whose clock stands an hour back."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", formatdate(time.time() - 3600, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.postgres
def test_a_postgresql_is_looked_at_as_the_hub_would_use_it(tmp_path: Path, postgres_dsn: str):
    """Its default is not to wait for the disk; the hub's own connection does all the same."""
    folder = tmp_path / "home" / "hub"
    folder.mkdir(parents=True)
    name = postgres_dsn.rpartition("=")[2]
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    settings = f'[books]\nengine = "postgresql"\ndsn = "{postgres_dsn}"\n'
    (folder / "farthing.toml").write_text(settings)
    farthing = Terminal(tmp_path / "home")
    assert looked(farthing, code=6)["keys"]["do"] == "run: farthing init"
    assert farthing("init", "--json").code == 0
    found = looked(farthing)
    for what in ("fsync", "synchronous_commit", "full_page_writes", "connection"):
        assert found[f"postgresql {what}"]["state"] == "ok", found
    assert "the server's own off is not used" in found["postgresql synchronous_commit"]["seen"]
    assert found["clock of PostgreSQL"]["state"] == "ok"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    assert looked(farthing, code=6)["books"]["seen"] == "the database is empty"


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:25 / /memory rw,nosuid - tmpfs tmpfs rw,size=1g
31 22 8:1 / /quick rw - ext4 /dev/sda1 rw,nobarrier
32 22 0:40 / /far rw - nfs4 nas:/books rw,vers=4.2
33 22 0:41 / /box rw - overlay overlay rw,lowerdir=a,upperdir=b
34 22 0:42 / /with\\040space rw shared:5 - fuse.sshfs host:/ rw
35 22 8:2 / /far/near rw master:3 - xfs /dev/sdb1 rw
36 35 8:3 / /far/near rw - btrfs /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("folder", "state", "seen"),
    [
        ("/home/hub", "ok", "ext4 at /"),
        ("/memory/hub", "warn", "gone at the next restart"),
        ("/memoryless/hub", "ok", "ext4 at /"),
        ("/quick", "fail", "nobarrier"),
        ("/far/hub", "warn", "nfs4 at /far: another machine"),
        ("/far/near/hub", "ok", "btrfs at /far/near"),
        ("/box/hub", "warn", "overlay"),
        ("/with space/hub", "warn", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_told_by_how_it_is_mounted(folder: str, state: str, seen: str):
    found = disk.judged(disk.mount_of(Path(folder), MOUNTS))
    assert (found.state, seen in found.seen) == (state, True), found


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        (None, "ok"),
        (clock.Kept(synchronised=False, worst_ms=1), "warn"),
        (clock.Kept(synchronised=True, worst_ms=12), "ok"),
        (clock.Kept(synchronised=True, worst_ms=1500), "warn"),
    ],
)
def test_a_clock_that_nothing_keeps_is_told(kept: clock.Kept | None, state: str):
    assert clock.judged_kept(kept).state == state


@pytest.mark.parametrize(
    ("apart", "state"), [(0, "ok"), (-1.9, "ok"), (5, "warn"), (-59, "warn"), (61, "fail")]
)
def test_clocks_that_stand_apart_are_told(apart: float, state: str):
    assert clock.beside("another", 1000, 1000 + apart).state == state


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is Linux's")
def test_the_kernel_tells_how_the_clock_is_kept():
    kept = clock.kept_by_kernel()
    assert kept is not None
    assert 0 <= kept.worst_ms < 60_000
