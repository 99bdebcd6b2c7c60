"""An authenticator in software: makes passkeys and signs with them, as WebAuthn has it.

It is its own reading of the specification: nothing of it is shared with what checks its answers.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from farthing.codec import to_base64url

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One passkey of one person at one site. Shape: `flags` may leave the person unverified."""

    origin: str
    flags: int = _PRESENT | _VERIFIED
    count: int = 0
    ident: bytes = field(default_factory=lambda: os.urandom(32))

    def __post_init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, told: dict[str, Any]) -> dict[str, Any]:
        """Answer what `navigator.credentials.create` is asked."""
        options = told["options"]
        assert -7 in [one["alg"] for one in options["pubKeyCredParams"]]
        assert options["authenticatorSelection"]["userVerification"] == "required"
        attested = bytes(16) + len(self.ident).to_bytes(2, "big") + self.ident + self._cose()
        head = self._head(options["rp"]["id"], self.flags | _ATTESTED) + attested
        whole = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": head})
        response = {
            "clientDataJSON": to_base64url(self._client("webauthn.create", options["challenge"])),
            "attestationObject": to_base64url(whole),
        }
        return self._answer(told, response)

    def show(self, told: dict[str, Any]) -> dict[str, Any]:
        """Answer what `navigator.credentials.get` is asked."""
        options = told["options"]
        assert options["userVerification"] == "required"
        self.count += 1
        head = self._head(options["rpId"], self.flags)
        client = self._client("webauthn.get", options["challenge"])
        signed = head + hashlib.sha256(client).digest()
        response = {
            "clientDataJSON": to_base64url(client),
            "authenticatorData": to_base64url(head),
            "signature": to_base64url(self._key.sign(signed, ec.ECDSA(hashes.SHA256()))),
            "userHandle": None,
        }
        return self._answer(told, response)

    def _answer(self, told: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        ident = to_base64url(self.ident)
        answer = {"id": ident, "rawId": ident, "type": "public-key", "response": response}
        return {"ticket": told["ticket"], "answer": answer | {"clientExtensionResults": {}}}

    def _head(self, site: str, flags: int) -> bytes:
        site_hash = hashlib.sha256(site.encode()).digest()
        return site_hash + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _cose(self) -> bytes:
        numbers = self._key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
