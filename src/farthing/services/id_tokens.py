"""Reading an ID token: signed by the issuer's published key, for us, now, for this very request.
And a logout token, which is for none.

Source: OpenID Connect Core 1.0, sections 3.1.3.6 and 3.1.3.7; OpenID Connect Back-Channel Logout
1.0, section 2.6; RFC 8725 (JWT best practices).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import msgspec

from farthing.codec import from_base64url
from farthing.errors import Malformed, PlugMissing, Unauthenticated

SKEW_SECONDS = 60
AGE_SECONDS_MAX = 600
"""How old a token may be: it was made for the request that brought it."""

TOKEN_CHARACTERS_MAX = 16_384
_SUBJECT_MAX = 255
_KEYS_MAX = 32
_RSA_BYTES_MIN = 256

_ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC",
}  # fmt: skip
"""Public-key algorithms alone, each with the kind of key it takes: no `none`, and no HMAC, for
which a public key would be the secret."""

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say. Shape: `access_token` is what came with it, empty if nothing did."""

    issuer: str
    client: str
    nonce: str
    access_token: str = ""


class UnknownKey(Exception):
    """None of the keys at hand is the one that a token names: the issuer may have a new one."""


def load() -> None:
    """See that what reads tokens is installed.

    Raises: PlugMissing `oidc-missing`.
    """
    try:
        import_module("joserfc")
    except ImportError as missing:
        raise PlugMissing("oidc-missing", "run: pip install 'farthing[oidc]'") from missing


def read_id_token(
    token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now_s: int
) -> dict[str, Any]:
    """Give the claims of a token that holds in every respect.

    Units:  `now_s` is Unix seconds.
    Shape:  `keys` are of the issuer's key set, as it publishes them.
    Raises: Unauthenticated `bad-id-token`; UnknownKey.
    """
    algorithm, claims = _signed(token, keys, expected, now_s)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), expected.nonce.encode()
    ):
        raise _bad("it was made for another request")
    if "at_hash" in claims:
        _check_at_hash(claims["at_hash"], expected.access_token, algorithm)
    return claims


def read_logout_token(
    token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now_s: int
) -> dict[str, Any]:
    """Give the claims of a token that says whom the issuer has signed out.

    Shape:  one that names a session alone (`sid`), and nobody, is not taken.
    Raises: Unauthenticated `bad-id-token`; UnknownKey.
    """
    _, claims = _signed(token, keys, expected, now_s)
    events: Any = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_SIGNED_OUT), dict):  # pyright: ignore[reportUnknownMemberType]
        raise _bad("it signs nobody out")
    if "nonce" in claims:
        raise _bad("it is an ID token")
    if not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= _SUBJECT_MAX:
        raise _bad("it has no name of its own")
    return claims


_SIGNED_OUT = "http://schemas.openid.net/event/backchannel-logout"


def _signed(
    token: str, keys: Sequence[Mapping[str, Any]], expected: Expected, now_s: int
) -> tuple[str, dict[str, Any]]:
    """Give the algorithm and the claims of a token that is signed, for us, and of this time."""
    header = _header(token)
    claims = _claims(_verified(token, _key_of(header, keys), header["alg"]))
    _check_whom(claims, expected)
    _check_when(claims, now_s)
    return header["alg"], claims


def _bad(why: str) -> Unauthenticated:
    return Unauthenticated("bad-id-token", f"what your organisation sent does not hold: {why}")


def _header(token: str) -> dict[str, Any]:
    if len(token) > TOKEN_CHARACTERS_MAX or token.count(".") != 2:
        raise _bad("it is no token")
    header = _object(token.partition(".")[0])
    if not isinstance(header.get("alg"), str) or header["alg"] not in _ALGORITHMS:
        raise _bad("it is signed in a way that is not taken here")
    if "crit" in header or "b64" in header:
        raise _bad("it demands what is not known here")
    return header


def _object(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(from_base64url(text))
    except (Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad("it cannot be read") from None
    if not isinstance(found, dict):
        raise _bad("it cannot be read")
    return cast(dict[str, Any], found)


def _key_of(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Choose the one key that may have signed it: of its kind, for signing, and as it is named."""
    algorithm = header["alg"]
    fitting = [key for key in keys[:_KEYS_MAX] if _fits(key, algorithm)]
    if "kid" in header:
        fitting = [key for key in fitting if key.get("kid") == header["kid"]]
    if len(fitting) != 1:
        raise UnknownKey
    return fitting[0]


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    kind = _ALGORITHMS[algorithm]
    curve = key.get("crv") == _CURVES.get(algorithm)
    use, of = key.get("use", "sig"), key.get("alg", algorithm)
    return key.get("kty") == kind and curve and use == "sig" and of == algorithm


def _verified(token: str, key: Mapping[str, Any], algorithm: str) -> bytes:
    load()
    from joserfc import jws  # noqa: PLC0415 - an extra
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import import_key  # noqa: PLC0415

    if key["kty"] == "RSA" and _rsa_bytes(key) < _RSA_BYTES_MIN:
        raise _bad("its key is too short")
    public = {name: key[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in key}
    try:
        read = jws.deserialize_compact(token, import_key(public), algorithms=[algorithm])
    except (JoseError, ValueError, TypeError):
        raise _bad("its signature does not hold") from None
    return bytes(read.payload or b"")


def _rsa_bytes(key: Mapping[str, Any]) -> int:
    try:
        return len(from_base64url(str(key.get("n", ""))).lstrip(b"\0"))
    except Malformed:
        return 0


def _claims(payload: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _bad("it cannot be read") from None
    if not isinstance(found, dict):
        raise _bad("it cannot be read")
    return cast(dict[str, Any], found)


def _check_whom(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _bad("somebody else made it")
    audience = claims.get("aud")
    listed: list[Any] = [audience] if isinstance(audience, str) else audience  # pyright: ignore[reportAssignmentType]
    if not isinstance(listed, list) or expected.client not in listed:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise _bad("it is for somebody else")
    if ("azp" in claims or len(listed) > 1) and claims.get("azp") != expected.client:
        raise _bad("it was given to somebody else")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX:
        raise _bad("it does not say who it is about")


def _check_when(claims: Mapping[str, Any], now_s: int) -> None:
    ends, made = _moment(claims, "exp"), _moment(claims, "iat")
    if now_s >= ends + SKEW_SECONDS:
        raise _bad("its time is over")
    if made > now_s + SKEW_SECONDS or _moment(claims, "nbf", made) > now_s + SKEW_SECONDS:
        raise _bad("its time has not come; see to the clocks")
    if now_s - made > AGE_SECONDS_MAX + SKEW_SECONDS:
        raise _bad("it is too old")


def _moment(claims: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    found = claims.get(name, otherwise)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _bad(f"it has no {name}")
    return int(found)


def _check_at_hash(told: Any, access_token: str, algorithm: str) -> None:
    """Compare the left half of the access token's hash, by the hash of the token's algorithm."""
    digest = hashlib.new(f"sha{algorithm[2:]}", access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), half):
        raise _bad("what came with it is not what it is for")
