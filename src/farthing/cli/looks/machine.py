"""This machine: Python, open files, keys, and the purse of a device that lives here too."""

import sys
from collections.abc import Iterator
from pathlib import Path

from farthing.cli.looks import Finding
from farthing.device.purse import default_path, is_purse, open_purse
from farthing.opening import key_ring, passphrase_of
from farthing.settings import Config

_FILES_MIN = 4096


def python(_config: Config) -> Iterator[Finding]:
    """Say which Python runs."""
    told = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("python", "ok", told)


def open_files(_config: Config) -> Iterator[Finding]:
    """Look how many files and connections may be open."""
    import resource  # noqa: PLC0415 - not on every system

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES_MIN:
        do = f"raise it to {_FILES_MIN} or more: ulimit -n, or LimitNOFILE= in the unit"
        yield Finding("open files", "warn", f"at most {soft}", do)
    else:
        yield Finding("open files", "ok", f"at most {soft}")


def keys(config: Config) -> Iterator[Finding]:
    """Look whether the keys can be read, and by nobody else."""
    ring = key_ring(config)
    opened = [p for p in (ring.folder, *sorted(ring.folder.glob("*.key"))) if _mode(p) & 0o077]
    for path in opened:
        seen = f"{path} is open to others ({_mode(path):o})"
        yield Finding("keys", "fail", seen, f"run: chmod go-rwx {path}")
    if opened:
        return
    if ring.protected and passphrase_of(config).told() is None:
        yield Finding("keys", "ok", "under a passphrase, which was not told to this command")
        return
    for read in (ring.root_public, ring.signing, ring.challenge_secrets):
        read()
    if ring.root_is_here:
        ring.root()
    root = "here" if ring.root_is_here else "kept elsewhere"
    sealed = "under a passphrase" if ring.protected else "without a passphrase"
    yield Finding("keys", "ok", f"signing and challenge keys can be read, {sealed}; root {root}")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def purse(_config: Config) -> Iterator[Finding]:
    """Look for payments of this machine that had no answer."""
    path = default_path()
    if not is_purse(path):
        yield Finding("purse", "ok", "none here; this machine does not pay")
        return
    opened = open_purse(path)
    left = len(opened.journal.unresolved())
    do = "run the same farthing pay again: what was signed is sent again, and paid once"
    seen = f"{opened.device} of the hub {opened.hub}, {left} payments without an answer"
    yield Finding("purse", "warn" if left else "ok", seen, do)
