"""Ids: 128 bits, sorted by time, written as a prefix and 26 characters of Crockford base32.

The upper 48 bits are the Unix time in milliseconds. The lowest 8 bits of a fresh id are zero:
the transfers of a payment take the payment's id plus their place in its chain, so the ledger's
ids sort by time as well, and a payment can be rebuilt from the ids the ledger keeps.
"""

import hashlib
import secrets
from collections.abc import Callable
from functools import lru_cache

from farthing.errors import Malformed

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
_PAIR_SHIFTS = range(120, -1, -10)
# From our digits to those of `int(…, 32)`; any other byte becomes one that it refuses.
_TO_BASE_32 = bytes(
    b"0123456789abcdefghijklmnopqrstuv"[_DIGITS.index(chr(byte))] if chr(byte) in _DIGITS else 33
    for byte in range(256)
)
_LENGTH = 26
_TIME_SHIFT = 80
_PLACES = 0xFF

RandomBits = Callable[[int], int]
"""A source of that many random bits; `secrets.randbits`, or a seeded one in a simulation."""


class MalformedId(Malformed):
    """A text that is not an id of the kind expected."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed-id", detail)


def fresh(time_ms: int, random_bits: RandomBits = secrets.randbits) -> int:
    """Make a new 128-bit id for this moment, with room for 255 derived places."""
    return (time_ms << _TIME_SHIFT) | (random_bits(72) << 8)


def derived(time_ms: int, *parts: str | bytes) -> int:
    """Make the one id that follows from `parts`, at this time, with room for 255 places."""
    framed = bytearray()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        framed += len(raw).to_bytes(4, "big")
        framed += raw
    digest = hashlib.sha256(framed).digest()
    return (time_ms << _TIME_SHIFT) | (int.from_bytes(digest[:9], "big") << 8)


def place(ident: int, index: int) -> int:
    """Give the id of the `index`-th (1..255) transfer that belongs to `ident`."""
    return ident | (index & _PLACES)


def without_place(ident: int) -> int:
    """Give the id that a transfer's id was derived from."""
    return ident & ~_PLACES


def time_ms(ident: int) -> int:
    """Tell the moment an id was made, in Unix milliseconds."""
    return ident >> _TIME_SHIFT


def encode(ident: int) -> str:
    """Write 128 bits as 26 characters."""
    return "".join([_PAIRS[(ident >> shift) & 1023] for shift in _PAIR_SHIFTS])


def decode(text: str) -> int:
    """Read 26 characters as 128 bits.

    Raises: MalformedId for any spelling but the canonical one.
    """
    if len(text) == _LENGTH and text[0] <= "7":
        try:
            return int(text.encode().translate(_TO_BASE_32), 32)
        except ValueError:
            pass
    raise MalformedId("an id has 26 characters of 0-9 and a-z without i, l, o, u")


@lru_cache(maxsize=4096)
def name(prefix: str, ident: int) -> str:
    """Write an id with its kind: `pay_01j…`."""
    return f"{prefix}_{encode(ident)}"


@lru_cache(maxsize=16_384)
def number(prefix: str, text: str) -> int:
    """Read an id that must be of this kind.

    Raises: MalformedId.
    """
    if not text.startswith(prefix + "_"):
        raise MalformedId(f"expected an id that starts with {prefix}_")
    return decode(text[len(prefix) + 1 :])


def number_if_any(text: str) -> int:
    """Read the number of what may be an id of any kind; zero for any other text."""
    encoded = text.partition("_")[2]
    if len(encoded) != _LENGTH:
        return 0
    try:
        return decode(encoded)
    except MalformedId:  # A digest in base64url may have its first `_` just there.
        return 0
