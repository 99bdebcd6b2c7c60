"""Who asks, and what is known of what was made: all of it drawn from one seed.

What is drawn depends on what was answered, and all hubs answer alike, so a seed is one story.
"""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from farthing import ids
from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.ladders import Climber
from farthing.core.orders import Order, SignedOrder
from farthing.keys import Ed25519Signer, P256Signer, Signer
from farthing.protocols.message_signatures import SignedMessage, sign_request
from tests.equal.hubs import Hubs, read
from tests.equal.wire import HOST, Answer, Ask, Fields

JSON = "application/json"
_WRONG_ASKER, _KEYED, _SENT_MAX = 0.04, 0.4, 400
_GOOD = range(200, 300)


@dataclass
class Owner:
    """An owner. Shape: `keys` are its secrets by scope."""

    id: str
    keys: dict[str, str] = field(default_factory=dict[str, str])
    accounts: list[str] = field(default_factory=list[str])
    mandates: list[str] = field(default_factory=list[str])


@dataclass
class Device:
    """A device with its key, which rotates."""

    id: str
    account: str
    owner: Owner
    signer: Signer


@dataclass
class Purchase:
    """A session as its payer keeps it. Shape: `told` is the hub's own answer."""

    told: dict[str, Any]
    device: Device
    units: int = 0
    sequence: int = 0
    climber: Climber | None = None
    each: int = 1
    ladder_voucher: str = ""


@dataclass
class Channel:
    """An x402 session. Shape: `signed` is the order that opens it."""

    id: str
    device: Device
    payee: str
    signed: SignedOrder
    units: int = 0
    sequence: int = 0
    is_open: bool = False


class Crowd:
    """Everybody. Shape: `payments` are ids; `orders` what was signed, with who signed it."""

    def __init__(self, seed: int, hubs: Hubs) -> None:
        self.luck, self.hubs, self.clock = Random(seed), hubs, hubs.clock
        self.owners: list[Owner] = []
        self.devices: list[Device] = []
        self.payments: list[str] = []
        self.orders: list[tuple[SignedOrder, Device]] = []
        self.offers: list[dict[str, Any]] = []
        self.purchases: list[Purchase] = []
        self.channels: list[Channel] = []
        self.exact: list[dict[str, Any]] = []
        self.sent: list[Ask] = []
        self.used_keys: list[str] = []
        self.told: dict[str, int] = {}

    @property
    def accounts(self) -> list[str]:
        """Give every account."""
        return [account for owner in self.owners for account in owner.accounts]

    def owner_of(self, account: str) -> Owner:
        """Tell whose an account is."""
        return next(owner for owner in self.owners if account in owner.accounts)

    def chance(self, share: float) -> bool:
        """Draw whether something happens."""
        return self.luck.random() < share

    def one(self, of: list[Any]) -> Any:
        """Draw one, more often a newer one; None if there is none."""
        return of[-1 - int(len(of) * self.luck.random() ** 2)] if of else None

    def name(self, prefix: str) -> str:
        """Make an id of somebody's own."""
        return ids.name(prefix, ids.fresh(self.clock.now_ns // 1_000_000, self.luck.getrandbits))

    def signer(self) -> Signer:
        """Make a key of either kind."""
        secret = self.luck.randbytes(32)
        return P256Signer(secret) if self.chance(0.2) else Ed25519Signer(secret)

    def units(self, most: int = 60) -> int:
        """Draw an amount; now and then none, or far too much."""
        draw = self.luck.random()
        if draw < 0.03:
            return self.luck.choice([0, 10**9, 2**63 - 1])
        return self.luck.randint(1, most)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | Device | None = None,
        media: str = JSON,
    ) -> Any:
        """Ask all hubs, and give the answer's JSON if it is a good one, else None."""
        raw = body if isinstance(body, bytes) else b"" if body is None else _written(body)
        fields: Fields = (("content-type", media),)
        if method != "GET" and self.chance(_KEYED):
            fields += (("idempotency-key", self._key()),)
        if isinstance(by, str) and by and self.chance(_WRONG_ASKER):
            by = self._any_key()
        if isinstance(by, str):
            fields += (("authorization", f"Bearer {by}"),)
        elif by is not None:
            fields += self._proof(by, method, path, raw)
        answer = await self.send(Ask(method, path, raw, fields))
        return read(answer) if answer.status in _GOOD and answer.body[:1] == b"{" else None

    async def send_local(self, method: str, path: str, body: Any = None) -> Answer:
        """Ask as the operator of the hub's own machine."""
        raw = b"" if body is None else _written(body)
        return await self.send(Ask(method, path, raw, operator=True))

    async def local(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the same, which must succeed."""
        answer = await self.send_local(method, path, body)
        assert answer.status in _GOOD, answer
        return read(answer)

    async def send(self, ask: Ask) -> Answer:
        """Send a request, and count what it came to."""
        self.sent = [*self.sent[-_SENT_MAX:], ask]
        answer = await self.hubs.ask(ask)
        told = read(answer).get("code", "") if answer.status >= 400 else ""
        place = f"{answer.status} {told}".strip()
        self.told[place] = self.told.get(place, 0) + 1
        return answer

    def _key(self) -> str:
        if self.used_keys and self.chance(0.1):
            return self.luck.choice(self.used_keys)
        self.used_keys.append(to_base64url(self.luck.randbytes(9)))
        return self.used_keys[-1]

    def _any_key(self) -> str:
        owner = self.luck.choice(self.owners)
        return self.luck.choice([*owner.keys.values(), "fk_nobodys"])

    def _proof(self, device: Device, method: str, path: str, raw: bytes) -> Fields:
        message = SignedMessage(method=method, authority=HOST, target=path, headers={}, body=raw)
        nonce = to_base64url(self.luck.randbytes(16))
        now = self.clock.now_ns // NS
        return tuple(sign_request(device.signer, device.id, message, now_s=now, nonce=nonce))

    def order(self, device: Device, payee: str, amount: int, **members: Any) -> SignedOrder:
        """Sign an order; it is kept, to be sent again, cancelled or put in a batch."""
        now_ns = self.clock.now_ns
        terms: dict[str, Any] = {
            "hub": self.hubs.identity,
            "device": device.id,
            "payee": payee,
            "asset": "EUR" if self.chance(0.02) else "USD",
            "amount": amount,
            "nonce": ids.encode(ids.fresh(now_ns // 1_000_000, self.luck.getrandbits)),
            "expires": now_ns // NS
            + self.luck.choice([20, 300, 300, 300, 900, 4000] if self.chance(0.1) else [300, 900]),
        }
        order = Order(**(terms | members))
        signed = SignedOrder(order, device.signer.sign(order.signed_bytes()))
        if self.chance(0.02):
            signed = SignedOrder(order, self.luck.randbytes(64))
        self.orders.append((signed, device))
        return signed


def body_of(signed: SignedOrder) -> dict[str, Any]:
    """Write a signed order as a request's body."""
    return {"order": signed.order.members(), "signature": to_base64url(signed.signature)}


def _written(body: Any) -> bytes:
    return json.dumps(body).encode()
