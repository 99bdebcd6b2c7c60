"""The second place for heads: a file of signed heads, apart from the database.

Books that were cut at their tail or restored from an older copy are right in themselves; only a
note of a newer head shows what is missing. So the file belongs on another disk, or another
machine, than the books.
"""

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from farthing.bounded import read_stream
from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.audit_faults import broken
from farthing.core.audit_leaf import read_statement
from farthing.core.chain import Head, head_fault, proof_fault
from farthing.core.events import EVENTS, PER_LEAF, Kind
from farthing.core.heads import head_line, lost_heads, misplaced_head, read_head_line
from farthing.core.identity import CERTIFICATES, certificate_fault
from farthing.core.owners import OPERATOR_OWNER
from farthing.errors import BadConfig, Malformed
from farthing.folders import private_folder
from farthing.store.audit_rows import head_digests, head_seals
from farthing.store.database import Tx
from farthing.store.history import proof_of
from farthing.store.mapping import mapping

T = TypeVar("T")

KEPT = 20_000
"""How many heads at least are kept; up to twice as many before the older half is dropped."""

_WRITERS_MAX = {"sqlite": 1, "postgresql": 16}
"""How many processes may note heads in one file, each a little later than its commit."""

_LINE_BYTES = 480
_TAIL_BYTES = 4096

FILE_BYTES_MAX = 4 * KEPT * _LINE_BYTES
"""The longest heads file that is read: four times what a hub lets it grow to."""


class Transacts(Protocol):
    """The part of a database that is needed at start-up."""

    def transact(self, work: Callable[[Tx], T]) -> T: ...


