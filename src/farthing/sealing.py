"""Secrets at rest: Argon2id makes a key of a passphrase, XSalsa20-Poly1305 seals with it.

A sealed file is one line: `farthing-sealed-1`, the cost (passes, KiB), the salt, the sealed bytes.
"""

from collections.abc import Callable

from nacl import pwhash, secret, utils
from nacl.exceptions import CryptoError

from farthing.codec import from_base64url, to_base64url
from farthing.errors import BadConfig, Malformed

Passphrase = Callable[[], bytes]
"""Gives the passphrase when a sealed secret is met, and is not asked before."""

PASSPHRASE_BYTES_MIN = 12

_MARK = b"farthing-sealed-1 "
_PASSES, _KIB = 3, 64 * 1024
_PASSES_MAX, _KIB_MAX = 16, 1024 * 1024
_KIB_BYTES = 1024
_PARTS = 5


def nobody() -> bytes:
    """Stand for a passphrase where none can be had.

    Raises: BadConfig `passphrase-needed`.
    """
    raise BadConfig("passphrase-needed", "this key is under a passphrase, and none was given")


def is_sealed(raw: bytes) -> bool:
    """Tell whether the content of a file is sealed."""
    return raw.startswith(_MARK)


def seal(plain: bytes, passphrase: bytes) -> bytes:
    """Seal a secret.

    Units:  costs 64 MiB of memory and three passes, so that the smallest machines can open it
            (RFC 9106, section 4, second choice, on one lane).
    Raises: BadConfig `passphrase-too-short`.
    """
    if len(passphrase) < PASSPHRASE_BYTES_MIN:
        detail = f"a passphrase has {PASSPHRASE_BYTES_MIN} bytes or more"
        raise BadConfig("passphrase-too-short", detail)
    salt = utils.random(pwhash.argon2id.SALTBYTES)
    box = secret.SecretBox(derived_key(passphrase, salt, _PASSES, _KIB * _KIB_BYTES))
    sealed = to_base64url(bytes(box.encrypt(plain)))
    return _MARK + f"{_PASSES} {_KIB} {to_base64url(salt)} {sealed}\n".encode()


def unseal(raw: bytes, passphrase: bytes) -> bytes:
    """Open what `seal` made.

    Raises: BadConfig `wrong-passphrase`; Malformed `malformed-key-file`.
    """
    passes, kib, salt, sealed = _read(raw)
    try:
        box = secret.SecretBox(derived_key(passphrase, salt, passes, kib * _KIB_BYTES))
        return box.decrypt(sealed)
    except (CryptoError, ValueError):
        detail = "it does not open with this passphrase, or was changed"
        raise BadConfig("wrong-passphrase", detail) from None


def derived_key(passphrase: bytes, salt: bytes, passes: int, memory_bytes: int) -> bytes:
    """Make a key of a passphrase by Argon2id."""
    return pwhash.argon2id.kdf(
        secret.SecretBox.KEY_SIZE, passphrase, salt, opslimit=passes, memlimit=memory_bytes
    )


def _read(raw: bytes) -> tuple[int, int, bytes, bytes]:
    parts = raw.decode("ascii", "replace").split()
    try:
        if len(parts) != _PARTS or not (parts[1].isdecimal() and parts[2].isdecimal()):
            raise ValueError
        passes, kib = int(parts[1]), int(parts[2])
        salt, sealed = from_base64url(parts[3]), from_base64url(parts[4])
    except (ValueError, Malformed):
        raise _not_sealed() from None
    # The cost is read from the file: one that asks for more than a machine has is no key of ours.
    if not (0 < passes <= _PASSES_MAX and 8 <= kib <= _KIB_MAX):
        raise _not_sealed()
    if len(salt) != pwhash.argon2id.SALTBYTES:
        raise _not_sealed()
    return passes, kib, salt, sealed


def _not_sealed() -> Malformed:
    return Malformed("malformed-key-file", "this is no sealed key file")
