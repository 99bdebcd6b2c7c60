"""A hub and a shop in memory that really verify and take each payment once, and a bad wire."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from farthing import ids, keys
from farthing.clock import NS
from farthing.codec import from_base64url, read_json
from farthing.core import chain
from farthing.core.devices import enrolment_bytes, rotation_bytes
from farthing.core.identity import certify
from farthing.core.orders import SignedOrder, payment_id
from farthing.core.receipts import write_receipt
from farthing.device import Membership, Patience, Purse
from farthing.device.journal import FolderJournal, MemoryJournal
from farthing.errors import FarthingError, Unauthenticated
from farthing.protocols.base import BadCredential, Terms
from farthing.protocols.message_signatures import (
    SeenNonces,
    SignedMessage,
    content_digest,
    read_claim,
    verify_request,
)
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402

ROOT = keys.Ed25519Signer(bytes(range(32)))
HUB = keys.fingerprint(ROOT.public)
PAYEE = "acc_01kaw1f2800000000000000000"
DEVICE = "dev_01kaw1f2810000000000000000"
SHOP = "https://shop.example"
HUB_URL = "https://hub.example"
CODE = "code-1"


class Clock:
    """Time that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_ns = 1_795_381_200 * NS
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.now_ns

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += int(seconds * NS)


@dataclass
class Taken:
    """What the hub knows of one payment."""

    signed: SignedOrder
    state: str
    request: tuple[str, str, bytes]
    reason: str = ""


class World:
    """An ASGI app: `hub.example` is the hub, every other host is a shop of it."""

    def __init__(self, clock: Any, **terms: Any) -> None:
        self.clock = clock
        self.terms: dict[str, Any] = {"amount": 1500} | terms
        self.languages = [Mpp([bytes(32)]), X402()]
        self.devices: dict[str, str] = {}
        self.codes = {CODE}
        self.authority = "hub.example"
        self.taken: dict[str, Taken] = {}
        self.served = 0
        self.looked_up: list[str] = []
        self.owner_asked = False
        self.refuses = ""
        self.status = 200
        self.forgets_answers = False
        self.gives_receipts = True
        self.nonces = SeenNonces()

    def total(self) -> int:
        """Count the units that were really taken."""
        return sum(t.signed.order.amount for t in self.taken.values() if t.state == "captured")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if headers["host"] == "hub.example":
            status, fields, out = self._hub(scope, headers, body)
        else:
            status, fields, out = self._shop(scope, headers, body)
        raw = [(name.encode(), value.encode()) for name, value in fields]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else out}
        )

    # The shop

    def _shop(self, scope: Any, headers: dict[str, str], body: bytes) -> Any:
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        if target.startswith("/moved"):
            return 302, [("location", headers["x-where"])], b""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        terms = Terms(
            **{
                "realm": headers["host"],
                "hub": HUB,
                "payee": PAYEE,
                "asset": "USD",
                "resource": f"{method} {target}",
                "url": f"{SHOP}{target}",
                "body_digest": content_digest(body) if body else "",
            }
            | self.terms
        )
        language = next((one for one in self.languages if one.carries(headers)), None)
        if language is None:
            return self._ask(terms, None)
        try:
            signed = language.read(headers, terms, self.clock())
            taken = self._take(signed, (method, target, body))
        except BadCredential as fault:
            return self._ask(terms, fault)
        return self._answer(language, taken, (method, target, body))

    def _take(self, signed: SignedOrder, request: tuple[str, str, bytes]) -> Taken:
        order = signed.order
        public = self.devices.get(order.device, "")
        if not keys.verify(public, signed.signature, order.signed_bytes()):
            raise BadCredential("verification-failed")
        name = ids.name("pay", payment_id(order))
        taken = self.taken.get(name)
        if taken is None:
            if order.expires <= self.clock() // NS:
                raise BadCredential("payment-expired")
            state = "awaiting" if self.owner_asked else "refused" if self.refuses else "captured"
            taken = self.taken[name] = Taken(signed, state, request, self.refuses)
            self.served += state == "captured"
        if taken.state == "awaiting" and not self.owner_asked:
            taken.state = "refused" if self.refuses else "captured"
            taken.reason = self.refuses
        if taken.state == "refused":
            raise BadCredential(taken.reason)
        return taken

    def _answer(self, language: Any, taken: Taken, request: tuple[str, str, bytes]) -> Any:
        if taken.request != request:
            return _problem(409, "already-paid")
        if taken.state == "awaiting":
            return _problem(403, "awaiting-owner", [("retry-after", "5")])
        receipt = self.receipt(taken)
        if self.forgets_answers:
            return _problem(409, "already-paid", receipt=receipt)
        if self.status >= 400:
            taken.state, taken.reason = "voided", "handler-refused"
            return _problem(self.status, "handler-failed")
        fields = list(language.receipt(receipt)) if self.gives_receipts else []
        return self.status, fields, b"sunny"

    def receipt(self, taken: Taken, **changes: str) -> dict[str, Any]:
        """Write a receipt that verifies with the hub's root key."""
        order = taken.signed.order
        statement = {
            "amount": str(order.amount),
            "asset": order.asset,
            "captured": str(order.amount),
            "device": order.device,
            "hub": HUB,
            "kind": "payment",
            "payee": order.payee,
            "payer": "acc_01kaw1f2820000000000000000",
            "payment": ids.name("pay", payment_id(order)),
            "reason": "",
            "refunded": "0",
            "state": taken.state,
        } | changes
        raw = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        leaf = chain.leaf_digest(raw, bytes(32))
        root = chain.root_of(leaf, 1)
        head = chain.sign_head(ROOT, "c", 1, chain.GENESIS, root, 1, self.clock())
        proof = chain.Proof(raw, bytes(32), 0, [], head)
        return write_receipt(proof, certify(ROOT, ROOT.public, 0))

    def _ask(self, terms: Terms, fault: BadCredential | None) -> Any:
        fields = [("cache-control", "no-store")]
        for language in self.languages:
            fields += language.challenge(terms, self.clock(), fault)
        code = fault.code if fault else "payment-required"
        return _problem(fault.answer_status if fault else 402, code, fields)

    # The hub

    def _hub(self, scope: Any, headers: dict[str, str], body: bytes) -> Any:
        path = scope["raw_path"].decode()
        try:
            if path == "/.well-known/farthing":
                return self._identity()
            if path == "/v1/devices/enrol":
                return self._enrol(read_json(body))
            if path.endswith("/rotate"):
                return self._rotate(path.split("/")[3], read_json(body))
            return self._status(scope, path, headers)
        except FarthingError as fault:
            return _problem(fault.status, fault.code)

    def _status(self, scope: Any, path: str, headers: dict[str, str]) -> Any:
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
            return _problem(404, "no-such-payment")
        told = {"id": payment, "state": taken.state, "reason": taken.reason}
        return 200, [("content-type", "application/json")], json.dumps(told).encode()

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
            return _problem(404, "no-such-code")
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


