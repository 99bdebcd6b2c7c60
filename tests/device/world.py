"""A hub and a shop in memory that really verify and take each payment once, and a bad wire."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from farthing import ids, keys
from farthing.clock import NS
from farthing.core.orders import SignedOrder, payment_id
from farthing.device import Membership, Patience, Purse
from farthing.device.journal import FolderJournal, MemoryJournal
from farthing.protocols.base import BadCredential, Terms
from farthing.protocols.message_signatures import (
    content_digest,
)
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402

from .hub_side import CODE, DEVICE, HUB, HUB_URL, PAYEE, ROOT, HubSide, Taken, problem

SHOP = "https://shop.example"


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


class World(HubSide):
    """An ASGI app: `hub.example` is the hub, every other host is a shop of it."""

    def __init__(self, clock: Any, **terms: Any) -> None:
        super().__init__(clock)
        self.terms: dict[str, Any] = {"amount": 1500} | terms
        self.languages = [Mpp([bytes(32)]), X402()]
        self.served = 0
        self.owner_asked = False
        self.refuses = ""
        self.status = 200
        self.forgets_answers = False
        self.gives_receipts = True
        self.lies: tuple[int, str] | None = None
        self.cashes_first = False
        self.lies_with_receipt = False
        self.hoard: list[SignedOrder] = []

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
            status, fields, out = self.hub(scope, headers, body)
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
            if self.lies is not None:
                return self._lie(language, signed, terms)
            taken = self._take(signed, (method, target, body))
        except BadCredential as fault:
            return self._ask(terms, fault)
        return self._answer(language, taken, (method, target, body))

    def _lie(self, language: Any, signed: SignedOrder, terms: Terms) -> Any:
        """Answer as a seller that keeps the order for later, or has cashed it already."""
        status, code = self.lies or (402, "")
        self.hoard.append(signed)
        if self.cashes_first:
            self.cash(signed)
        if status == 402:
            return self._ask(terms, BadCredential(code))
        if status >= 400:
            return problem(status, code)
        some = Taken(signed, "captured", ("", "", b""))
        fields = list(language.receipt(self.receipt(some))) if self.lies_with_receipt else []
        return status, fields, b"sunny"

    def take_as(self, signed: SignedOrder, state: str) -> None:
        """Have an order at the hub in a state."""
        name = ids.name("pay", payment_id(signed.order))
        self.taken.setdefault(name, Taken(signed, state, ("POST", "/v1/payments", b"")))

    def cash(self, signed: SignedOrder) -> bool:
        """Bring an order to the hub, as anybody may, and tell whether it was taken."""
        try:
            return self._take(signed, ("POST", "/v1/payments", b"")).state == "captured"
        except BadCredential:
            return False

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
        if taken.refunded or taken.state == "expired":
            raise BadCredential("payment-refunded" if taken.refunded else "payment-expired")
        if taken.state == "refused":
            raise BadCredential(taken.reason)
        return taken

    def _answer(self, language: Any, taken: Taken, request: tuple[str, str, bytes]) -> Any:
        if taken.request != request:
            return problem(409, "already-paid")
        if taken.state == "awaiting":
            return problem(403, "awaiting-owner", [("retry-after", "5")])
        receipt = self.receipt(taken)
        if self.forgets_answers:
            return problem(409, "already-paid", receipt=receipt)
        if self.status >= 400:
            taken.state, taken.reason = "voided", "handler-refused"
            return problem(self.status, "handler-failed")
        fields = list(language.receipt(receipt)) if self.gives_receipts else []
        return self.status, fields, b"sunny"

    def _ask(self, terms: Terms, fault: BadCredential | None) -> Any:
        fields = [("cache-control", "no-store")]
        for language in self.languages:
            fields += language.challenge(terms, self.clock(), fault)
        code = fault.code if fault else "payment-required"
        return problem(fault.answer_status if fault else 402, code, fields)


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


__all__ = ["CODE", "DEVICE", "HUB", "HUB_URL", "PAYEE", "ROOT", "SHOP"]
__all__ += ["Clock", "Wire", "World", "problem"]
