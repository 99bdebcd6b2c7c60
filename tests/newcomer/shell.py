"""A newcomer's shell: the blocks of a document, word for word, with nothing but this machine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ISOLATED = ["unshare", "--user", "--map-root-user", "--net"]
_LOOPBACK_UP = (
    "import fcntl, socket, struct; s = socket.socket();"
    "fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x49))"
)


_WHOLE = re.DOTALL | re.MULTILINE
_MARKED = re.compile(r"^ *<!-- not run: [^\n]+ -->\n *```sh\n.*?^ *```\n", _WHOLE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```", _WHOLE)
_PROMISE = re.compile(r"^```sh\n(?:(?!^```).)*^```\n\n```text\n(.*?)^```", _WHOLE)


def blocks(document: Path) -> list[str]:
    """Give what a reader would type, in the document's order, but for what is marked as not run."""
    return _BLOCK.findall(_MARKED.sub("", document.read_text()))


def broken_promises(document: Path, told: str) -> list[str]:
    """List the lines that the document shows as output and that were not told; … is anything."""
    shown = [line for block in _PROMISE.findall(document.read_text()) for line in block.split("\n")]
    patterns = {line: re.escape(line.strip()).replace("…", ".*") for line in shown if line.strip()}
    return [line for line, pattern in patterns.items() if not re.search(pattern, told)]


def can_isolate() -> bool:
    """Tell whether a process here can be given a network of its own."""
    if shutil.which("unshare") is None:
        return False
    probe = subprocess.run([*_ISOLATED, sys.executable, "-c", _LOOPBACK_UP], capture_output=True)
    return probe.returncode == 0


def type_in(
    script: str, folder: Path, environment: dict[str, str], *, seconds: float = 400
) -> subprocess.CompletedProcess[str]:
    """Run a script in a shell that reaches nothing outside this machine, and stop its jobs."""
    told = {
        "HOME": str(folder),
        "FARTHING_HOME": str(folder / "farthing home"),
        "PATH": os.environ["PATH"],
        "NO_COLOR": "1",
        **environment,
    }
    lines = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    isolated = can_isolate()
    if isolated:
        lines.append(f'{sys.executable} -c "{_LOOPBACK_UP}"')
    command = [*(_ISOLATED if isolated else []), "bash", "-c", "\n".join([*lines, script])]
    return subprocess.run(
        command, cwd=folder, env=told, capture_output=True, text=True, timeout=seconds
    )
