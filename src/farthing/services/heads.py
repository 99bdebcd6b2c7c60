"""The second place for heads: a file that shows when books were cut or put back."""

import os
from pathlib import Path
from typing import NamedTuple

from farthing.core.chain import Head
from farthing.errors import BadConfig
from farthing.store.database import Database
from farthing.store.history import head_digest


class KnownHead(NamedTuple):
    """A head's number and digest."""

    number: int
    digest: bytes


class HeadsFile:
    """One line per commit, appended after it is durable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(self, head: Head) -> None:
        """Write a head down."""
        os.write(self._file, f"{head.number} {head.digest.hex()}\n".encode())

    def newest(self) -> KnownHead | None:
        """Read the newest head; a line torn by a crash does not count."""
        newest = None
        for line in self._path.read_text().splitlines():
            number, _, digest = line.partition(" ")
            if len(digest) == 64:
                newest = KnownHead(int(number), bytes.fromhex(digest))
        return newest

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def check_not_rolled_back(database: Database, heads: HeadsFile, *, accept: bool = False) -> str:
    """Refuse books that lack their newest known head; give its digest if that is accepted.

    Raises: BadConfig `books-rolled-back`.
    """
    known = heads.newest()
    if known is None:
        return ""
    if database.transact(lambda tx: head_digest(tx, known.number)) == known.digest:
        return ""
    if accept:
        return known.digest.hex()
    raise BadConfig(
        "books-rolled-back",
        f"the books lack commit {known.number}, which they once had; "
        "restore newer books, or go on with --accept-rollback",
    )