def _problem(status: int, code: str, fields: Any = (), **more: Any) -> Any:
    body = json.dumps({"code": code, "detail": f"because {code}"} | more).encode()
    return status, [*fields, ("content-type", "application/problem+json")], body


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """A network between client and world. Its troubles befall paying requests, in order.

    Shape: a trouble is `request-lost`, `reply-lost`, `cut` (in mid-body), or a status.
    """

    world: World
    troubles: list[Any] = field(default_factory=list)
    hub_away: bool = False
    sent: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        below = httpx.ASGITransport(self.world)
        if request.url.host == "hub.example":
            if self.hub_away:
                raise httpx.ConnectError("the hub is away", request=request)
            return await below.handle_async_request(request)
        trouble = self.troubles.pop(0) if self.troubles and credential(request) else ""
        if trouble == "request-lost":
            raise httpx.ConnectTimeout("lost on the way", request=request)
        if isinstance(trouble, int):
            return httpx.Response(trouble, headers={"retry-after": "2"}, request=request)
        response = await below.handle_async_request(request)
        if trouble == "reply-lost":
            raise httpx.ReadError("lost on the way back", request=request)
        if trouble == "cut":
            response.stream = _Cut()
        return response

    def credentials(self) -> list[str]:
        """List the credentials in the order sent."""
        return [found for request in self.sent if (found := credential(request))]


class _Cut(httpx.AsyncByteStream):
    async def __aiter__(self) -> Any:
        yield b"su"
        raise httpx.ReadError("cut")


def credential(request: httpx.Request) -> str:
    """Give the credential a request carries, or nothing."""
    headers = request.headers
    return headers.get("payment-signature") or headers.get("authorization", "")


def a_purse(world: World, folder: Any = None, **membership: Any) -> Purse:
    """Make the purse of an enrolled device."""
    signer = keys.Ed25519Signer(bytes(range(1, 33)))
    world.devices[DEVICE] = signer.public
    told = {"device": DEVICE, "hub": HUB, "hub_url": HUB_URL, "root_key": ROOT.public}
    journal = FolderJournal(folder) if folder else MemoryJournal()
    return Purse(Membership(**(told | membership)), signer, journal)


def patience(clock: Clock, **rules: Any) -> Patience:
    """Be as patient as a client is, in made-up time."""
    return Patience(clock=clock, sleep=clock.sleep, spread=lambda: 1.0, **rules)
