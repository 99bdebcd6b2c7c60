"""A voucher as a general CBOR library reads it: slower than by its shape, with the same verdict."""

import io
from typing import Any

import cbor2

from farthing.core.ticks import LADDER_TICKS_MAX, VALUE_BYTES, Ladder
from farthing.core.vouchers import BYTES_MAX, EXPIRY_MAX, SEQUENCE_MAX, Claims
from farthing.money import UNITS_MAX

_ALGORITHMS = (b"\xa1\x01\x27", b"\xa1\x01\x26")


def read_in_general(raw: bytes) -> Claims | None:
    """Read a voucher's claims; None for what is no voucher, or is one in another spelling."""
    if len(raw) > BYTES_MAX:
        return None
    parts = _decoded(raw)
    if not (isinstance(parts, list | tuple) and len(parts) == 4):
        return None
    protected, hints, payload, signature = parts
    if protected not in _ALGORITHMS or not _is_bytes(signature, 64):
        return None
    if not (isinstance(hints, dict) and list(hints) == [4] and _is_bytes(hints[4], 4)):
        return None
    return _claims(_decoded(payload)) if isinstance(payload, bytes) else None


def _claims(said: Any) -> Claims | None:
    if not (isinstance(said, dict) and list(said) in ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7])):
        return None
    numbers = [value for key, value in said.items() if key not in (1, 5)]
    if not _is_bytes(said[1], 8) or any(type(n) is not int or n < 0 for n in numbers):
        return None
    ladder = None
    if 5 in said:
        if not _is_bytes(said[5], VALUE_BYTES):
            return None
        ladder = Ladder(said[5], said[6], said[7])
    claims = Claims(said[1], said[2], said[3], said[4], ladder)
    return claims if _is_sound(claims) else None


def _is_sound(claims: Claims) -> bool:
    if claims.sequence > SEQUENCE_MAX or claims.expiry > EXPIRY_MAX:
        return False
    ladder = claims.ladder
    if ladder is None:
        return 0 < claims.units <= UNITS_MAX
    most = claims.units + ladder.each * ladder.most
    return ladder.each > 0 and 0 < ladder.most <= LADDER_TICKS_MAX and most <= UNITS_MAX


def _decoded(raw: bytes) -> Any:
    """Decode what is one item in deterministic CBOR, nothing before or after it; else None."""
    source = io.BytesIO(raw)
    try:
        value = cbor2.load(source)
        again = cbor2.dumps(value, canonical=True)
    except Exception:  # The library has many ways to say no.
        return None
    return value if again == raw else None


def _is_bytes(value: Any, size: int) -> bool:
    return type(value) is bytes and len(value) == size
