"""How a device proves who it is to its hub: HTTP Message Signatures in one strict profile.

A signature covers `@method`, `@authority`, `@path` and `@query`, and `content-digest` when there
is a body. Its parameters are `created`, `expires` (at most a minute later), `nonce`, `keyid` (the
device's id), `alg` and `tag="farthing"`. Nothing is read or sent here.

Source: RFC 9421; RFC 9530 for `Content-Digest`; docs/reference/device-keys.md.
"""

import hashlib
import heapq
import re
from collections.abc import Mapping

import msgspec

from farthing import keys
from farthing.codec import from_base64, to_base64
from farthing.errors import Malformed, TooMuch, Unauthenticated, Unavailable
from farthing.sharing import Room

TAG = "farthing"
LIFETIME_SECONDS_MAX = 60
SKEW_SECONDS_MAX = 60
ALGORITHMS = {keys.ED25519: "ed25519", keys.P256: "ecdsa-p256-sha256"}
COVERED = ("@method", "@authority", "@path", "@query")

_LABEL = r"[a-z*][a-z0-9_.*-]{0,63}"
_STRING = r'"[\x20-\x21\x23-\x5b\x5d-\x7e]*"'
_NAME = r'"@?[a-z0-9!#$%&\'*+.^_`|~-]+"'
_PARAM = rf";([a-z*][a-z0-9_.*-]*)=([0-9]{{1,15}}|{_STRING})"
_PARAMS = re.compile(_PARAM, re.ASCII)
_ANY_PARAMS = _PARAM.replace("(", "(?:")
_INPUT = re.compile(
    rf"({_LABEL})=(\(({_NAME}(?: {_NAME})*)\)((?:{_ANY_PARAMS})*))",
    re.ASCII,
)
_SIGNATURE = re.compile(rf"({_LABEL})=:([A-Za-z0-9+/=]*):", re.ASCII)
_MISFIT = "the signature does not fit key and request; alg is that of the enrolled key"
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_FIELD = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_HEADER_MAX = 8192


class SignedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request that a signature can cover.

    Shape: `authority` is host and port as the receiver is configured to be called, never the
           `Host` field as it came; `target` is the path and query exactly as sent; names in
           `headers` are in lower case.
    """

    method: str
    authority: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature says of itself, before anything of it is believed.

    Units: `created` and `expires` are whole Unix seconds.
    """

    key_id: str
    algorithm: str
    created: int
    expires: int
    nonce: str
    covered: tuple[str, ...]
    parameters: str
    signature: bytes

    def digest(self) -> bytes:
        """Name who signed with which nonce, in 16 bytes."""
        return hashlib.blake2s(f"{self.key_id} {self.nonce}".encode(), digest_size=16).digest()


def content_digest(body: bytes) -> str:
    """Write the `Content-Digest` of a body."""
    return f"sha-256=:{to_base64(hashlib.sha256(body).digest())}:"


def signature_base(components: list[tuple[str, str]], parameters: str) -> bytes:
    """Write the bytes that are signed.

    Source: RFC 9421, section 2.5.
    """
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def sign_request(
    signer: keys.Signer, key_id: str, message: SignedMessage, *, now_s: int, nonce: str
) -> list[tuple[str, str]]:
    """Give the header fields to add to a request so that the hub knows who sent it."""
    digest = [("content-digest", content_digest(message.body))] if message.body else []
    covered = (*COVERED, *(name for name, _ in digest))
    algorithm = ALGORITHMS[signer.public.partition(":")[0]]
    names = " ".join(f'"{name}"' for name in covered)
    parameters = (
        f"({names});created={now_s};expires={now_s + LIFETIME_SECONDS_MAX}"
        f';nonce="{nonce}";keyid="{key_id}";alg="{algorithm}";tag="{TAG}"'
    )
    fields = {**message.headers, **dict(digest)}
    base = signature_base(
        [(name, _component(name, message, fields)) for name in covered], parameters
    )
    return [
        *digest,
        ("signature-input", f"{TAG}={parameters}"),
        ("signature", f"{TAG}=:{to_base64(signer.sign(base))}:"),
    ]


def read_claim(headers: Mapping[str, str]) -> Claim:
    """Read the one signature tagged for us, so that its key can be looked up.

    Raises: Unauthenticated `signature-missing` or `signature-malformed`.
    """
    inputs, signatures = headers.get("signature-input", ""), headers.get("signature", "")
    if not inputs or not signatures:
        raise Unauthenticated("signature-missing", "sign the request with the device's key")
    if len(inputs) > _HEADER_MAX or len(signatures) > _HEADER_MAX:
        raise _malformed("Signature-Input and Signature are at most 8 KiB each")
    ours = [
        (found[1], found[2], found[3], parameters)
        for found in _members(_INPUT, inputs)
        if (parameters := _parameters(found[4])).get("tag") == f'"{TAG}"'
    ]
    if len(ours) != 1:
        raise Unauthenticated("signature-missing", f'exactly one signature has tag="{TAG}"')
    label, text, names, parameters = ours[0]
    by_label = {found[1]: found[2] for found in _members(_SIGNATURE, signatures)}
    return _claim(text, names, parameters, by_label.get(label, ""))


def verify_request(claim: Claim, message: SignedMessage, public: str, *, now_s: int) -> Claim:
    """Check that the holder of `public` signed this very request within the last minute.

    Raises: Unauthenticated `signature-incomplete`, `signature-expired`,
            `content-digest-mismatch` or `signature-invalid`. A nonce seen before is not noticed
            here: see `SeenNonces`.
    """
    _check_covered(claim, message)
    _check_time(claim, now_s)
    if claim.algorithm != ALGORITHMS.get(public.partition(":")[0]):
        raise Unauthenticated("signature-invalid", _MISFIT)
    components = [(name, _component(name, message, message.headers)) for name in claim.covered]
    if not keys.verify(public, claim.signature, signature_base(components, claim.parameters)):
        raise Unauthenticated("signature-invalid", _MISFIT)
    _check_digest(message)
    return claim


