"""Vouchers: a device's signed, cumulative promise of about 107 bytes.

The newest replaces all before it. A voucher is an untagged COSE_Sign1 (RFC 9052) in deterministic
CBOR (RFC 8949, 4.2.1) of one fixed shape, so it is read by its shape: what was read is written
again and compared, and nothing that only means the same is taken. What both sides agreed at
opening is signed and never sent. `docs/reference/sessions.md` has the format and test vectors.
"""

import hashlib
from typing import NamedTuple

from farthing.core.ticks import LADDER_TICKS_MAX, VALUE_BYTES, Ladder
from farthing.errors import Malformed
from farthing.keys import ED25519, Signer
from farthing.money import UNITS_MAX

DOMAIN = "farthing-voucher-1"
BYTES_MAX = 160
KEY_HINT_BYTES = 4
SEQUENCE_MAX = EXPIRY_MAX = 2**53 - 1

_SIGNATURE_BYTES = 64
_EDDSA, _ES256 = b"\xa1\x01\x27", b"\xa1\x01\x26"
_SIGN1, _PROTECTED = b"\x84", b"\x43"
_HINT, _SIGNATURE = b"\xa1\x04\x44", b"\x58\x40"
_CLAIMS, _ALIAS = b"\xa4", b"\x01\x48"
_CLAIMS_AND_LADDER, _ANCHOR = b"\xa7", b"\x05\x50"
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


class Agreed(NamedTuple):
    """What payer and payee agreed when the session was opened.

    Shape: `tariff` is the SHA-256 of the tariff's canonical JSON.
    """

    session: str
    payee: str
    asset: str
    tariff: bytes

    def signed_along(self) -> bytes:
        """Give the external data that every voucher of the session signs."""
        texts = [_text(part) for part in (DOMAIN, self.session, self.payee, self.asset)]
        return b"\x85" + b"".join(texts) + _bytes(self.tariff)


class Claims(NamedTuple):
    """What a voucher says.

    Units: `units` is all that was promised in this session so far; `expiry` is Unix seconds.
    Shape: `alias` names the session to its payee in 8 bytes and grants nothing; `sequence` counts
           the session's vouchers; `ladder` is what ticks go on from it by, if they do.
    """

    alias: bytes
    units: int
    sequence: int
    expiry: int
    ladder: Ladder | None = None


class Voucher(NamedTuple):
    """A voucher as it was read; its signature is not checked yet.

    Shape: `key_hint` is the first 4 bytes of the SHA-256 of the signer's public key, a hint only.
    """

    claims: Claims
    protected: bytes
    key_hint: bytes
    signature: bytes

    def signed_bytes(self, agreed: Agreed) -> bytes:
        """Give the bytes that were signed: COSE's Sig_structure (RFC 9052, 4.4)."""
        return _signed(self.protected, agreed, write_claims(self.claims))

    def is_for(self, algorithm: str) -> bool:
        """Tell whether it names the algorithm of the key it is checked against."""
        return self.protected == _protected(algorithm)


def sign_voucher(signer: Signer, agreed: Agreed, claims: Claims) -> bytes:
    """Write and sign a voucher."""
    algorithm = signer.public.partition(":")[0]
    protected = _protected(algorithm)
    signature = signer.sign(_signed(protected, agreed, write_claims(claims)))
    return _write(Voucher(claims, protected, key_hint(signer.public), signature))


def read_voucher(raw: bytes) -> Voucher:
    """Read a voucher in its one spelling.

    Raises: Malformed `malformed-voucher`.
    """
    try:
        voucher = _read(raw)
    except (IndexError, KeyError, ValueError):
        voucher = None
    if voucher is None or _write(voucher) != raw:
        raise Malformed("malformed-voucher", "this is not a voucher in its canonical form")
    _require_sound(voucher.claims)
    if max(voucher.claims.sequence, voucher.claims.expiry) > SEQUENCE_MAX:
        raise Malformed("malformed-voucher", "sequence and expiry are of 53 bits at most")
    return voucher


