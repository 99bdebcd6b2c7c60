"""What systemd would do with our units, done by hand: their settings, and their ExecStart run."""

import ctypes
import os
import resource
import shlex
import socket
import string
import subprocess
import sys
import time
from pathlib import Path

from tests.observe.shipped import DEPLOY

UNITS = DEPLOY / "systemd"
PROGRAMS = "/opt/farthing/bin"
STATE = "/var/lib/farthing"
_NO_NEW_PRIVILEGES, _REFUSE_WRITE_EXECUTE = 38, 65
_PATIENCE_SECONDS = 60


def settings(name: str) -> dict[str, list[str]]:
    """Read a unit: every value of every setting, in order; comments and sections are left out."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


class Manager:
    """Starts units of ours as systemd would, in a folder instead of this machine's own."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.credentials = folder / "credentials"
        self.credentials.mkdir()
        self._address = str(folder / "notify")
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(self._address)
        self.heard.settimeout(1)

    def keep(self, name: str, secret: str) -> None:
        """Hand a credential to the units, with the mode that an access list makes it show."""
        (self.credentials / name).write_text(secret)
        (self.credentials / name).chmod(0o440)

    def environment(self, name: str, told: dict[str, str]) -> dict[str, str]:
        """Give what a unit's process finds in its environment."""
        unit = settings(name)
        pairs = [p for line in unit.get("Environment", []) for p in line.split()]
        found = {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(self.credentials)}
        found |= dict(pair.split("=", 1) for pair in pairs)
        if unit["Type"] == ["notify"]:
            found["NOTIFY_SOCKET"] = self._address
        if "WatchdogSec" in unit:
            found["WATCHDOG_USEC"] = "2000000"  # More often than asked for: it is waited for.
        found = {key: self.here(value) for key, value in found.items()}
        if "PYTHONPATH" in os.environ:
            found["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return found | told

    def here(self, text: str) -> str:
        """Put this test's places where the unit names this machine's."""
        text = text.replace(PROGRAMS, str(Path(sys.executable).parent))
        return text.replace(STATE, str(self.state))

    def start(self, name: str, **told: str) -> subprocess.Popen[str]:
        """Run a unit's ExecStart; `told` is what its EnvironmentFile says."""
        unit, environment = settings(name), self.environment(name, told)
        words: list[str] = []
        for word in shlex.split(self.here(unit["ExecStart"][0])):
            # A variable in braces is one word, one without is split at spaces: systemd.service(5).
            if word.startswith("$") and not word.startswith("${"):
                words += environment[word[1:]].split()
            else:
                words.append(string.Template(word).substitute(environment))
        return subprocess.Popen(
            words,
            env=environment,
            cwd="/",
            text=True,
            stderr=subprocess.PIPE,
            preexec_fn=_confined,  # noqa: PLW1509 - no other thread is at work here
        )

    def wait_for(self, state: str) -> list[str]:
        """Wait until a unit tells its state, and give all that was told until then."""
        told: list[str] = []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                told.append(self.heard.recv(4096).decode())
            except TimeoutError:
                continue
            if state in told[-1].split("\n"):
                return told
        raise AssertionError(f"{state} was not told, but {told}")


def _confined() -> None:
    """Take from the process what the units take and a process can give up by itself."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_REFUSE_WRITE_EXECUTE, 1, 0, 0, 0)  # Older kernels than 6.3 know nothing of it.
