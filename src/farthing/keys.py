"""Key pairs and signatures: Ed25519 by PyNaCl for every verdict, P-256 with low s only.

Libraries disagree about small-order keys, non-canonical encodings and high s; payments need one
verdict, so keys are checked when they are enrolled and each algorithm has one verifier.
"""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign_open,
)
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from farthing.codec import from_base64url, to_base64url
from farthing.errors import Malformed
from farthing.sealing import Passphrase, nobody
from farthing.secret_files import read_secret, write_secret

ED25519 = "ed25519"
P256 = "p256"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SECRET_BYTES = 32
_SIGNATURE_BYTES = 64
_KEYS_KEPT = 8192


class Signer(Protocol):
    """A private key that signs; the public half is `algorithm:base64url`."""

    @property
    def public(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


class Ed25519Signer:
    """An Ed25519 key pair from a 32-byte seed (RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.seed = seed
        self.public = f"{ED25519}:{to_base64url(bytes(self._key.verify_key))}"

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes."""
        return self._key.sign(message).signature


class P256Signer:
    """A P-256 key pair; signs SHA-256 as r and s of 32 bytes each, s in the lower half."""

    def __init__(self, secret: bytes) -> None:
        self._key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
        self.seed = secret
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        self.public = f"{P256}:{to_base64url(point)}"

    def sign(self, message: bytes) -> bytes:
        """Sign; 64 bytes."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        low = min(s, _P256_ORDER - s)
        return r.to_bytes(32, "big") + low.to_bytes(32, "big")


def new_signer(algorithm: str = ED25519) -> Ed25519Signer | P256Signer:
    """Make a new key pair from the system's randomness."""
    if algorithm == ED25519:
        return Ed25519Signer(os.urandom(_SECRET_BYTES))
    if algorithm == P256:
        secret = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        return P256Signer(secret.to_bytes(_SECRET_BYTES, "big"))
    raise Malformed("unknown-algorithm", f"algorithms are {ED25519} and {P256}")


def check_public_key(public: str) -> str:
    """Check a public key before it is enrolled, and give it back.

    Raises: Malformed `malformed-key` unless it is a canonical point of prime order.
    """
    algorithm, raw = _split(public)
    if algorithm == ED25519:
        good = len(raw) == _SECRET_BYTES and crypto_core_ed25519_is_valid_point(raw)
    else:
        good = len(raw) == 1 + _SECRET_BYTES and _p256_point(raw) is not None
    if not good:
        raise Malformed("malformed-key", f"this is not a usable {algorithm} public key")
    return public


def verify(public: str, signature: bytes, message: bytes) -> bool:
    """Tell whether `signature` over `message` is by the holder of `public`."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        algorithm, raw = _split(public)
    except Malformed:
        return False
    if algorithm == ED25519:
        return _verify_ed25519(raw, signature, message)
    return _verify_p256(raw, signature, message)


def _verify_ed25519(raw: bytes, signature: bytes, message: bytes) -> bool:
    try:
        crypto_sign_open(signature + message, raw)
    except (BadSignatureError, ValueError):
        return False
    return True


def _verify_p256(raw: bytes, signature: bytes, message: bytes) -> bool:
    point = _p256_point(raw)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if point is None or s > _P256_ORDER // 2:
        return False
    try:
        point.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _p256_point(raw: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return None


@lru_cache(_KEYS_KEPT)
def _split(public: str) -> tuple[str, bytes]:
    algorithm, _, encoded = public.partition(":")
    if algorithm not in (ED25519, P256):
        raise Malformed("malformed-key", f"a public key starts with {ED25519}: or {P256}:")
    return algorithm, from_base64url(encoded)


def fingerprint(public: str) -> str:
    """Name a public key in 32 characters of base32: the hub's id is that of its root key."""
    digest = hashlib.sha256(public.encode()).digest()
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    bits = int.from_bytes(digest[:20], "big")
    return "".join(alphabet[(bits >> shift) & 31] for shift in range(155, -1, -5))


def write_key_file(
    path: Path, signer: Ed25519Signer | P256Signer, passphrase: bytes | None = None
) -> None:
    """Keep a private key in a new file that only its owner can read, sealed if asked for.

    Raises: FileExistsError; a key is never overwritten.
    """
    algorithm = signer.public.partition(":")[0]
    line = f"farthing-key-1 {algorithm} {to_base64url(signer.seed)}\n"
    write_secret(path, line.encode(), passphrase)


def read_key_file(path: Path, passphrase: Passphrase = nobody) -> Ed25519Signer | P256Signer:
    """Read a private key; refuse a file that others could read.

    Raises: Malformed `malformed-key-file`, `key-file-open-to-others`; BadConfig
            `passphrase-needed`, `wrong-passphrase`.
    """
    parts = read_secret(path, passphrase).decode("ascii", "replace").split()
    if len(parts) != 3 or parts[0] != "farthing-key-1":
        raise Malformed("malformed-key-file", f"{path} is not a key file")
    secret = from_base64url(parts[2])
    if len(secret) != _SECRET_BYTES or parts[1] not in (ED25519, P256):
        raise Malformed("malformed-key-file", f"{path} is not a key file")
    return Ed25519Signer(secret) if parts[1] == ED25519 else P256Signer(secret)
