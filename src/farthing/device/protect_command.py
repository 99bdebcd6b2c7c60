"""`farthing protect-key` and `unprotect-key`: a device's key under a passphrase, or not."""

from collections.abc import Callable
from pathlib import Path

from farthing.device.pay_command import PurseOption
from farthing.device.purse import default_path, device_passphrase, is_purse, key_path
from farthing.errors import Malformed
from farthing.passphrases import KeysPassphrase, new_passphrase
from farthing.secret_files import reseal
from farthing.terminal.frame import Answer
from farthing.terminal.options import NewPassphrase

Chosen = Callable[[KeysPassphrase], bytes | None]


def protect_key(passphrase_file: NewPassphrase = None, purse: PurseOption = None) -> Answer:
    """Put this device's key under a passphrase, or under a new one.

    Paying then needs it: see docs/howto/protect-keys.md.

    Example: farthing protect-key --passphrase-file /etc/farthing/passphrase
    """
    return _resealed(purse, lambda known: new_passphrase(passphrase_file, known), "sealed")


def unprotect_key(purse: PurseOption = None) -> Answer:
    """Take the passphrase off this device's key. Example: farthing unprotect-key."""
    return _resealed(purse, lambda _: None, "open")


def _resealed(purse: Path | None, chosen: Chosen, word: str) -> Answer:
    path = purse or default_path()
    if not is_purse(path):
        raise Malformed("no-purse", f"there is no purse in {path}")
    opened_by, key = device_passphrase(), key_path(path)
    passphrase = chosen(opened_by)
    # The next key is there only where a rotation broke off.
    files = [file for file in (key, key.with_suffix(".next")) if file.exists()]
    for file in files:
        reseal(file, opened_by, passphrase)
    shown = [str(file) for file in files]
    return Answer({"files": shown}, lambda told: [f"{word}: {file}" for file in told["files"]])
