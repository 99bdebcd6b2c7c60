"""Files that hold a secret: for their owner's eyes only, whole or not at all, sealed or not."""

import os
from pathlib import Path

from farthing import sealing
from farthing.bounded import read_file
from farthing.errors import BadConfig, Malformed
from farthing.folders import private_folder
from farthing.sealing import Passphrase

_OPEN_TO_OTHERS = 0o077


def read_secret(path: Path, passphrase: Passphrase = sealing.nobody) -> bytes:
    """Read a secret, and open it if it is sealed; refuse a file that others could read.

    Raises: Malformed `key-file-open-to-others`, `malformed-key-file`, `file-too-long`; BadConfig
            `passphrase-needed`, `wrong-passphrase`.
    """
    check_mode(path)
    raw = read_file(path)
    if not sealing.is_sealed(raw):
        return raw
    try:
        return sealing.unseal(raw, passphrase())
    except (BadConfig, Malformed) as fault:
        raise type(fault)(fault.code, f"{path}: {fault.detail}") from None


def check_mode(path: Path) -> None:
    """Refuse a file that others could read or change.

    Raises: Malformed `key-file-open-to-others`, `malformed-key-file`.
    """
    if path.is_dir():
        raise Malformed("malformed-key-file", f"{path} is a folder; name the file in it")
    if path.stat().st_mode & _OPEN_TO_OTHERS:
        raise Malformed("key-file-open-to-others", f"run: chmod 600 {path}")


def write_secret(path: Path, plain: bytes, passphrase: bytes | None = None) -> None:
    """Keep a secret in a new file (mode 0600), sealed if there is a passphrase.

    Raises: FileExistsError; a secret is never overwritten.
    """
    private_folder(path.parent)
    _write(path, plain if passphrase is None else sealing.seal(plain, passphrase), os.O_EXCL)
    sync_folder(path.parent)


def replace_secret(path: Path, plain: bytes, passphrase: bytes | None = None) -> None:
    """Put a secret in the place of the one before, whole or not at all."""
    draft = path.with_name(path.name + ".draft")
    _write(draft, plain if passphrase is None else sealing.seal(plain, passphrase), os.O_TRUNC)
    draft.replace(path)
    sync_folder(path.parent)


def reseal(path: Path, opened_by: Passphrase, passphrase: bytes | None) -> bool:
    """Put a file under another passphrase, or (None) under none; tell whether it was sealed.

    Raises: BadConfig, Malformed; the file then is as it was.
    """
    sealed = is_sealed(path)
    replace_secret(path, read_secret(path, opened_by), passphrase)
    return sealed


def is_sealed(path: Path) -> bool:
    """Tell whether a file is under a passphrase."""
    return sealing.is_sealed(read_file(path))


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # A full disk: an empty key would be in the way of the next try.
        path.unlink(missing_ok=True)
        raise
