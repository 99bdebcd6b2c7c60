"""The hub's side of a world in memory: what a device asks its hub, really verified."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from farthing import ids, keys
from farthing.clock import NS
from farthing.codec import from_base64url, read_json, to_base64url
from farthing.core import chain
from farthing.core.devices import enrolment_bytes, rotation_bytes
from farthing.core.identity import certify
from farthing.core.orders import SignedOrder, order_from_members, payment_id
from farthing.core.receipts import write_receipt
from farthing.errors import FarthingError, Unauthenticated
from farthing.protocols.message_signatures import (
    SeenNonces,
    SignedMessage,
    read_claim,
    verify_request,
)

ROOT = keys.Ed25519Signer(bytes(range(32)))
HUB = keys.fingerprint(ROOT.public)
PAYEE = "acc_01kaw1f2800000000000000000"
DEVICE = "dev_01kaw1f2810000000000000000"
HUB_URL = "https://hub.example"
CODE = "code-1"


@dataclass
class Taken:
    """What the hub knows of one payment."""

    signed: SignedOrder
    state: str
    request: tuple[str, str, bytes]
    reason: str = ""
    refunded: bool = False


class HubSide:
    """What devices ask: who the hub is, how a payment stands, to be enrolled, to cancel."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.devices: dict[str, str] = {}
        self.codes = {CODE}
        self.authority = "hub.example"
        self.taken: dict[str, Taken] = {}
        self.looked_up: list[str] = []
        self.cancelled: list[str] = []
        self.nonces = SeenNonces()

    def receipt(self, taken: Taken, **changes: str) -> dict[str, Any]:
        """Write a receipt that verifies with the hub's root key."""
        order = taken.signed.order
        statement = {
            "amount": str(order.amount),
            "asset": order.asset,
            "captured": str(order.amount if taken.state == "captured" else 0),
            "device": order.device,
            "hub": HUB,
            "kind": "payment",
            "order": to_base64url(hashlib.sha256(order.signed_bytes()).digest()),
            "payee": order.payee,
            "payer": "acc_01kaw1f2820000000000000000",
            "payment": ids.name("pay", payment_id(order)),
            "reason": "",
            "refunded": str(order.amount * taken.refunded),
            "state": taken.state,
        } | changes
        raw = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        leaf = chain.leaf_digest(raw, bytes(32))
        root = chain.root_of(leaf, 1)
        head = chain.sign_head(ROOT, "c", 1, chain.GENESIS, root, 1, self.clock())
        proof = chain.Proof(raw, bytes(32), 0, [], head)
        return write_receipt(proof, certify(ROOT, ROOT.public, 0))

    def hub(self, scope: Any, headers: dict[str, str], body: bytes) -> Any:
        path = scope["raw_path"].decode()
        try:
            if path == "/.well-known/farthing":
                return self._identity()
            if path == "/v1/devices/enrol":
                return self._enrol(read_json(body))
            if path.endswith("/rotate"):
                return self._rotate(path.split("/")[3], read_json(body))
            if path == "/v1/payments/cancel":
                return self._cancel(read_json(body))
            return self.status_of(scope, path, headers)
        except FarthingError as fault:
            return problem(fault.status, fault.code)

    def status_of(self, scope: Any, path: str, headers: dict[str, str]) -> Any:
        claim = read_claim(headers)
        message = SignedMessage(
            method=scope["method"], authority=self.authority, target=path, headers=headers
        )
        now_s = self.clock() // NS
        verify_request(claim, message, self.devices.get(claim.key_id, ""), now_s=now_s)
        self.nonces.take(claim, now_s)
        payment = path.rpartition("/")[2]
        self.looked_up.append(payment)
        taken = self.taken.get(payment)
        if taken is None or taken.signed.order.device != claim.key_id:
            return problem(404, "no-such-payment")
        return self._shown(payment, taken)

    def _cancel(self, told: dict[str, Any]) -> Any:
        order = order_from_members(told["order"])
        public = self.devices.get(order.device, "")
        if not keys.verify(public, from_base64url(told["signature"]), order.cancel_bytes()):
            raise Unauthenticated("bad-signature")
        payment = ids.name("pay", payment_id(order))
        taken = self.taken.get(payment)
        if taken is not None and taken.signed.order != order:
            return problem(409, "nonce-used")
        if taken is None:
            if order.expires <= self.clock() // NS:
                return problem(422, "order-expired")
            signed = SignedOrder(order, b"")
            taken = self.taken[payment] = Taken(signed, "awaiting", ("", "", b""))
        if taken.state == "awaiting":
            taken.state, taken.reason = "refused", "cancelled"
        self.cancelled.append(payment)
        return self._shown(payment, taken)

    def _shown(self, payment: str, taken: Taken) -> Any:
        amount = taken.signed.order.amount if taken.state == "captured" else 0
        shown = {
            "id": payment,
            "state": taken.state,
            "reason": taken.reason or None,
            "captured": str(amount),
            "refunded": str(amount * taken.refunded),
            "receipt": self.receipt(taken),
        }
        return 200, [("content-type", "application/json")], json.dumps(shown).encode()

    def _identity(self) -> Any:
        assets = [{"code": code, "scale": 6} for code in ("USD", "EUR")]
        told = {"hub": HUB, "root_key": ROOT.public, "assets": assets}
        return 200, [], json.dumps(told).encode()

    def _enrol(self, told: dict[str, str]) -> Any:
        public = told["public_key"]
        proof = from_base64url(told["signature"])
        if not keys.verify(public, proof, enrolment_bytes(told["code"], public)):
            raise Unauthenticated("proof-invalid")
        if told["code"] not in self.codes and self.devices.get(DEVICE) != public:
            return problem(404, "no-such-code")
        self.codes.discard(told["code"])
        self.devices[DEVICE] = public
        answer = {
            "device": DEVICE,
            "hub": HUB,
            "root_key": ROOT.public,
            "account": "acc_01kaw1f2820000000000000000",
            "mandate": "man_01kaw1f2830000000000000000",
        }
        return 201, [], json.dumps(answer).encode()

    def _rotate(self, device: str, told: dict[str, str]) -> Any:
        message = rotation_bytes(device, told["public_key"])
        old = keys.verify(self.devices[device], from_base64url(told["signature_old"]), message)
        new = keys.verify(told["public_key"], from_base64url(told["signature_new"]), message)
        if not (old and new):
            raise Unauthenticated("proof-invalid")
        self.devices[device] = told["public_key"]
        return 200, [], b"{}"


def problem(status: int, code: str, fields: Any = (), **more: Any) -> Any:
    """Write an answer that is a problem."""
    body = json.dumps({"code": code, "detail": f"because {code}"} | more).encode()
    return status, [*fields, ("content-type", "application/problem+json")], body
