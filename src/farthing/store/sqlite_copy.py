# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
"""Copying a SQLite file while others write to it: one snapshot, page by page."""

from collections.abc import Callable
from pathlib import Path

import apsw

from farthing.store.sqlite_files import meaning

_PAGES = 2048


def copy_books(source: Path, target: Path, on_progress: Callable[[int, int], None]) -> None:
    """Copy the books as they are at one moment; `on_progress` gets pages done and pages in all."""
    try:
        _copy(source, target, on_progress)
    except apsw.Error as fault:
        raise meaning(fault, f"{source} to {target.parent}") from fault


def _copy(source: Path, target: Path, on_progress: Callable[[int, int], None]) -> None:
    reading = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    writing = apsw.Connection(str(target))
    try:
        target.chmod(0o600)
        reading.execute("BEGIN")
        reading.execute("SELECT number FROM migrations").fetchall()  # The snapshot begins here.
        with writing.backup("main", reading, "main") as copying:
            while not copying.done:
                copying.step(_PAGES)
                on_progress(copying.page_count - copying.remaining, copying.page_count)
        reading.execute("ROLLBACK")
        writing.pragma("journal_mode", "delete")  # One file, without a log beside it.
    finally:
        writing.close()
        reading.close()
