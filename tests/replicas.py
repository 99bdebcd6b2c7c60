"""Three replicas of a TigerBeetle, each with its file: a test may kill and freeze each of them."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.clusters import ABSENT, Running
from tests.ports import free_port

COUNT = 3
_STARTS_SECONDS = 120
_BECAME_PRIMARY = re.compile(r"view=(?:\d+\.\.)?(\d+) primary$", re.MULTILINE)


class Replica(Running):
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
        """Start it with the file that it has; `wait_listening` says when it listens."""
        command = self._command("start", f"--addresses={','.join(self._addresses)}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log)

    def wait_listening(self) -> None:
        """Wait until it listens."""
        self.wait_ready(self._addresses[self._number], _STARTS_SECONDS)

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
            replica.wait_listening()

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
