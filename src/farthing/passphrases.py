"""Where a passphrase for keys comes from: a file, systemd, the environment, or who sits there.

Never an argument of a command: those stand in the list of processes, for everybody to read.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from farthing.bounded import read_file
from farthing.errors import BadConfig
from farthing.secret_files import check_mode
from farthing.terminal.talk import ask_secret

VARIABLE, FILE_VARIABLE = "FARTHING_PASSPHRASE", "FARTHING_PASSPHRASE_FILE"
CREDENTIAL = "farthing-passphrase"
"""The name that systemd's `LoadCredential=` gives the file."""

_INSTEAD = f"name a file in ${FILE_VARIABLE}, or give ${VARIABLE}"


def told_passphrase(environ: Mapping[str, str], file: Path | None = None) -> bytes | None:
    """Give the passphrase that was told beforehand: by this file, or by the environment.

    Raises: Malformed `key-file-open-to-others`; BadConfig `passphrase-needed` for an empty one.
    """
    credential = Path(environ.get("CREDENTIALS_DIRECTORY") or "/nowhere") / CREDENTIAL
    if file is None and environ.get(FILE_VARIABLE):
        file = Path(environ[FILE_VARIABLE])
    if file is not None:
        if not _is_credential(file):
            check_mode(file)
        return _first_line(read_file(file), str(file))
    if credential.exists():  # systemd keeps it from others by its own means.
        return _first_line(read_file(credential), str(credential))
    if VARIABLE in environ:
        return _first_line(os.fsencode(environ[VARIABLE]), f"${VARIABLE}")
    return None


def _is_credential(file: Path) -> bool:
    """Tell whether systemd keeps a file from others: by its folder, and by access lists, which
    look like a mode that lets the group read.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and file.absolute().parent == Path(folder or "/")


def _first_line(raw: bytes, where: str) -> bytes:
    text = raw.strip()
    if not text:
        raise BadConfig("passphrase-needed", f"{where} is empty")
    return text


class KeysPassphrase:
    """The passphrase of some keys: looked for when the first sealed one is met, and then kept.

    Shape: `file` is a configured file, which goes before the environment.
    """

    def __init__(self, keys: str, file: Path | None = None) -> None:
        self._keys, self._file = keys, file
        self._known: bytes | None = None

    def told(self) -> bytes | None:
        """Give the passphrase if it was told beforehand; nobody is asked."""
        return self._known or told_passphrase(os.environ, self._file)

    def __call__(self) -> bytes:
        """Give the passphrase, asking for it at the terminal if nothing else tells it.

        Raises: BadConfig `passphrase-needed`.
        """
        if self._known is None:
            self._known = self.told() or ask_secret(f"Passphrase of {self._keys}: ", _INSTEAD)
        return self._known


def new_passphrase(file: Path | None, told: KeysPassphrase) -> bytes:
    """Give the passphrase that keys are put under: from a file, as told, or asked for twice.

    Raises: BadConfig `passphrase-needed`, `passphrase-differs`.
    """
    known = told_passphrase({}, file) if file is not None else told.told()
    if known is not None:
        return known
    first = ask_secret("New passphrase: ", _INSTEAD)
    if ask_secret("The same again: ", _INSTEAD) != first:
        raise BadConfig("passphrase-differs", "these are two different passphrases")
    return first
