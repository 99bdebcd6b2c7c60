"""Vouchers: a device's signed, cumulative promise of about 107 bytes.

The newest replaces all before it. A voucher is an untagged COSE_Sign1 (RFC 9052) in deterministic
CBOR (RFC 8949, 4.2.1) of one fixed shape, so it is read by its shape: one pattern knows every byte
that may stand anywhere, and nothing that only means the same is taken. What both sides agreed at
opening is signed and never sent. `docs/reference/sessions.md` has the format and test vectors.
"""

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from farthing.core.ticks import LADDER_TICKS_MAX, Ladder
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
_SIGNED = b"\x84\x6aSignature1\x43"
_AGREED_KEPT = 20_000

_UINT = (
    rb"([\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00)[\x00-\xff]{2}"
    rb"|\x1a(?!\x00\x00)[\x00-\xff]{4}|\x1b(?!\x00\x00\x00\x00)[\x00-\xff]{8})"
)
"""A number in its shortest form: none that would fit half the width."""

_SHAPE = re.compile(
    rb"\x84\x43(\xa1\x01[\x26\x27])\xa1\x04\x44([\x00-\xff]{4})"
    rb"([\x51-\x57]|\x58[\x18-\xff])"
    rb"([\xa4\xa7]\x01\x48([\x00-\xff]{8})\x02" + _UINT + rb"\x03" + _UINT + rb"\x04" + _UINT
    + rb"(?:\x05\x50([\x00-\xff]{16})\x06" + _UINT + rb"\x07" + _UINT + rb")?)"
    rb"\x58\x40([\x00-\xff]{64})"
)  # fmt: skip


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
    payload: bytes

    def signed_bytes(self, agreed: Agreed) -> bytes:
        """Give the bytes that were signed: COSE's Sig_structure (RFC 9052, 4.4)."""
        return _signed(self.protected, agreed, self.payload)

    def is_for(self, algorithm: str) -> bool:
        """Tell whether it names the algorithm of the key it is checked against."""
        return self.protected == _protected(algorithm)


def sign_voucher(signer: Signer, agreed: Agreed, claims: Claims) -> bytes:
    """Write and sign a voucher."""
    algorithm = signer.public.partition(":")[0]
    protected = _protected(algorithm)
    payload = write_claims(claims)
    signature = signer.sign(_signed(protected, agreed, payload))
    return _write(Voucher(claims, protected, key_hint(signer.public), signature, payload))


def read_voucher(raw: bytes) -> Voucher:
    """Read a voucher in its one spelling.

    Raises: Malformed `malformed-voucher`.
    """
    voucher = _read(raw)
    if voucher is None:
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
    found = _SHAPE.fullmatch(raw)
    if found is None:
        return None
    (
        protected,
        hint,
        head,
        payload,
        alias,
        units,
        sequence,
        expiry,
        anchor,
        each,
        most,
        signature,
    ) = found.groups()
    if head != _uint(2, len(payload)) or (payload[:1] == _CLAIMS) is not (anchor is None):
        return None
    ladder = None if anchor is None else Ladder(anchor, _number(each), _number(most))
    claims = Claims(alias, _number(units), _number(sequence), _number(expiry), ladder)
    return Voucher(claims, protected, hint, signature, payload)


def _number(written: bytes) -> int:
    return int.from_bytes(written[1:] or written, "big")


def _write(voucher: Voucher) -> bytes:
    return b"".join(
        (
            _SIGN1 + _PROTECTED + voucher.protected,
            _HINT + voucher.key_hint,
            _bytes(voucher.payload),
            _SIGNATURE + voucher.signature,
        )
    )


def _signed(protected: bytes, agreed: Agreed, payload: bytes) -> bytes:
    return _SIGNED + protected + _along(agreed) + _uint(2, len(payload)) + payload


@lru_cache(_AGREED_KEPT)
def _along(agreed: Agreed) -> bytes:
    """Write what was agreed as every message carries it: the same for each voucher of a session."""
    return _bytes(agreed.signed_along())


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
