"""A payer written from docs/reference/methods.md alone: it imports nothing of Farthing."""

import base64
import hashlib
import json
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_url64(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def written(number: int) -> str:
    return "".join(DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def new_nonce() -> str:
    return written(time.time_ns() // 1_000_000 << 80 | secrets.randbits(80))


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def p256_sign(secret: bytes, message: bytes) -> bytes:
    key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + min(s, N - s).to_bytes(32, "big")


def signed_bytes(order: dict[str, str]) -> bytes:
    return b"farthing-order-1\n" + json.dumps(order, sort_keys=True, separators=(",", ":")).encode()


def payment_id(order: dict[str, str]) -> str:
    by = "challenge" if order["challenge"] else order["device"]
    parts = [text.encode() for text in ("farthing-payment-1", by, order["nonce"])]
    digest = hashlib.sha256(b"".join(len(p).to_bytes(4, "big") + p for p in parts)).digest()
    nonce = 0
    for char in order["nonce"]:
        nonce = nonce << 5 | DIGITS.index(char)
    return "pay_" + written(nonce >> 80 << 80 | int.from_bytes(digest[:9], "big") << 8)


class Payer:
    """Signs the order of one 402 and gives the header field to send with it."""

    def __init__(self, device: str, sign: Any, secret: bytes) -> None:
        self.device, self.sign, self.secret = device, sign, secret
        self.order: dict[str, str] = {}

    def mpp(self, challenge: str) -> dict[str, str]:
        """Answer one `WWW-Authenticate` challenge."""
        sent = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        request = from_url64(sent["request"])
        self.order = {
            "amount": request["amount"],
            "asset": request["currency"],
            "challenge": sent["id"],
            "device": self.device,
            "expires": sent["expires"],
            "hub": request["methodDetails"]["hub"],
            "nonce": from_url64(sent["opaque"])["nonce"],
            "payee": request["recipient"],
            "resource": request["methodDetails"]["resource"],
        }
        signature = url64(self.sign(self.secret, signed_bytes(self.order)))
        message = {"challenge": sent, "payload": {"device": self.device, "signature": signature}}
        return {"authorization": "Payment " + url64(json.dumps(message).encode())}

    def x402(self, required: str) -> dict[str, str]:
        """Answer one `PAYMENT-REQUIRED` field."""
        asked = json.loads(base64.b64decode(required))
        [accepted] = [a for a in asked["accepts"] if a["network"].startswith("farthing:")]
        expires = int(time.time()) + min(accepted["maxTimeoutSeconds"], 3600)
        self.order = {
            "amount": accepted["amount"],
            "asset": accepted["asset"],
            "challenge": "",
            "device": self.device,
            "expires": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "hub": accepted["network"].partition(":")[2],
            "nonce": new_nonce(),
            "payee": accepted["payTo"],
            "resource": accepted.get("extra", {}).get("resource", ""),
        }
        signature = url64(self.sign(self.secret, signed_bytes(self.order)))
        proof = {name: self.order[name] for name in ("device", "expires", "nonce")}
        message = {
            "x402Version": 2,
            "accepted": accepted,
            "payload": proof | {"signature": signature},
        }
        return {"payment-signature": base64.b64encode(json.dumps(message).encode()).decode()}
