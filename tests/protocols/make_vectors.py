"""Write the test vectors of our payment method: `python -m tests.protocols.make_vectors`.

Ed25519 signatures and the HMAC are deterministic. The P-256 signatures are made once with
deterministic nonces; another signer will make others, so they are for verification only.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from farthing import ids, keys
from farthing.clock import parse_time
from farthing.codec import canonical_json, from_base64, from_base64url, read_json, to_base64url
from farthing.core.orders import Order, SignedOrder, order_from_members, payment_id
from farthing.protocols import client
from farthing.protocols.base import Terms
from farthing.protocols.mpp import Mpp, challenge_id
from farthing.protocols.x402 import X402
from farthing.protocols.x402_client import write

from .batch_vectors import batch
from .session_vectors import sessions

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "vectors"
NOW = "2026-11-22T21:00:00Z"
NOW_NS = parse_time(NOW) * 1_000_000_000
SECRET = bytes(range(32))
ED25519 = keys.Ed25519Signer(bytes(range(1, 33)))
P256 = keys.P256Signer(bytes(range(1, 33)))
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
HUB = keys.fingerprint(ED25519.public)
DEVICE = "dev_01kaqqvmr0000000000000000g"
NONCE = ids.encode(ids.fresh(NOW_NS // 1_000_000, lambda _: 0x123456789ABCDEF012))
TERMS: dict[str, Any] = {
    "realm": "shop.example",
    "hub": HUB,
    "payee": "acc_01kaqqvmr00000000000000001",
    "asset": "USD",
    "amount": 1500,
    "resource": "GET /weather?city=Oslo",
    "url": "https://shop.example/weather?city=Oslo",
    "description": "The weather in Oslo",
    "body_digest": "",
    "lifetime_seconds": 300,
}
MEMBERS = {
    "amount": "1500",
    "asset": "USD",
    "challenge": "",
    "device": DEVICE,
    "expires": "2026-11-22T21:05:00Z",
    "hub": HUB,
    "nonce": NONCE,
    "payee": TERMS["payee"],
    "resource": TERMS["resource"],
}


def orders() -> dict[str, Any]:
    """Give orders, the bytes they sign to, their payment ids, and texts that are no orders."""
    good = {
        "x402, resource bound": {},
        "x402, stock seller: no resource": {"resource": ""},
        "MPP: the challenge's id and nonce": {"challenge": "x" * 43},
        "largest amount": {"amount": "9223372036854775807"},
        "quotes and backslashes in the resource": {"resource": 'GET /a?b="\\"'},
    }
    bad = {
        "leading zero": {"amount": "01500"},
        "plus sign": {"amount": "+1500"},
        "decimals": {"amount": "1500.0"},
        "negative": {"amount": "-1"},
        "too large": {"amount": "9223372036854775808"},
        "digits of another script": {"amount": "\u0661\u0662"},
        "nonce in capitals": {"nonce": NONCE.upper()},
        "nonce too short": {"nonce": NONCE[1:]},
        "nonce of more than 128 bits": {"nonce": "8" + NONCE[1:]},
        "time with an offset": {"expires": "2026-11-22T21:05:00+00:00"},
        "time that does not exist": {"expires": "2026-02-30T21:05:00Z"},
        "time as a number": {"expires": "1795381500"},
        "not ASCII": {"resource": "GET /caf\u00e9"},
        "control character": {"resource": "GET /a\nb"},
        "too long": {"resource": "GET /" + "a" * 2044},
        "unknown member": {"tip": "1"},
    }
    return {
        "good": [_order(name, MEMBERS | changed) for name, changed in good.items()],
        "bad": [{"name": name, "members": MEMBERS | changed} for name, changed in bad.items()],
    }


def _order(name: str, members: dict[str, str]) -> dict[str, Any]:
    order = order_from_members(members)
    signed = order.signed_bytes()
    return {
        "name": name,
        "members": members,
        "signed_text": signed.decode(),
        "signed_hex": signed.hex(),
        "payment": ids.name("pay", payment_id(order)),
        "ed25519_signature": to_base64url(ED25519.sign(signed)),
    }


def signatures() -> dict[str, Any]:
    """Give keys and signatures on both sides of every line that libraries draw differently."""
    message = order_from_members(MEMBERS).signed_bytes()
    return {
        "message_hex": message.hex(),
        "keys": [{"name": name, "public": key, "usable": ok} for name, key, ok in _keys()],
        "signatures": [
            {"name": name, "public": public, "signature": to_base64url(raw), "valid": ok}
            for name, public, raw, ok in (*_ed25519(message), *_p256(message))
        ],
        "seeds": {
            "ed25519": {"seed_hex": ED25519.seed.hex(), "public": ED25519.public},
            "p256": {"secret_hex": P256.seed.hex(), "public": P256.public},
        },
    }


def _keys() -> list[tuple[str, str, bool]]:
    point = ec.derive_private_key(int.from_bytes(P256.seed, "big"), ec.SECP256R1()).public_key()
    numbers = point.public_numbers()
    x = numbers.x.to_bytes(32, "big")
    whole = b"\4" + x + numbers.y.to_bytes(32, "big")
    identity, order_8 = (
        bytes([1, *[0] * 31]),
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    )
    beyond_p = bytes([0xF0, *[0xFF] * 30, 0x7F])
    good = from_base64url(ED25519.public.partition(":")[2])
    return [
        ("Ed25519", ED25519.public, True),
        ("P-256, compressed", P256.public, True),
        ("Ed25519 identity", "ed25519:" + to_base64url(identity), False),
        ("Ed25519 point of order 8", "ed25519:" + to_base64url(order_8), False),
        ("Ed25519 y is not below p", "ed25519:" + to_base64url(beyond_p), False),
        ("Ed25519 too short", "ed25519:" + to_base64url(good[:31]), False),
        ("P-256, uncompressed", "p256:" + to_base64url(whole), False),
        ("P-256, x that is on no point", "p256:" + to_base64url(b"\2" + bytes(31) + b"\1"), False),
        ("P-256, infinity", "p256:" + to_base64url(b"\0"), False),
        ("no algorithm", to_base64url(good), False),
        ("padded base64", ED25519.public + "=", False),
        ("another algorithm", "rsa:" + to_base64url(good), False),
    ]


def _ed25519(message: bytes) -> list[tuple[str, str, bytes, bool]]:
    public = ED25519.public
    good = ED25519.sign(message)
    s = int.from_bytes(good[32:], "little")
    point = from_base64url(public.partition(":")[2])
    expanded = bytearray(hashlib.sha512(ED25519.seed).digest()[:32])
    expanded[0] &= 248
    expanded[31] = expanded[31] & 127 | 64
    identity = bytes([1, *[0] * 31])
    h = int.from_bytes(hashlib.sha512(identity + point + message).digest(), "little")
    forged = (h * int.from_bytes(expanded, "little") % ED25519_ORDER).to_bytes(32, "little")
    return [
        ("Ed25519", public, good, True),
        ("Ed25519 over another message", public, ED25519.sign(message + b" "), False),
        ("Ed25519 with one bit turned", public, bytes([good[0] ^ 1, *good[1:]]), False),
        (
            "Ed25519 with S + L",
            public,
            good[:32] + (s + ED25519_ORDER).to_bytes(32, "little"),
            False,
        ),
        ("Ed25519 with R of small order", public, identity + forged, False),
        ("Ed25519 cut short", public, good[:63], False),
    ]


def _p256(message: bytes) -> list[tuple[str, str, bytes, bool]]:
    secret = ec.derive_private_key(int.from_bytes(P256.seed, "big"), ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    encoded = secret.sign(message, algorithm)
    r, s = decode_dss_signature(encoded)
    low = min(s, P256_ORDER - s)

    def raw(one: int, other: int) -> bytes:
        return one.to_bytes(32, "big") + other.to_bytes(32, "big")

    return [
        ("P-256 with low s", P256.public, raw(r, low), True),
        ("P-256 with high s", P256.public, raw(r, P256_ORDER - low), False),
        ("P-256 in DER", P256.public, encoded, False),
        ("P-256 with r 0", P256.public, raw(0, low), False),
        ("P-256 with s 0", P256.public, raw(r, 0), False),
        ("P-256 with one bit turned", P256.public, raw(r ^ 1, low), False),
        ("P-256 under an Ed25519 key", ED25519.public, raw(r, low), False),
    ]


def mpp() -> dict[str, Any]:
    """Give a challenge, the credential that pays it, and credentials that do not."""
    language = Mpp([SECRET], random_bits=lambda _: 0x123456789ABCDEF012)
    headers = language.challenge(Terms(**TERMS), NOW_NS, None)
    [ask] = client.asks(headers)
    signed = _signed(ask)
    value = ask.credential(signed)[0][1]
    message = read_json(from_base64url(value.removeprefix("Payment ")))
    return {
        "now": NOW,
        "secret_hex": SECRET.hex(),
        "terms": TERMS,
        "challenge": headers[0][1],
        "request": read_json(from_base64url(ask.raw["request"])),
        "order": signed.order.members(),
        "public": ED25519.public,
        "credential": message,
        "credentials": [
            {"name": name, "authorization": header, "terms": terms} | _verdict(code, status)
            for name, header, terms, code, status in _mpp_cases(value, message)
        ],
    }


def _mpp_cases(value: str, message: dict[str, Any]) -> list[tuple[str, str, Any, str, int]]:
    challenge, payload = message["challenge"], message["payload"]

    def written(**changed: Any) -> str:
        return "Payment " + to_base64url(canonical_json(message | changed))

    def rebound(**changed: str) -> str:
        slots = challenge | changed
        return written(challenge=slots | {"id": challenge_id(SECRET, slots)})

    other = Order(**_fields(MEMBERS | {"challenge": challenge["id"], "amount": "1"}))
    wrong = payload | {"signature": to_base64url(ED25519.sign(other.signed_bytes()))}
    bad_id = {"id": "A" * 43}
    stray = payload | {"signature": payload["signature"][:-1] + "B"}
    return [
        ("good", value, {}, "", 0),
        ("good: unknown members of the envelope", written(later=1, source="did:x"), {}, "", 0),
        ("good: the price has changed since", value, {"amount": 2000}, "", 0),
        ("good: beside another scheme", f"Bearer abc, {value}", {}, "", 0),
        ("signed over another amount", written(payload=wrong), {}, "signature", 0),
        ("another id", written(challenge=challenge | bad_id), {}, "invalid-challenge", 402),
        (
            "a later expiry",
            written(challenge=challenge | {"expires": "2026-11-22T21:06:00Z"}),
            {},
            "invalid-challenge",
            402,
        ),
        (
            "a bar in a slot",
            rebound(expires=challenge["expires"] + "|"),
            {},
            "invalid-challenge",
            402,
        ),
        ("another resource", value, {"resource": "GET /other"}, "invalid-challenge", 402),
        ("another realm", value, {"realm": "other.example"}, "invalid-challenge", 402),
        ("another payee", value, {"payee": DEVICE}, "invalid-challenge", 402),
        ("another asset", value, {"asset": "EUR"}, "invalid-challenge", 402),
        (
            "a body that was not asked for",
            value,
            {"body_digest": "sha-256=:" + "A" * 43 + "=:"},
            "verification-failed",
            402,
        ),
        (
            "another method",
            written(challenge=challenge | {"method": "tempo"}),
            {},
            "method-unsupported",
            400,
        ),
        ("two credentials", f"{value}, {value}", {}, "several-credentials", 400),
        ("padded", value + "=", {}, "malformed-credential", 402),
        ("not base64url", "Payment !", {}, "malformed-credential", 402),
        ("not an object", "Payment W10", {}, "malformed-credential", 402),
        ("no payload", written(payload=None), {}, "malformed-credential", 402),
        (
            "a member too many",
            written(payload=payload | {"a": "1"}),
            {},
            "malformed-credential",
            402,
        ),
        ("stray bits", written(payload=stray), {}, "malformed-credential", 402),
        (
            "an id of another kind",
            written(payload=payload | {"device": TERMS["payee"]}),
            {},
            "malformed-credential",
            402,
        ),
    ]


def x402() -> dict[str, Any]:
    """Give a requirement, the payload that meets it, and payloads that do not."""
    headers = X402().challenge(Terms(**TERMS), NOW_NS, None)
    [ask] = client.asks(headers)
    signed = _signed(ask)
    value = ask.credential(signed)[0][1]
    message = read_json(from_base64(value))
    return {
        "now": NOW,
        "terms": TERMS,
        "payment_required": headers[0][1],
        "required": read_json(from_base64(headers[0][1])),
        "order": signed.order.members(),
        "public": ED25519.public,
        "payload": message,
        "payloads": [
            {"name": name, "payment_signature": header, "terms": terms} | _verdict(code, status)
            for name, header, terms, code, status in _x402_cases(value, message)
        ],
    }


def _x402_cases(value: str, message: dict[str, Any]) -> list[tuple[str, str, Any, str, int]]:
    accepted, payload = message["accepted"], message["payload"]

    def written(**changed: Any) -> str:
        return write(message | changed)

    def with_payload(**changed: Any) -> str:
        return written(payload=payload | changed)

    other = order_from_members(MEMBERS | {"amount": "1"})
    wrong = to_base64url(ED25519.sign(other.signed_bytes()))
    bad = ("malformed-credential", 400)
    return [
        ("good", value, {}, "", 0),
        ("good: no extensions echoed", written(extensions={}), {}, "", 0),
        ("good: unknown members of the envelope", written(later=1), {}, "", 0),
        ("signed over another amount", with_payload(signature=wrong), {}, "signature", 0),
        ("the price has changed since", value, {"amount": 2000}, "terms-mismatch", 402),
        ("another payee", value, {"payee": DEVICE}, "terms-mismatch", 402),
        ("another resource", value, {"resource": "GET /other"}, "terms-mismatch", 402),
        ("another hub", value, {"hub": "a" * 32}, "terms-mismatch", 402),
        (
            "a window that is too long",
            with_payload(expires="2026-11-22T21:06:01Z"),
            {},
            "lifetime-too-long",
            402,
        ),
        ("a fraction of a second", with_payload(expires="2026-11-22T21:05:00.5Z"), {}, *bad),
        ("a member too many", with_payload(amount="1500"), {}, *bad),
        ("a nonce in capitals", with_payload(nonce=NONCE.upper()), {}, *bad),
        ("amount as a number", written(accepted=accepted | {"amount": 1500}), {}, *bad),
        ("version 1", written(x402Version=1), {}, *bad),
        ("another network", written(accepted=accepted | {"network": "eip155:8453"}), {}, *bad),
        ("another scheme", written(accepted=accepted | {"scheme": "upto"}), {}, *bad),
        ("base64url instead of base64", value.rstrip("=") + "_", {}, *bad),
        ("not an object", "W10=", {}, *bad),
        (
            "a payment identifier that is too short",
            written(extensions={"payment-identifier": {"info": {"required": False, "id": "a"}}}),
            {},
            *bad,
        ),
    ]


def _verdict(code: str, status: int) -> dict[str, Any]:
    if code == "signature":
        return {"readable": True, "signature_valid": False}
    if code == "":
        return {"readable": True, "signature_valid": True}
    return {"readable": False, "code": code, "status": status}


def _signed(ask: client.Ask) -> SignedOrder:
    order = ask.order(DEVICE, NOW_NS, lambda: NONCE)
    return SignedOrder(order, ED25519.sign(order.signed_bytes()))


def _fields(members: dict[str, str]) -> dict[str, Any]:
    order = order_from_members(members)
    return {name: getattr(order, name) for name in order.__struct_fields__}


def all_vectors() -> dict[str, dict[str, Any]]:
    """Give every file's content by its name."""
    return {
        "orders": orders(),
        "signatures": signatures(),
        "mpp": mpp(),
        "x402": x402(),
        "sessions": sessions(),
        "batch": batch(),
    }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in all_vectors().items():
        text = json.dumps(content, indent=2, ensure_ascii=True)
        (FOLDER / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
