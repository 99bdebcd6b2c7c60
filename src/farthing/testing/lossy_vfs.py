# pyright: reportUnknownMemberType=false, reportIncompatibleMethodOverride=false
"""A disk for SQLite that forgets, in a power cut, all that was not synced.

Everything is kept in memory, twice: as the running programme sees it, and as it would be found
after the power came back. Only `xSync` brings the second up to the first; a file's name is safe
only after its directory was synced, which SQLite asks for with journals and deletions. A real
file of the same name is opened for locks and shared memory, and stays empty.
"""

import random
import threading
from collections.abc import Callable
from typing import Any

import apsw

_SECTOR = 512
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL

_Change = tuple[int, bytes | None]
"""A write at an offset, or (None) a cut to this length."""


class _Stored:
    """One file: what is seen now, what would survive, and the changes between."""

    def __init__(self, content: bytes = b"", *, named: bool = False) -> None:
        self.now, self.safe = bytearray(content), bytearray(content)
        self.unsynced: list[_Change] = []
        self.named = named
        """Whether its directory entry is safe."""

    def copy(self) -> "_Stored":
        """Give it as it is, apart from those who have it open."""
        made = _Stored(named=self.named)
        made.now, made.safe = bytearray(self.now), bytearray(self.safe)
        made.unsynced = list(self.unsynced)
        return made

    def change(self, change: _Change) -> None:
        """Change what is seen."""
        _apply(self.now, change)
        self.unsynced.append(change)

    def sync(self) -> None:
        """Make what is seen safe."""
        for change in self.unsynced:
            _apply(self.safe, change)
        self.unsynced.clear()


def _apply(content: bytearray, change: _Change) -> None:
    place, written = change
    if written is None:
        del content[place:]
        return
    if len(content) < place:
        content.extend(bytes(place - len(content)))
    content[place : place + len(written)] = written


class LossyVfs(apsw.VFS):
    """The disk. Register it by making one; name it to `SqliteDatabase(…, vfs=name)`.

    Shape: `ignores_sync` makes a disk that lies: it shows whether a test would see a loss.
           `luck` lets a random choice of unsynced changes survive, torn at sectors, which is
           what disks really do; without it nothing unsynced survives.
    """

    def __init__(
        self, name: str, *, ignores_sync: bool = False, luck: random.Random | None = None
    ) -> None:
        super().__init__(name, "")
        self.ignores_sync, self._luck = ignores_sync, luck
        self.guard = threading.RLock()
        self.is_on = True
        self.syncs = 0
        self._files: dict[str, _Stored] = {}
        self._removed: dict[str, _Stored] = {}
        self._left: int | None = None
        self._on_cut: Callable[[], None] | None = None

    @property
    def names(self) -> list[str]:
        """The files that are there now."""
        return list(self._files)

    @property
    def unsynced(self) -> int:
        """How many changes of files a power cut could lose now."""
        return sum(len(stored.unsynced) for stored in self._files.values())

    def content(self, name: str) -> bytes:
        """Give a file as it is seen now; nothing if it is not there."""
        return bytes(self._files[name].now) if name in self._files else b""

    def cut_after(self, operations: int, on_cut: Callable[[], None]) -> None:
        """Cut the power after so many more writes, syncs and deletions; tell `on_cut` just before.

        Shape: the programme goes on unawares; nothing it does from then on is kept.
        """
        with self.guard:
            self._left, self._on_cut = operations, on_cut

    def cut(self) -> None:
        """Cut the power now."""
        with self.guard:
            if not self.is_on:
                return
            if self._on_cut is not None:
                self._on_cut()
            self.is_on = False
            named = {name: stored for name, stored in self._files.items() if stored.named}
            self._files = {
                name: _Stored(self._survives(stored), named=True)
                for name, stored in {**self._removed, **named}.items()
            }
            self._removed = {}

    def end_process(self) -> None:
        """End the programme and nothing else: what it wrote stays seen, and unsynced as it was."""
        with self.guard:
            self.is_on = False
            self._files = {name: stored.copy() for name, stored in self._files.items()}
            self._removed = {name: stored.copy() for name, stored in self._removed.items()}

    def power_on(self) -> None:
        """Give the disk back as it was found; close every old connection before."""
        with self.guard:
            self.is_on, self._left, self._on_cut = True, None, None

    def _survives(self, stored: _Stored) -> bytes:
        content = bytearray(stored.safe)
        if self._luck is None:
            return bytes(content)
        for place, written in stored.unsynced:
            if written is None:
                if self._luck.random() < 0.5:
                    _apply(content, (place, None))
                continue
            for start in range(0, len(written), _SECTOR):
                if self._luck.random() < 0.5:
                    _apply(content, (place + start, written[start : start + _SECTOR]))
        return bytes(content)

    def tick(self, operation: str) -> None:  # noqa: ARG002 - for those who make a worse disk of it
        """Count an operation (write, truncate, sync, delete), and cut the power when it is time."""
        if self._left is None or not self.is_on:
            return
        self._left -= 1
        if self._left < 0:
            self.cut()

    def sync_names(self) -> None:
        """Make the directory safe: which files there are, and which no more."""
        self._removed.clear()
        for stored in self._files.values():
            stored.named = True

    def xOpen(self, name: Any, flags: list[int]) -> "LossyFile":  # noqa: N802 - SQLite's names
        """Open a file of the disk, or make it."""
        path = name if isinstance(name, str) or name is None else name.filename()
        with self.guard:
            if path is None or not self.is_on:
                stored = _Stored()
            else:
                stored = self._files.setdefault(path, _Stored())
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return LossyMainFile(self, stored, name, flags)
        flags[1] = flags[0]
        return LossyFile(self, stored, is_journal=bool(flags[0] & _JOURNALS))

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's
        """Delete a file; until the directory is synced it may come back."""
        with self.guard:
            self.tick("delete")
            if not self.is_on:
                return
            stored = self._files.pop(filename, None)
            if stored is None:
                raise _no_such_file()
            if stored.named:
                self._removed[filename] = stored
            if syncdir and not self.ignores_sync:
                self.sync_names()

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: ARG002, N802 - SQLite's
        """Tell whether a file is there."""
        with self.guard:
            return pathname in self._files


