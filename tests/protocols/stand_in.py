"""A small strict seller and hub in memory: really verifies, and takes each payment once."""

import base64
import hashlib
from typing import Any

from farthing import ids, keys
from farthing.core.orders import SignedOrder, payment_id
from farthing.protocols.base import BadCredential, Language, Terms
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402

SECRET = bytes(range(32))
HUB = "abcdefghijklmnopqrstuvwxyz234567"
PAYEE = "acc_01kaw1f2800000000000000000"
PAYER = "acc_01kaw1f2830000000000000000"
DEVICE = "dev_01kaw1f2810000000000000000"
NOW = 1_795_381_200 * 1_000_000_000
SIGNER = keys.Ed25519Signer(bytes(32))


def terms(**changes: Any) -> Terms:
    """Give the terms most tests use."""
    known = {
        "realm": "shop.example",
        "hub": HUB,
        "payee": PAYEE,
        "asset": "USD",
        "amount": 1500,
        "resource": "GET /weather?city=Oslo",
        "url": "https://shop.example/weather?city=Oslo",
        "description": "The weather in Oslo",
    }
    return Terms(**(known | changes))


def digest_of(body: bytes) -> str:
    """Write a body's `Content-Digest` value, or nothing for no body."""
    if not body:
        return ""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def receipt(
    payment: str = "pay_01kaw1f2820000000000000000", captured: int = 1500
) -> dict[str, Any]:
    """Give a receipt of the hub's shape; nothing in it is signed."""
    statement = {"payment": payment, "hub": HUB, "payer": PAYER, "captured": str(captured)}
    head = {"committed_at": "2026-11-22T21:00:00.000000Z"}
    return {"version": "farthing-receipt-1", "statement": statement, "proof": {"head": head}}


class Seller:
    """An ASGI app that sells every path for one price."""

    def __init__(self, clock: Any, asset: str = "USD", languages: Any = None) -> None:
        self.clock = clock
        self.asset = asset
        self.languages: list[Language] = languages or [Mpp([SECRET]), X402()]
        self.devices = {DEVICE: SIGNER.public}
        self.paid: dict[int, SignedOrder] = {}
        self.seen: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request: 402 with every language, or the goods with a receipt."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append(headers)
        asked = self._terms(scope, body)
        language = next((one for one in self.languages if one.carries(headers)), None)
        if language is None:
            return await self._ask(send, asked, None)
        try:
            signed = language.read(headers, asked, self.clock())
            paid = self._take(signed)
        except BadCredential as fault:
            return await self._ask(send, asked, fault)
        return await _answer(send, 200, language.receipt(paid), b"sunny")

    def _terms(self, scope: Any, body: bytes) -> Terms:
        path = scope["raw_path"].decode()
        query = scope["query_string"].decode()
        target = f"{path}?{query}" if query else path
        return terms(
            resource=f"{scope['method']} {target}",
            url=f"https://shop.example{target}",
            body_digest=digest_of(body),
            asset=self.asset,
        )

    def _take(self, signed: SignedOrder) -> dict[str, Any]:
        order = signed.order
        public = self.devices.get(order.device)
        if public is None or not keys.verify(public, signed.signature, order.signed_bytes()):
            raise BadCredential("verification-failed")
        ident = payment_id(order)
        if ident in self.paid:
            raise BadCredential("invalid-challenge", "already used")
        if order.expires <= self.clock() // 1_000_000_000:
            raise BadCredential("payment-expired")
        self.paid[ident] = signed
        return receipt(ids.name("pay", ident), order.amount)

    async def _ask(self, send: Any, asked: Terms, fault: BadCredential | None) -> None:
        fields: list[tuple[str, str]] = [("cache-control", "no-store")]
        for language in self.languages:
            fields += language.challenge(asked, self.clock(), fault)
        await _answer(send, fault.answer_status if fault else 402, fields, b"{}")


async def _answer(send: Any, status: int, fields: Any, body: bytes) -> None:
    encoded = [(name.encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
