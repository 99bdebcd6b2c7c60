"""Signed and not yet resolved: kept on disk before the first send, so that a crash costs nothing.

A client that dies between signing and hearing the answer finds the credential here and sends
the same one again: the same credential can be paid once only. An entry in use is locked, by the
kernel, so that a second client makes a payment of its own instead of sharing this one; the lock
of a dead process is gone with it.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from farthing.bounded import read_file
from farthing.errors import Malformed
from farthing.folders import private_folder


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One credential and the request it is for.

    Units: `amount` counts smallest units; `expires` is whole Unix seconds.
    Shape: `request` names method, URL and body; `fields` are the header fields to send; `order`
           is what was signed, as written on the wire, so that it can be cancelled after a crash.
           Under the scheme `batch-settlement` a voucher was signed, and `payment` names it.
    """

    payment: str
    request: str
    method: str
    url: str
    language: str
    payee: str
    asset: str
    scale: int
    amount: int
    expires: int
    fields: list[tuple[str, str]]
    order: dict[str, str] = {}
    scheme: str = ""


def request_name(method: str, url: str, body: bytes) -> str:
    """Name a request by its method, URL and body: equal requests have equal names."""
    digest = hashlib.sha256()
    for part in (method.encode(), url.encode(), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


class Claimed(Protocol):
    """An entry that only this caller works on."""

    @property
    def entry(self) -> Entry: ...

    def resolve(self) -> None:
        """Forget the entry: its outcome is known."""
        ...

    def release(self) -> None:
        """Leave the entry for the next time the same request is made."""
        ...


class Journal(Protocol):
    """Where credentials are kept between signing and outcome."""

    def write(self, entry: Entry) -> Claimed:
        """Keep a new entry, durably, and claim it."""
        ...

    def claim(self, request: str) -> Claimed | None:
        """Claim an unresolved entry of this request that nobody else works on."""
        ...

    def unresolved(self) -> list[Entry]:
        """List every entry, in use or not."""
        ...


class FolderJournal:
    """A folder with one file for each entry, written and synced before it is used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        private_folder(path)

    def write(self, entry: Entry) -> Claimed:
        """Keep a new entry: the file and its name are on disk when this returns."""
        path = self._path / f"{entry.request}.{entry.payment}.json"
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, msgspec.json.encode(entry))
            os.fsync(descriptor)
            draft.replace(path)
            _sync_folder(self._path)
        except BaseException:
            os.close(descriptor)
            raise
        return _ClaimedFile(entry, path, descriptor)

    def claim(self, request: str) -> Claimed | None:
        """Claim the oldest unresolved entry of this request, if it is free."""
        for path in sorted(self._path.glob(f"{request}.*.json")):
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                return _claim_file(path)
        return None

    def unresolved(self) -> list[Entry]:
        """List every entry on disk."""
        return list(self._entries())

    def _entries(self) -> Iterator[Entry]:
        for path in sorted(self._path.glob("*.json")):
            with contextlib.suppress(FileNotFoundError):
                yield _read(path, read_file(path))


class _ClaimedFile:
    def __init__(self, entry: Entry, path: Path, descriptor: int) -> None:
        self.entry = entry
        self._path = path
        self._descriptor = descriptor

    def __del__(self) -> None:
        self.release()

    def resolve(self) -> None:
        self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class MemoryJournal:
    """A journal for devices that live no longer than their process."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._busy: set[str] = set()

    def write(self, entry: Entry) -> Claimed:
        """Keep a new entry while the process lives."""
        self._entries[entry.payment] = entry
        self._busy.add(entry.payment)
        return _ClaimedMemory(entry, self._entries, self._busy)

    def claim(self, request: str) -> Claimed | None:
        """Claim an unresolved entry of this request, if one is free."""
        for entry in self._entries.values():
            if entry.request == request and entry.payment not in self._busy:
                self._busy.add(entry.payment)
                return _ClaimedMemory(entry, self._entries, self._busy)
        return None

    def unresolved(self) -> list[Entry]:
        """List every entry."""
        return list(self._entries.values())


class _ClaimedMemory:
    def __init__(self, entry: Entry, entries: dict[str, Entry], busy: set[str]) -> None:
        self.entry = entry
        self._entries = entries
        self._busy = busy

    def resolve(self) -> None:
        self._entries.pop(self.entry.payment, None)
        self.release()

    def release(self) -> None:
        self._busy.discard(self.entry.payment)


def _claim_file(path: Path) -> _ClaimedFile:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            raise FileNotFoundError(path)  # Resolved by another client while we were opening it.
        return _ClaimedFile(_read(path, read_file(path)), path, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _read(path: Path, raw: bytes) -> Entry:
    try:
        return msgspec.json.decode(raw, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        detail = f"{path} is damaged; look the payment in its name up, then remove the file"
        raise Malformed("malformed-journal", detail) from None


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
