"""Waiting until a killed hub is gone: its writing process lives on until it sees that it is alone.

Until then it may finish a commit. Whoever starts another hub need not wait, for that one does so
itself; whoever goes on with the files by hand must.
"""

import fcntl
import time
from pathlib import Path

_PATIENCE_SECONDS = 60


def wait_until_gone(books: Path) -> None:
    """Wait until no process has the writer's lock of these books: hub and writing process share it.

    Shape: where there is no such lock, as beside PostgreSQL, nothing is waited for.
    """
    lock = Path(f"{books}.lock")
    if not lock.exists():
        return
    until = time.monotonic() + _PATIENCE_SECONDS
    with lock.open("r+b") as held:
        while not _free(held.fileno()):
            assert time.monotonic() < until, f"something still writes to {books}"
            time.sleep(0.01)


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