def _require_sound(claims: Claims) -> None:
    ladder = claims.ladder
    if ladder is None:
        if not 0 < claims.units <= UNITS_MAX:
            detail = "a voucher promises from one unit to 63 bits of them"
            raise Malformed("malformed-voucher", detail)
        return
    if not 1 <= ladder.most <= LADDER_TICKS_MAX or not ladder.each:
        detail = f"a ladder has 1 to {LADDER_TICKS_MAX} ticks of one unit or more"
        raise Malformed("malformed-voucher", detail)
    if claims.units + ladder.most * ladder.each > UNITS_MAX:
        raise Malformed("malformed-voucher", "all its ticks together promise more than 63 bits")


def key_hint(public: str) -> bytes:
    """Give the four bytes by which a voucher hints at its key."""
    return hashlib.sha256(public.encode()).digest()[:KEY_HINT_BYTES]


def session_alias(session: int) -> bytes:
    """Give the 8 bytes by which a session's vouchers name it."""
    return hashlib.sha256(b"farthing-alias-1\n" + session.to_bytes(16, "big")).digest()[:8]


def write_claims(claims: Claims) -> bytes:
    """Write a voucher's payload: four claims under the keys 1 to 4, a ladder under 5 to 7."""
    ladder = claims.ladder
    return b"".join(
        (
            (_CLAIMS if ladder is None else _CLAIMS_AND_LADDER) + _ALIAS + claims.alias,
            b"\x02" + _uint(0, claims.units),
            b"\x03" + _uint(0, claims.sequence),
            b"\x04" + _uint(0, claims.expiry),
            b"" if ladder is None else _write_ladder(ladder),
        )
    )


def _write_ladder(ladder: Ladder) -> bytes:
    each, most = _uint(0, ladder.each), _uint(0, ladder.most)
    return _ANCHOR + ladder.anchor + b"\x06" + each + b"\x07" + most


def _read(raw: bytes) -> Voucher | None:
    if len(raw) > BYTES_MAX:
        return None
    protected, hint = raw[2:5], raw[8:12]
    if protected not in (_EDDSA, _ES256):
        return None
    size, at = _read_uint(raw, 12, 2 << 5)
    payload, signature = raw[at : at + size], raw[at + size + 2 :]
    if len(signature) != _SIGNATURE_BYTES:
        return None
    units, after = _read_uint(payload, 12)
    sequence, after = _read_uint(payload, after + 1)
    expiry, after = _read_uint(payload, after + 1)
    ladder = _read_ladder(payload, after) if payload[:1] == _CLAIMS_AND_LADDER else None
    claims = Claims(payload[3:11], units, sequence, expiry, ladder)
    return Voucher(claims, protected, hint, signature)


def _read_ladder(payload: bytes, at: int) -> Ladder:
    begin = at + len(_ANCHOR)
    each, after = _read_uint(payload, begin + VALUE_BYTES + 1)
    most, _ = _read_uint(payload, after + 1)
    return Ladder(payload[begin : begin + VALUE_BYTES], each, most)


def _read_uint(raw: bytes, at: int, major: int = 0) -> tuple[int, int]:
    """Read a CBOR head, and tell where it ends."""
    small = raw[at] - major
    if small < 24:
        return small, at + 1
    end = at + 1 + _WIDTHS[small]
    return int.from_bytes(raw[at + 1 : end], "big"), end


def _write(voucher: Voucher) -> bytes:
    return b"".join(
        (
            _SIGN1 + _PROTECTED + voucher.protected,
            _HINT + voucher.key_hint,
            _bytes(write_claims(voucher.claims)),
            _SIGNATURE + voucher.signature,
        )
    )


def _signed(protected: bytes, agreed: Agreed, payload: bytes) -> bytes:
    parts = (b"\x84", _text("Signature1"), _PROTECTED + protected)
    return b"".join(parts) + _bytes(agreed.signed_along()) + _bytes(payload)


def _protected(algorithm: str) -> bytes:
    return _EDDSA if algorithm == ED25519 else _ES256


def _bytes(raw: bytes) -> bytes:
    return _uint(2, len(raw)) + raw


def _text(text: str) -> bytes:
    raw = text.encode()
    return _uint(3, len(raw)) + raw


def _uint(major: int, value: int) -> bytes:
    """Write a CBOR head in its shortest form."""
    if value < 24:
        return bytes((major << 5 | value,))
    for small, width in _WIDTHS.items():
        if value < 1 << 8 * width:
            return bytes((major << 5 | small,)) + value.to_bytes(width, "big")
    raise Malformed("malformed-voucher", "a number of a voucher is larger than 64 bits")
