"""Three replicas of a TigerBeetle, each with its file: a test may kill and freeze each of them."""

import contextlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.clusters import ABSENT
from tests.ports import free_port

COUNT = 3
_STARTS_SECONDS = 120
_BECAME_PRIMARY = re.compile(r"view=(?:\d+\.\.)?(\d+) primary$", re.MULTILINE)


class Replica:
    """One of them."""

    def __init__(self, executable: str, folder: Path, number: int, addresses: list[str]) -> None:
        self._number, self._addresses = number, addresses
        self._executable, self._file = executable, folder / str(number)
        self._log = folder / f"log{number}"
        form = [f"--replica={number}", f"--replica-count={len(addresses)}", "--cluster=0"]
        subprocess.run(self._command("format", *form), check=True, stderr=subprocess.DEVNULL)
        self.start()

    def _command(self, word: str, *options: str) -> list[str]:
        return [self._executable, word, *options, "--development", str(self._file)]

    def start(self) -> None:
        """Start it with the file that it has; `wait_ready` says when it listens."""
        command = self._command("start", f"--addresses={','.join(self._addresses)}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)

    def wait_ready(self) -> None:
        """Wait until it listens."""
        host, _, port = self._addresses[self._number].partition(":")
        until = time.monotonic() + _STARTS_SECONDS
        while time.monotonic() < until:
            assert self._process.poll() is None, self._log.read_text()
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            time.sleep(0.05)
        raise AssertionError("a replica does not start: " + self._log.read_text())

    def kill(self) -> None:
        """End it as `kill -9` does, frozen or not."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it answer nothing, with all its connections open."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def view(self) -> int:
        """The newest view whose primary it became; -1 for none."""
        return max(map(int, _BECAME_PRIMARY.findall(self._log.read_text())), default=-1)


class Replicas:
    """All of them, on this machine."""

    def __init__(self, executable: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="farthing-replicas-", dir="/tmp"))
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(COUNT)]
        self.addresses = ",".join(addresses)
        self.all = [Replica(executable, self._folder, n, addresses) for n in range(COUNT)]
        for replica in self.all:
            replica.wait_ready()

    @property
    def primary(self) -> Replica:
        """The one that became primary last."""
        return max(self.all, key=lambda replica: replica.view)

    @property
    def backups(self) -> list[Replica]:
        """The others."""
        primary = self.primary
        return [replica for replica in self.all if replica is not primary]

    def close(self) -> None:
        """End them and leave nothing behind."""
        for replica in self.all:
            replica.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def own_replicas() -> Replicas:
    """Give replicas that a test may do anything to; skip where there is no executable."""
    executable = shutil.which("tigerbeetle")
    if executable is None:
        pytest.skip(ABSENT)
    return Replicas(executable)