class HeadsFile:
    """An append-only file of heads, bounded in size, with one older half beside it (`.1`).

    Shape: several processes may append to one file. A line that a crash tore at the end is
           dropped when the next is written; any other line that is no head is an error.
    """

    def __init__(
        self,
        path: Path,
        *,
        kept: int = KEPT,
        on_fault: Callable[[OSError], None] | None = None,
    ) -> None:
        self.path, self._on_fault = path, on_fault
        self._older = path.with_name(path.name + ".1")
        self._bytes_max = kept * _LINE_BYTES
        self._file: int | None = None

    def append(self, head: Head) -> None:
        """Note a head; call it when its commit is durable.

        Shape: one `write`, not waited for: what a power cut takes from the file's end makes it
               older than the books, which is no harm. It never fails a payment: a file that
               cannot be written is reported to `on_fault`.
        """
        try:
            self._write(head_line(head))
        except OSError as fault:
            if self._on_fault is not None:
                self._on_fault(fault)

    def newest(self) -> Head | None:
        """Give the head noted last, None if there is none.

        Raises: BadConfig `heads-file-broken`.
        """
        torn = b""
        for path in (self.path, self._older):
            lines, rest = _lines_and_rest(path, _TAIL_BYTES)
            if not lines:
                lines, rest = _lines_and_rest(path)
            if lines:
                return _read(path, lines[-1])
            torn += rest
        _check_rest(self.path, torn)
        return None

    def read(self) -> list[Head]:
        """Give all heads that are kept, in the order they were noted.

        Raises: BadConfig `heads-file-broken`.
        """
        heads: list[Head] = []
        for path in (self._older, self.path):
            lines, rest = _lines_and_rest(path)
            heads += [_read(path, line) for line in lines]
            _check_rest(path, rest)
        return heads

    def close(self) -> None:
        """Close the file, and let the disk have it."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def _write(self, line: bytes) -> None:
        file, size = self._current()
        if size + len(line) > self._bytes_max:
            file, size = self._rotate(file)
        if os.write(file, line) != len(line):
            os.ftruncate(file, size)
            raise OSError("the heads file took a part of a line only")

    def _current(self) -> tuple[int, int]:
        """Give the file to append to, and how long it is."""
        if self._file is not None:
            size = _size_if_still(self._file, self.path)
            if size is not None:
                return self._file, size
            os.close(self._file)  # Another process has rotated it.
            self._file = None
        private_folder(self.path.parent)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        _drop_torn_line(self._file)
        return self._file, os.fstat(self._file).st_size

    def _rotate(self, file: int) -> tuple[int, int]:
        fcntl.flock(file, fcntl.LOCK_EX)
        if _size_if_still(file, self.path) is not None:
            os.fsync(file)
            self.path.replace(self._older)
        return self._current()


def _size_if_still(file: int, path: Path) -> int | None:
    """Tell how long a file is, if its name still leads to it."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return None
    opened = os.fstat(file)
    same = (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
    return opened.st_size if same else None


def _drop_torn_line(file: int) -> None:
    size = end = os.fstat(file).st_size
    while end:
        start = max(0, end - _TAIL_BYTES)
        found = os.pread(file, end - start, start).rfind(b"\n")
        end = start + found + 1 if found >= 0 else start
        if found >= 0:
            break
    if end < size:
        os.ftruncate(file, end)


def _lines_and_rest(path: Path, tail_bytes: int | None = None) -> tuple[list[bytes], bytes]:
    """Read whole lines, and what follows the last line feed: nothing, or a line that was torn."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            skipped = tail_bytes is not None and size > tail_bytes
            if skipped:
                file.seek(-(tail_bytes or 0), os.SEEK_END)
            *lines, rest = read_stream(file, str(path), FILE_BYTES_MAX).split(b"\n")
    except FileNotFoundError:
        return [], b""
    except Malformed as fault:
        raise _broken(fault.detail) from None
    return lines[1 if skipped else 0 :], rest


def _check_rest(path: Path, rest: bytes) -> None:
    if b"\0" in rest:
        raise _broken(
            f"{path}: NULs stand where a head should: a power cut may leave them at the end, which"
            " the next start cuts off; anything else was somebody"
        )


def _read(path: Path, line: bytes) -> Head:
    try:
        return read_head_line(line)
    except Malformed as fault:
        raise _broken(f"{path}: {fault.detail}") from None


def _broken(what: str) -> BadConfig:
    detail = f"{what}; put it aside only if you know that nobody changed it"
    return BadConfig("heads-file-broken", detail)


def check_not_rolled_back(
    database: Transacts,
    heads: HeadsFile,
    *,
    accept: bool = False,
    root_public: str | None = None,
) -> str | None:
    """Refuse books that do not contain the newest head noted; None if they do.

    Shape: with `accept`, gives the lost head, which the caller records by committing
           `AcceptRollback`. The check passes as soon as that is committed, whether or not its
           own head has reached the file: a crash may come between, and a power cut may take the
           file's end. Until it is committed, the check does not pass.
    Raises: BadConfig `books-rolled-back`, `heads-file-broken`.
    """
    newest = heads.newest()
    if newest is None:
        return None
    fault = head_fault(newest)
    if fault is not None:
        raise BadConfig("heads-file-broken", f"{heads.path}: its newest head is wrong: {fault}")
    if database.transact(lambda tx: head_digests(tx, [newest.number])) == {
        newest.number: newest.digest
    }:
        return None
    lost = to_base64url(newest.digest)
    if database.transact(lambda tx: _is_accepted(tx, lost, root_public)):
        return None
    if accept:
        return lost
    raise BadConfig(
        "books-rolled-back",
        f"the books do not contain commit {newest.number} ({lost}), which {heads.path} noted:"
        " they are an older copy, or their end was cut off. Put the newest copy back. If it is"
        " lost for good, start once with --accept-rollback: payments made since are gone, and"
        " that is recorded",
    )


def newest_kept(database: Transacts, heads: HeadsFile) -> Head | None:
    """Give the head noted last, if the books contain it."""
    newest = heads.newest()
    if newest is None:
        return None
    found = database.transact(lambda tx: head_digests(tx, [newest.number]))
    return newest if found == {newest.number: newest.digest} else None


def _is_accepted(tx: Tx, lost: str, root_public: str | None) -> bool:
    """Tell whether the history itself says that the loss of a head was accepted.

    An event shows the place; what counts is the statement there, under a head of this hub.
    """
    subject = f"head:{lost}"
    found = tx.rows(
        f"SELECT number FROM events WHERE {mapping(EVENTS).equal('owner')}"  # noqa: S608 - our words
        " AND kind = ? AND subject = ?",
        (OPERATOR_OWNER, Kind.HUB_ROLLBACK_ACCEPTED.value, subject),
    )
    return any(_states(tx, number // PER_LEAF, subject, root_public) for (number,) in found)


def _states(tx: Tx, leaf: int, subject: str, root_public: str | None) -> bool:
    proof = proof_of(tx, leaf)
    if proof is None or proof_fault(proof) is not None:
        return False
    said, head = read_statement(proof.statement), proof.head
    if (said.kind, said.subject) != (Kind.HUB_ROLLBACK_ACCEPTED, subject):
        return False
    return root_public is None or _may_sign(tx, head, root_public)


def _may_sign(tx: Tx, head: Head, root_public: str) -> bool:
    certificate = tx.fetch(CERTIFICATES, [head.key]).get(head.key)
    return (
        certificate is not None
        and certificate_fault(certificate, root_public) is None
        and head.time_ns // NS >= certificate.valid_from
    )


def check_heads(tx: Tx, heads: Sequence[Head], accepted: set[str]) -> None:
    """Check that every head noted is in the books, or was given up on record, and stands where
    it was noted.

    Raises: Broken.
    """
    stored = head_digests(tx, [head.number for head in heads])
    seals = head_seals(tx, [head.number for head in heads])
    for head in heads:
        known = stored.get(head.number) == head.digest
        if known and seals[head.number] != (head.key, head.signature):
            raise broken(
                "commit", "the heads file has it under another signature", number=head.number
            )
    strayed = misplaced_head(heads, stored, _WRITERS_MAX[tx.dialect])
    if strayed is not None:
        what = "the heads file has it at a place where it cannot have been noted"
        raise broken("commit", what, number=strayed.number)
    for head in lost_heads(heads, stored):
        lost = to_base64url(head.digest)
        if lost not in accepted:
            what = f"the heads file noted {lost}, and the books do not contain it"
            raise broken("commit", what, number=head.number)


__all__ = ["HeadsFile", "check_heads", "check_not_rolled_back", "newest_kept"]
