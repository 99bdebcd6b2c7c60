"""The disk: room, and whether what is said to be on it is on it.

What a file system is and how it is mounted is told by the kernel. How fast a sync is can only be
measured, and is a hint: no timing proves that a disk keeps what it promised.
"""

import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from farthing.cli.looks import Finding, State
from farthing.settings import Config

_FREE_BYTES_MIN = 1 << 30
_SYNC_MS_MIN = 0.02
_MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs")
_ELSEWHERE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "virtiofs", "vboxsf")
_NO_BARRIER = {"nobarrier", "barrier=0", "barrier=none"}
_MOVE = "put the hub's folder on a disk of this machine"


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: where, of what kind, with which options."""

    place: str
    kind: str
    options: frozenset[str]


def disk(config: Config) -> Iterator[Finding]:
    """Look at room, mount and sync of the disk that the books are on."""
    folder = config.path(config.books.path).parent
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= _FREE_BYTES_MIN else "warn"
    do = "free some room: without it payments stop, and nothing is lost"
    yield Finding("disk", state, f"{free / 1e9:.1f} GB free at {folder}", do)
    if _MOUNTS.exists():
        yield judged(mount_of(folder.resolve(), _MOUNTS.read_text()))
    yield _sync(folder)


def mount_of(folder: Path, told: str) -> Mount | None:
    """Find the mount that a folder is on; of several at one place the last covers the others.

    Source: proc_pid_mountinfo(5).
    """
    found: Mount | None = None
    for line in told.splitlines():
        before, _, after = line.partition(" - ")
        fields, more = before.split(" "), after.split(" ")
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        covers = folder == Path(place) or Path(place) in folder.parents
        if covers and (found is None or len(place) >= len(found.place)):
            options = frozenset([*fields[5].split(","), *more[2].split(",")])
            found = Mount(place, more[0], options)
    return found


def judged(mount: Mount | None) -> Finding:
    """Judge the mount that books are on."""
    what = "file system"
    if mount is None:
        return Finding(what, "ok", "unknown")
    seen = f"{mount.kind} at {mount.place}"
    if mount.options & _NO_BARRIER:
        seen += f", {', '.join(sorted(mount.options & _NO_BARRIER))}"
        return Finding(
            what, "fail", seen, "mount it with barriers: a power cut would take payments"
        )
    if mount.kind in _IN_MEMORY:
        return Finding(what, "warn", f"{seen}: memory, gone at the next restart", _MOVE)
    if mount.kind == "overlay":
        do = "mount a volume for the hub's folder: a container's own layer goes with the container"
        return Finding(what, "warn", seen, do)
    if mount.kind in _ELSEWHERE or mount.kind.startswith("fuse"):
        seen += ": another machine or program answers for it"
        return Finding(what, "warn", seen, f"{_MOVE}: SQLite's log needs one")
    return Finding(what, "ok", seen)


def _sync(folder: Path) -> Finding:
    took = _sync_ms(folder)
    if took >= _SYNC_MS_MIN:
        return Finding("disk sync", "ok", f"{took:.2f} ms a commit (median of 9)")
    seen = f"{took:.3f} ms: perhaps too fast to be true, which is a guess from timing alone"
    do = "make sure that the disk, and each cache before it, honours a sync"
    return Finding("disk sync", "warn", seen, do)


def _sync_ms(folder: Path) -> float:
    with tempfile.TemporaryFile(dir=folder) as file:
        taken: list[float] = []
        for _ in range(9):
            file.write(b"\0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)