class SeenNonces:
    """Nonces of the last two minutes: each may be used once by each key, in this process.

    Shape: memory is bounded and shared: nobody may hold more of it than is left free for others.
    """

    def __init__(self, entries_max: int = 100_000) -> None:
        self._room = Room(entries_max)
        self._used: set[tuple[str, str]] = set()
        self._ending: list[tuple[int, tuple[str, str]]] = []

    def take(self, claim: Claim, now_s: int) -> None:
        """Use up the nonce of a verified claim.

        Raises: Unauthenticated `signature-replayed`; Unavailable, TooMuch where there is no room.
        """
        self._forget(now_s)
        key = (claim.key_id, claim.nonce)
        if key in self._used:
            raise replayed()
        verdict = self._room.take(claim.key_id)
        if verdict == "full":
            raise Unavailable("too-busy", "too many signed requests; try again in a minute")
        if verdict:
            raise TooMuch("too-much-at-once", "too many signed requests of this device in a minute")
        self._used.add(key)
        heapq.heappush(self._ending, (claim.expires, key))

    def _forget(self, now_s: int) -> None:
        while self._ending and self._ending[0][0] < now_s:
            _, key = heapq.heappop(self._ending)
            self._used.discard(key)
            self._room.give(key[0])


def before_start() -> Unauthenticated:
    """Say that a signature may have been used before anybody here could remember it."""
    detail = "this hub has just started, and knows no signatures of before; sign anew"
    return Unauthenticated("signature-expired", detail)


def replayed() -> Unauthenticated:
    """Say that a nonce was used before."""
    return Unauthenticated("signature-replayed", "this nonce was used; sign the request anew")


def _members(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    place = 0
    while True:
        member = pattern.match(text, place)
        if member is None or member[1] in (other[1] for other in found):
            raise _malformed("Signature-Input and Signature are dictionaries of RFC 9421")
        found.append(member)
        if member.end() == len(text):
            return found
        comma = _COMMA.match(text, member.end())
        if comma is None:
            raise _malformed("members of Signature-Input and Signature are parted by commas")
        place = comma.end()


def _parameters(text: str) -> dict[str, str]:
    pairs = [(found[1], found[2]) for found in _PARAMS.finditer(text)]
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise _malformed("a signature parameter stands twice")
    return parameters


def _claim(text: str, names: str, parameters: dict[str, str], signature: str) -> Claim:
    covered = tuple(name.strip('"') for name in names.split(" "))
    if len(set(covered)) != len(covered):
        raise _malformed("a component is covered twice")
    try:
        raw = from_base64(signature)
    except Malformed as problem:
        raise _malformed(problem.detail) from None
    return Claim(
        key_id=_text(parameters, "keyid"),
        algorithm=_text(parameters, "alg"),
        created=_seconds(parameters, "created"),
        expires=_seconds(parameters, "expires"),
        nonce=_text(parameters, "nonce"),
        covered=covered,
        parameters=text,
        signature=raw,
    )


def _text(parameters: dict[str, str], name: str) -> str:
    value = parameters.get(name, "")
    if len(value) < 3 or value[0] != '"' or len(value) > 130:
        raise _malformed(f"the parameter {name} is a string of 1 to 128 characters")
    return value[1:-1]


def _seconds(parameters: dict[str, str], name: str) -> int:
    value = parameters.get(name, "")
    if not value.isdigit():
        raise _malformed(f"the parameter {name} is a time in whole seconds")
    return int(value)


def _check_covered(claim: Claim, message: SignedMessage) -> None:
    wanted = {*COVERED, *(["content-digest"] if message.body else [])}
    missing = sorted(wanted - set(claim.covered))
    if missing:
        raise Unauthenticated("signature-incomplete", f"also cover {', '.join(missing)}")


def _check_time(claim: Claim, now_s: int) -> None:
    if not 0 < claim.expires - claim.created <= LIFETIME_SECONDS_MAX:
        detail = f"expires is 1 to {LIFETIME_SECONDS_MAX} seconds after created"
        raise Unauthenticated("signature-expired", detail)
    if now_s > claim.expires or claim.created > now_s + SKEW_SECONDS_MAX:
        detail = "the signature is not of this minute; check the device's clock"
        raise Unauthenticated("signature-expired", detail)


def _check_digest(message: SignedMessage) -> None:
    if not message.body and "content-digest" not in message.headers:
        return
    found = re.fullmatch(
        r"(sha-256|sha-512)=:([A-Za-z0-9+/=]*):", message.headers["content-digest"]
    )
    if found is None or found[2] != to_base64(_DIGESTS[found[1]](message.body).digest()):
        detail = "Content-Digest is not the sha-256 or sha-512 of the body"
        raise Unauthenticated("content-digest-mismatch", detail)


def _component(name: str, message: SignedMessage, headers: Mapping[str, str]) -> str:
    path, mark, query = message.target.partition("?")
    derived = {
        "@method": message.method,
        "@authority": message.authority.lower(),
        "@path": path or "/",
        "@query": (mark or "?") + query,
    }
    if name in derived:
        return derived[name]
    if _FIELD.fullmatch(name) is None or name not in headers:
        raise Unauthenticated("signature-incomplete", f"{name!r} is covered but cannot be found")
    return headers[name].strip(" \t")


def _malformed(detail: str) -> Unauthenticated:
    return Unauthenticated("signature-malformed", detail)
