# pyright: reportUnknownMemberType=false
"""SQLite's files under a running hub: whether they are still there, have room, and can be read."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from farthing.errors import Unavailable

_BETWEEN_S = 1.0
_LOG_PAGES = 16_000
"""How long the log grows before it is brought home: 64 MiB, read back in a second after a crash."""
_LOG_PAGES_MIN = 100
_LOG_SHARE, _PAGE_BYTES = 8, 4096

_FRAME_BYTES = _PAGE_BYTES + 24
_AHEAD_BYTES, _NEAR_BYTES = 1 << 20, 1 << 18

_DAMAGED = (apsw.CorruptError, apsw.NotADBError)
_DISK = (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.ReadOnlyError, apsw.CantOpenError)


def meaning(fault: apsw.Error, path: str = "") -> Exception:
    """Say what an engine's error means to those who ask; itself where it is a fault of ours.

    Shape: with a `path`, for the operator: it tells where, and in SQLite's words what.
    """
    if isinstance(fault, _DAMAGED):
        return Unavailable("books-damaged", f"{path or 'the books'}: {fault}")
    if isinstance(fault, _DISK):
        told = f"{path}: {fault}" if path else "the books cannot be written now"
        return Unavailable("store-unavailable", told)
    return fault


def pages_of_log(folder: Path) -> int:
    """Say how long the log may grow: on a small disk an eighth of what is free there now.

    Shape: pages. What is brought home needs room as well, so the log must never take all of it.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return _LOG_PAGES
    return max(_LOG_PAGES_MIN, min(_LOG_PAGES, free // _LOG_SHARE // _PAGE_BYTES))


class BooksFiles:
    """The database's file and its log, as this process opened them.

    Shape: `path` is None where there is nothing on this disk to look at.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paths = () if path is None else (path, path.with_name(path.name + "-wal"))
        self._opened: dict[Path, tuple[int, int]] = {}
        self._cramped_at: float | None = None
        self._log_bytes = 0

    def check(self) -> None:
        """Look whether the names still lead to the files that are open.

        A file that was removed or replaced goes on taking commits, which are gone with the process.

        Raises: Unavailable `books-replaced`, as long as they do not.
        """
        for path in self._paths:
            found, self._log_bytes = _identity(path)
            before = self._opened.get(path)
            if before is None and found is not None:
                self._opened[path] = found
            elif before != found:
                detail = f"{path} was removed or replaced while this hub has it open"
                raise Unavailable("books-replaced", detail)

    def keep_ahead(self, pages: int, most: int) -> None:
        """Lengthen the log by zeros where a commit has come near its end; `most` pages in all.

        A commit that makes the file longer waits for the file system's own journal besides its
        data, and one that writes over what is there does not. SQLite reads the log up to the
        first frame that is none, as it does when it has begun to write it over.
        """
        used, room = pages * _FRAME_BYTES, most * _FRAME_BYTES - self._log_bytes
        if not self._paths or used + _NEAR_BYTES < self._log_bytes or self.is_cramped:
            return
        if room > 0:
            with contextlib.suppress(OSError):
                _lengthen(self._paths[-1], min(room, _AHEAD_BYTES))

    def cramped(self) -> None:
        """Remember that the disk was full."""
        self._cramped_at = self._clock() - _BETWEEN_S

    @property
    def is_cramped(self) -> bool:
        """Whether the log waits to be brought home since the disk was full."""
        return self._cramped_at is not None

    def make_room(self, writer: apsw.Connection) -> None:
        """Bring the log home after the disk was full, so that it does not eat what is freed.

        Shape: tried once a second; the first time that it works is the last.
        """
        if self._cramped_at is None or self._clock() - self._cramped_at < _BETWEEN_S:
            return
        self._cramped_at = self._clock()
        with contextlib.suppress(apsw.Error):
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._cramped_at = None


def _identity(path: Path) -> tuple[tuple[int, int] | None, int]:
    """Tell which file this is, if there is one, and how long it is."""
    try:
        found = path.stat()
    except OSError:
        return None, 0
    return (found.st_dev, found.st_ino), found.st_size


def _lengthen(log: Path, by: int) -> None:
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, bytes(by))
    finally:
        os.close(file)


__all__ = ["BooksFiles", "meaning", "pages_of_log"]
