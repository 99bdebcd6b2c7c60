"""Where tests keep their files: in memory where there is room, as most of a run was a disk's work.

A commit is on disk before it is answered, and a test makes dozens. What a disk loses with the power
no test here sees, on any file system: a killed process loses nothing of a page cache. Those that
count `fsync` count the calls. `make prove`, or a TMPDIR of one's own, takes the disk.
"""

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import psutil

from farthing.store.migrate import migrate
from farthing.store.sqlite import SqliteDatabase
from tests.effort import REPEATED

MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 * 2**30
"""What a whole run may need at a time, several times over."""


def choose_place(marks: str) -> None:
    """Let temporary files be in memory, for this process and those that it starts."""
    if REPEATED and marks != "prove" and "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # It may have been asked for already.


def _has_room() -> bool:
    """Tell whether memory has room for a run's files; a container's is often tiny."""
    try:
        room = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:
        return False
    return room > ROOM_BYTES and os.access(MEMORY, os.W_OK)


def empty_books(place: Path) -> Path:
    """Put migrated, empty SQLite books there."""
    place.write_bytes(_migrated())
    return place


@cache
def _migrated() -> bytes:
    """Migrate once; hundreds of tests begin so. The migrations have tests of their own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "books.db"
        database = SqliteDatabase(place, None)
        migrate(database)
        database.close()
        return place.read_bytes()
