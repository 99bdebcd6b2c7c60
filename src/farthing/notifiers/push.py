"""Notices as Web Push: encrypted for one browser, so that what carries them can read nothing.

Source: RFC 8030 (Web Push), RFC 8188 (aes128gcm), RFC 8291 (its keys), RFC 8292 (VAPID). Written on
the crypto library: the package that there is sends by `requests`, which would go around the guard.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from farthing.clock import NS, Clock
from farthing.codec import from_base64url, to_base64url
from farthing.errors import Malformed
from farthing.notifiers.base import Notice, Post, Posted
from farthing.notifiers.outside import Networks, check_url

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many points P-256 has. Source: FIPS 186-4, D.1.2.3."""
_POINT, _AUTH, _SALT = 65, 16, 16
_RECORD = 4096
PLAIN_BYTES_MAX = 3000
"""A push service takes 4096 bytes of body at least (RFC 8030, 7.2)."""
_GOOD_SECONDS = 12 * 3600
_TTL_MAX = 28 * 86_400


class Keys(msgspec.Struct, frozen=True):
    """A browser's keys, as its subscription has them: in base64url."""

    p256dh: str
    auth: str


def signing_key(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """Derive the hub's key for pushes, by which every browser knows it, from its secret."""
    wide = hashlib.sha512(b"farthing-vapid-1\n" + secret).digest()
    return ec.derive_private_key(int.from_bytes(wide, "big") % (_ORDER - 1) + 1, ec.SECP256R1())


def public_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Give the public half as an uncompressed point."""
    form = serialization.PublicFormat.UncompressedPoint
    return key.public_key().public_bytes(serialization.Encoding.X962, form)


def read_keys(text: str) -> tuple[bytes, bytes]:
    """Read a browser's public point and its shared secret.

    Raises: Malformed `malformed-push-keys`.
    """
    try:
        told = msgspec.json.decode(text, type=Keys)
        point, auth = from_base64url(told.p256dh), from_base64url(told.auth)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except (msgspec.MsgspecError, Malformed, ValueError):
        raise Malformed("malformed-push-keys", "send the browser's subscription as it is") from None
    if len(point) != _POINT or len(auth) != _AUTH:
        raise Malformed("malformed-push-keys", "send the browser's subscription as it is")
    return point, auth


def encrypted(
    plain: bytes, point: bytes, auth: bytes, own: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """Encrypt one record for a browser; `own` and `salt` are for this message alone.

    Source: RFC 8291, 3.4; RFC 8188, 2.1.
    """
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    public = public_of(own)
    shared = hmac.digest(auth, own.exchange(ec.ECDH(), theirs), "sha256")
    material = _expand(shared, b"WebPush: info\0" + point + public)
    key = hmac.digest(salt, material, "sha256")
    cipher = AESGCM(_expand(key, b"Content-Encoding: aes128gcm\0")[:16])
    nonce = _expand(key, b"Content-Encoding: nonce\0")[:12]
    head = salt + _RECORD.to_bytes(4, "big") + bytes([len(public)]) + public
    return head + cipher.encrypt(nonce, plain + b"\x02", None)


def _expand(key: bytes, info: bytes) -> bytes:
    return hmac.digest(key, info + b"\x01", "sha256")  # One block of HKDF is all that is wanted.


def signed_claim(key: ec.EllipticCurvePrivateKey, url: str, contact: str, now_s: int) -> str:
    """Write who sends this, for the push service alone.

    Units: `now_s` is in Unix seconds. Source: RFC 8292, 2 and 3.
    """
    parts = urlsplit(url)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": now_s + _GOOD_SECONDS,
        "sub": contact,
    }
    head = msgspec.json.encode({"typ": "JWT", "alg": "ES256"})
    signed = f"{to_base64url(head)}.{to_base64url(msgspec.json.encode(claims))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"vapid t={signed}.{to_base64url(raw)}, k={to_base64url(public_of(key))}"


def payload(notice: Notice) -> bytes:
    """Write what the service worker gets: see docs/reference/pushes.md.

    Shape: a long text is cut, as a push service takes only so much.
    """
    told = {
        "id": notice.ident,
        "tag": notice.ident,
        "about": notice.about,
        "lang": notice.language,
        "title": notice.text.title,
        "body": notice.text.body,
        "why": notice.text.why,
        "url": notice.open_url,
        "stop_url": notice.stop_url,
        "more_url": notice.more_url,
        "subject": notice.subject,
        "ticket": notice.ticket,
        "shown": notice.shown,
        "actions": [{"action": one.action, "title": one.title} for one in notice.actions],
    }
    body, written = notice.text.body, msgspec.json.encode(told)
    while len(written) > PLAIN_BYTES_MAX and len(body) > 1:
        body = body[: len(body) * 3 // 4]
        written = msgspec.json.encode(told | {"body": f"{body.rstrip()}…"})
    return written


class WebPush:
    """Web Push as a way of telling somebody.

    Shape: `secret` is read with the first push.
    """

    def __init__(
        self,
        post: Post,
        networks: Networks,
        secret: Callable[[], bytes],
        contact: str,
        clock: Clock,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._post, self._networks, self._close = post, networks, close
        self._secret, self._contact, self._clock = secret, contact, clock

    @property
    def public_key(self) -> str:
        """The key that browsers subscribe with, in base64url."""
        return to_base64url(public_of(signing_key(self._secret())))

    def check(self, place: str, keys: str) -> None:
        """Look at a subscription before it is kept. Raises: Malformed."""
        check_url(place, self._networks)
        read_keys(keys)

    async def tell(self, place: str, keys: str, notice: Notice) -> Posted:
        """Push once. A browser that is not subscribed any more is gone for good."""
        point, auth = read_keys(keys)
        own = ec.generate_private_key(ec.SECP256R1())
        body = encrypted(payload(notice), point, auth, own, secrets.token_bytes(_SALT))
        topic = to_base64url(hashlib.sha256(notice.ident.encode()).digest()[:24])
        now_s = self._clock() // NS
        claim = signed_claim(signing_key(self._secret()), place, self._contact, now_s)
        headers = [
            ("Authorization", claim),
            ("Content-Encoding", "aes128gcm"),
            ("Content-Type", "application/octet-stream"),
            ("TTL", str(min(notice.seconds, _TTL_MAX))),
            ("Topic", topic),
            ("Urgency", "high" if notice.urgent else "normal"),
        ]
        posted = await self._post(place, headers, body)
        if posted.status == 404:
            return Posted(410, posted.fault, posted.took_ms)
        return posted

    async def close(self) -> None:
        """Let go of what posts."""
        if self._close is not None:
            await self._close()
