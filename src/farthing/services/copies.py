"""A copy of the books as one file: made beside a running hub, and read back strictly.

The file is a tar of `manifest.json`, `heads.log`, `farthing.db` and, if asked for, `keys.sealed`:
the hub's keys under a passphrase. No secret is in it in clear.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import msgspec
from nacl import pwhash, secret, utils
from nacl.exceptions import CryptoError

from farthing.codec import from_base64, read_json, to_base64
from farthing.errors import BadConfig, Malformed
from farthing.misfits import misfit
from farthing.sealing import derived_key

FORMAT = "farthing-backup-1"
BOOKS, HEADS, MANIFEST, KEYS = "farthing.db", "heads.log", "manifest.json", "keys.sealed"
_SMALL_BYTES_MAX = 64 * 1024 * 1024
_PIECE = 1024 * 1024


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself; the audit of the books is what proves it."""

    format: str
    version: str
    hub: str
    root_key: str
    schema: int
    commits: int
    head: str
    made_at: str
    digests: dict[str, str] = {}
    """SHA-256 of each other file in it: not proof against an attacker, but against a bad disk."""


def seal(files: Mapping[str, bytes], passphrase: bytes) -> bytes:
    """Encrypt files under a passphrase (Argon2id, XSalsa20-Poly1305)."""
    salt = utils.random(pwhash.argon2id.SALTBYTES)
    box = secret.SecretBox(_key_of(passphrase, salt))
    plain = json.dumps({name: to_base64(raw) for name, raw in files.items()}).encode()
    return salt + bytes(box.encrypt(plain))


def unseal(sealed: bytes, passphrase: bytes) -> dict[str, bytes]:
    """Decrypt what `seal` made.

    Raises: BadConfig `wrong-passphrase`.
    """
    size = pwhash.argon2id.SALTBYTES
    try:
        box = secret.SecretBox(_key_of(passphrase, sealed[:size]))
        told = read_json(box.decrypt(sealed[size:]))
    except (CryptoError, ValueError):
        detail = "these keys do not open with this passphrase, or were changed"
        raise BadConfig("wrong-passphrase", detail) from None
    return {name: from_base64(text) for name, text in cast(dict[str, str], told).items()}


def _key_of(passphrase: bytes, salt: bytes) -> bytes:
    costs = pwhash.argon2id.OPSLIMIT_MODERATE, pwhash.argon2id.MEMLIMIT_MODERATE
    return derived_key(passphrase, salt, *costs)


def write_copy(target: Path, manifest: Manifest, books: Path, heads: bytes, keys: bytes) -> None:
    """Write a backup whole or not at all, in the place of the one before, for its owner only."""
    digests = {HEADS: _digest(io.BytesIO(heads)), KEYS: _digest(io.BytesIO(keys))}
    with books.open("rb") as file:
        digests[BOOKS] = _digest(file)
    if not keys:
        del digests[KEYS]
    manifest = msgspec.structs.replace(manifest, digests=digests)
    draft = target.with_name(target.name + ".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            _add(tar, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
            _add(tar, HEADS, heads)
            if keys:
                _add(tar, KEYS, keys)
            tar.add(books, BOOKS, recursive=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def check_target(target: Path, hub: str) -> None:
    """Check that a backup may take a file's name: nobody has it, or an older backup of this hub.

    Raises: BadConfig `file-exists`, `cannot-write`.
    """
    if target.is_dir():
        raise BadConfig("cannot-write", f"{target} is a folder; name a file in it")
    if not target.absolute().parent.is_dir():
        raise BadConfig("cannot-write", f"there is no folder {target.absolute().parent}")
    if not (target.exists() or target.is_symlink()):
        return
    try:
        with tarfile.open(target, "r:") as tar:
            before = _manifest(_small(tar, tar.getmember(MANIFEST)), target)
    except (tarfile.TarError, KeyError, OSError, Malformed):
        detail = f"{target} is there and is no backup; choose another name"
        raise BadConfig("file-exists", detail) from None
    if before.hub != hub:
        raise BadConfig("file-exists", f"{target} is the backup of another hub, {before.hub}")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    tar.addfile(member, io.BytesIO(content))


def read_copy(source: Path, folder: Path) -> tuple[Manifest, bytes]:
    """Unpack a backup into a folder: the books, the heads; give its manifest and sealed keys.

    Raises: Malformed `malformed-backup`; nothing but the four known files is ever written.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            members = {m.name: m for m in tar.getmembers()}
            if not {MANIFEST, HEADS, BOOKS} <= set(members) <= {MANIFEST, HEADS, BOOKS, KEYS}:
                raise _malformed(source, "it has other files than a backup has")
            if not all(member.isfile() for member in members.values()):
                raise _malformed(source, "it has links or folders in it")
            manifest = _manifest(_small(tar, members[MANIFEST]), source)
            (folder / HEADS).touch(mode=0o600)
            (folder / HEADS).write_bytes(_small(tar, members[HEADS]))
            _unpack(tar, members[BOOKS], folder / BOOKS)
            sealed = _small(tar, members[KEYS]) if KEYS in members else b""
            _check_digests(tar, members, manifest, source)
    except (tarfile.TarError, EOFError) as fault:
        raise _malformed(source, str(fault)) from None
    return manifest, sealed


def _check_digests(
    tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo], manifest: Manifest, source: Path
) -> None:
    if not manifest.digests:
        return  # An older backup has none.
    for name in members.keys() - {MANIFEST}:
        opened = tar.extractfile(members[name])
        if opened is None or _digest(opened) != manifest.digests.get(name):
            raise _malformed(source, f"{name} was changed since it was made")


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _manifest(raw: bytes, source: Path) -> Manifest:
    try:
        manifest = msgspec.convert(read_json(raw), Manifest)
    except msgspec.ValidationError as fault:
        raise _malformed(source, str(misfit(Manifest, fault))) from None
    except Malformed as fault:
        raise _malformed(source, str(fault)) from None
    if manifest.format != FORMAT:
        raise _malformed(source, f"it has the format {manifest.format!r}, not {FORMAT!r}")
    return manifest


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = tar.extractfile(member)
    if opened is None or member.size > _SMALL_BYTES_MAX:
        raise tarfile.ReadError(f"{member.name} cannot be read")
    raw = opened.read()
    if len(raw) != member.size:
        raise tarfile.ReadError(f"{member.name} is cut off")
    return raw


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    opened: Any = tar.extractfile(member)
    left = member.size
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while left:
            piece = opened.read(min(left, _PIECE))
            if not piece:
                raise tarfile.ReadError(f"{member.name} is cut off")
            file.write(piece)
            left -= len(piece)
        file.flush()
        os.fsync(file.fileno())


def _malformed(source: Path, what: str) -> Malformed:
    return Malformed("malformed-backup", f"{source} is no backup that can be read: {what}")