class LossyFile:
    """An open file of the disk."""

    def __init__(self, disk: LossyVfs, stored: _Stored, *, is_journal: bool = False) -> None:
        self._disk, self._stored, self._is_journal = disk, stored, is_journal

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        """Read what is seen now."""
        with self._disk.guard:
            return bytes(self._stored.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write, unsynced."""
        with self._disk.guard:
            self._disk.tick("write")
            self._stored.change((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """Cut, unsynced."""
        with self._disk.guard:
            self._disk.tick("truncate")
            self._stored.change((newsize, None))

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802
        """Make the file safe, and with a journal its directory."""
        with self._disk.guard:
            self._disk.tick("sync")
            self._disk.syncs += 1
            if self._disk.ignores_sync:
                return
            self._stored.sync()
            if self._is_journal and self._disk.is_on:
                self._disk.sync_names()

    def xFileSize(self) -> int:  # noqa: N802
        """Tell the size that is seen now."""
        with self._disk.guard:
            return len(self._stored.now)

    def xClose(self) -> None:  # noqa: N802
        """Close it."""

    def xSectorSize(self) -> int:  # noqa: N802
        """Tell how much is written at once."""
        return _SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        """Promise nothing."""
        return 0

    def xFileControl(self, op: int, ptr: int) -> bool:  # noqa: ARG002, N802
        """Know no commands."""
        return False

    def xLock(self, level: int) -> None:  # noqa: N802
        """Lock nothing: only the main file is shared."""

    def xUnlock(self, level: int) -> None:  # noqa: N802
        """Unlock nothing."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        """Tell that nobody has locked it."""
        return False


class LossyMainFile(LossyFile, apsw.VFSFile):
    """The database itself: its locks and shared memory are those of a real, empty file."""

    def __init__(self, disk: LossyVfs, stored: _Stored, name: Any, flags: list[int]) -> None:
        apsw.VFSFile.__init__(self, "", name, flags)
        LossyFile.__init__(self, disk, stored)

    def xLock(self, level: int) -> None:  # noqa: N802
        """Lock the real file."""
        apsw.VFSFile.xLock(self, level)

    def xUnlock(self, level: int) -> None:  # noqa: N802
        """Unlock the real file."""
        apsw.VFSFile.xUnlock(self, level)

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        """Ask the real file."""
        return apsw.VFSFile.xCheckReservedLock(self)

    def xClose(self) -> None:  # noqa: N802
        """Close the real file."""
        apsw.VFSFile.xClose(self)


def _no_such_file() -> Exception:
    fault = apsw.IOError("there is no such file")
    setattr(fault, "extendedresult", apsw.SQLITE_IOERR_DELETE_NOENT)  # noqa: B010 - undeclared
    return fault
