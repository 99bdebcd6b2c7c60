"""Changes of SQLite's files: pages changed for each other or put back, the log cut and torn."""

from collections.abc import Iterator
from pathlib import Path

import apsw

from farthing.services.audit import examine
from farthing.store.sqlite import SqliteTx
from tests.corruption.small import MOMENTS
from tests.services.lived_in import ROOT

PAGE = 4096
_LOG_HEAD, _FRAME_HEAD = 32, 24


def audited(path: Path, heads):
    """Audit the books in a file, as `farthing audit` reads them; None if SQLite will not open."""
    try:
        connection = apsw.Connection(str(path))
    except apsw.Error as fault:
        return str(fault)
    try:
        connection.execute("BEGIN")
        fault = examine(SqliteTx(connection), ROOT.public, heads).fault
    except apsw.Error as fault:
        return str(fault)
    finally:
        connection.close()
    return None if fault is None else str(fault)


def pages_of(path: Path) -> list[bytes]:
    """Read a file's pages."""
    raw = path.read_bytes()
    return [raw[i : i + PAGE] for i in range(0, len(raw), PAGE)]


def _says_the_same(one: bytes, two: bytes) -> bool:
    """Tell whether two pages are equal, or of one kind and both without a row."""
    empty = one[:1] == two[:1] and one[3:5] == two[3:5] == bytes(2)
    return one == two or (empty and one[0] in (2, 10, 13))


def swapped_pages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give the file with each page changed for each other page."""
    pages = pages_of(path)
    for one in range(len(pages)):
        for two in range(one + 1, len(pages)):
            if not _says_the_same(pages[one], pages[two]):
                changed = [*pages]
                changed[one], changed[two] = pages[two], pages[one]
                yield f"pages {one + 1} and {two + 1} changed", b"".join(changed)


def restored_pages(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give the file with each page as it was at an earlier moment."""
    pages = pages_of(folder / "books.db")
    for moment in range(MOMENTS - 1):
        for number, old in enumerate(pages_of(folder / f"moment-{moment}.db")):
            if not _says_the_same(old, pages[number]):
                changed = [*pages[:number], old, *pages[number + 1 :]]
                yield f"page {number + 1} of moment {moment}", b"".join(changed)


def cut_logs(folder: Path) -> Iterator[tuple[str, bytes, bool]]:
    """Give the log cut before each frame, torn inside it and spoilt in it.

    Shape: each with whether a commit is lost by it: whether a commit's last frame is behind.
    """
    raw = (folder / "log.db-wal").read_bytes()
    size = _FRAME_HEAD + PAGE
    starts = range(_LOG_HEAD, len(raw) - size + 1, size)
    salt = raw[16:24]
    valid = [at for at in starts if raw[at + 8 : at + 16] == salt]
    commits = [at for at in valid if raw[at + 4 : at + 8] != bytes(4)]
    yield "log whole", raw, False
    for at in valid:
        loses = at <= commits[-1]
        yield f"log cut before byte {at}", raw[:at], loses
        yield f"log torn after byte {at}", raw[: at + size // 3], loses
        middle = at + _FRAME_HEAD + PAGE // 2
        spoilt = raw[:middle] + bytes((raw[middle] ^ 1,)) + raw[middle + 1 :]
        yield f"log spoilt at byte {middle}", spoilt, loses
