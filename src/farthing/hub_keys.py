"""The hub's keys on disk: the root for life, one that signs, and challenge secrets.

root.pub            the root's public half: what a running hub needs of it
root.key            the root; may be kept elsewhere, and is needed to certify a signing key
signing-NNNN.key    sign heads; the highest number is in use
challenge.key       challenge secrets, newest first
notices.key         what pushes are signed by, and links in notices; made when it is first wanted
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from farthing import secret_files
from farthing.bounded import read_file
from farthing.errors import BadConfig, Malformed
from farthing.folders import private_folder
from farthing.keys import (
    Signer,
    check_public_key,
    new_signer,
    read_key_file,
    write_key_file,
)
from farthing.sealing import Passphrase, nobody

_ROOT, _PUBLIC, _CHALLENGE = "root.key", "root.pub", "challenge.key"
_NOTICES = "notices.key"
_PUBLIC_FORMAT = "farthing-root-1"


class KeyRing:
    """The keys in a folder. Shape: `passphrase` is asked only where a file is sealed."""

    def __init__(self, folder: Path, passphrase: Passphrase = nobody) -> None:
        self.folder, self._passphrase = folder, passphrase

    @property
    def exists(self) -> bool:
        """Whether the hub has been initialised."""
        return any((self.folder / name).exists() for name in (_ROOT, _PUBLIC))

    @property
    def root_is_here(self) -> bool:
        """Whether the root key itself lies here, or is kept elsewhere."""
        return (self.folder / _ROOT).exists()

    @property
    def protected(self) -> bool:
        """Whether keys here are under a passphrase."""
        return any(secret_files.is_sealed(file) for file in self.files())

    def files(self) -> list[Path]:
        """List the files that hold secrets."""
        return sorted(self.folder.glob("*.key")) if self.folder.exists() else []

    def create(self, passphrase: bytes | None = None) -> None:
        """Make the keys of a new hub, sealed from the first if there is a passphrase.

        Shape: where that was begun before, and the disk was full, it is finished.
        """
        if not self.exists:
            write_key_file(self.folder / _ROOT, new_signer(), passphrase)
        self.root_public()
        if not self._signing():
            write_key_file(self.folder / "signing-0001.key", new_signer(), passphrase)
        if not (self.folder / _CHALLENGE).exists():
            secret = secrets.token_hex(32).encode() + b"\n"
            secret_files.write_secret(self.folder / _CHALLENGE, secret, passphrase)

    def add_signing_key(self) -> Signer:
        """Make the next signing key; the newest by number signs."""
        number = 1 + max(int(path.stem.split("-")[1]) for path in self._signing())
        signer = new_signer()
        write_key_file(self.folder / f"signing-{number:04d}.key", signer, self._seal_with())
        return signer

    def drop_newest_signing_key(self) -> None:
        """Take back the signing key that was made last, which nobody has certified."""
        self._signing()[-1].unlink()

    def rotate_challenge_secret(self) -> None:
        """Make a new challenge secret; challenges of the one before stay good."""
        file = self.folder / _CHALLENGE
        before = [one.hex() for one in self.challenge_secrets()[:1]] if file.exists() else []
        lines = "\n".join([secrets.token_hex(32), *before]) + "\n"
        private_folder(self.folder)
        secret_files.replace_secret(file, lines.encode(), self._seal_with())

    def reseal(self, passphrase: bytes | None) -> Iterator[Path]:
        """Put every key under this passphrase, or (None) under none, one file after the other."""
        for file in self.files():
            secret_files.reseal(file, self._passphrase, passphrase)
            yield file

    def root_public(self) -> str:
        """Give the root's public half, and note it beside the root key where it was not yet.

        Raises: Malformed `malformed-key-file`; BadConfig, where only the root can tell it.
        """
        file = self.folder / _PUBLIC
        if not file.exists():
            self._note_root(self._root(self.folder / _ROOT).public)
        words = read_file(file).decode("ascii", "replace").split()
        if len(words) != 2 or words[0] != _PUBLIC_FORMAT:
            raise Malformed("malformed-key-file", f"{file} is not a root's public key")
        return check_public_key(words[1])

    def root(self, elsewhere: Path | None = None) -> Signer:
        """Read the root key, here or from where it is kept.

        Raises: BadConfig `root-key-away`, `another-root-key`.
        """
        root = self._root(elsewhere or self.folder / _ROOT)
        if root.public != self.root_public():
            raise BadConfig("another-root-key", "this is the root key of another hub")
        return root

    def _root(self, file: Path) -> Signer:
        if not file.exists():
            raise BadConfig("root-key-away", f"the root key is needed, and is not at {file}")
        return read_key_file(file, self._passphrase)

    def signing(self) -> Signer:
        """Read the newest signing key.

        Raises: BadConfig `signing-key-missing`.
        """
        files = self._signing()
        if not files:
            raise BadConfig("signing-key-missing", f"there is no signing key in {self.folder}")
        return read_key_file(files[-1], self._passphrase)

    def challenge_secrets(self) -> list[bytes]:
        """Read the challenge secrets, newest first.

        Raises: Malformed `malformed-key-file`.
        """
        file = self.folder / _CHALLENGE
        told = secret_files.read_secret(file, self._passphrase)
        try:
            return [bytes.fromhex(line) for line in told.decode("ascii").split()]
        except ValueError:
            raise Malformed("malformed-key-file", f"{file} has no challenge secrets") from None

    def notice_secret(self) -> bytes:
        """Read what pushes and links in notices are signed by; browsers know it for good.

        Raises: Malformed `malformed-key-file`.
        """
        file = self.folder / _NOTICES
        if not file.exists():
            self._make_notice_secret(file)
        try:
            return bytes.fromhex(secret_files.read_secret(file, self._passphrase).decode("ascii"))
        except ValueError:
            raise Malformed("malformed-key-file", f"{file} has no secret for notices") from None

    def _make_notice_secret(self, file: Path) -> None:
        """Make it whole or not at all, and only once, whichever process is first."""
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        told = secrets.token_hex(32).encode() + b"\n"
        secret_files.replace_secret(draft, told, self._seal_with())
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)
        draft.unlink()
        secret_files.sync_folder(self.folder)

    def _signing(self) -> list[Path]:
        return sorted(self.folder.glob("signing-*.key"))

    def _seal_with(self) -> bytes | None:
        return self._passphrase() if self.protected else None

    def _note_root(self, public: str) -> None:
        secret_files.replace_secret(self.folder / _PUBLIC, f"{_PUBLIC_FORMAT} {public}\n".encode())
