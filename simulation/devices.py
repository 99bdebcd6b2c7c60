"""A device with its keys: what it signs, and what it is enrolled as."""

import json
from random import Random
from typing import Any

from farthing import ids
from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.orders import Order
from farthing.keys import Ed25519Signer
from simulation.stillness import STILL

ASKED_ABOVE, TWO_ABOVE = 40, 50
LIFETIMES_SECONDS = (60, 900, 1800, 1800)


class Device:
    """A machine that signs orders.

    Shape: `skew_seconds` is how wrong its clock is; where it `asks`, its owner is asked above some
           amount, and `awaiting` has what waits for that; where it is `judged`, of any amount.
           Its owner may let `silence` allow, or want `two` people, whom this world has not.
    """

    def __init__(self, account: str, luck: Random) -> None:
        self.account, self.luck = account, luck
        self.id, self.mandate, self.hub = "", "", ""
        self.signer = Ed25519Signer(luck.randbytes(32))
        self._signers: dict[str, Ed25519Signer] = {}
        self.skew_seconds = 0.0
        self.asks, self.judged = False, False
        self.silence, self.two = "refuse", False
        self.awaiting = dict[str, dict[str, Any]]()

    def new_key(self) -> Ed25519Signer:
        """Make another key."""
        return Ed25519Signer(self.luck.randbytes(32))

    def take(self, device: str, signer: Ed25519Signer) -> None:
        """Be enrolled as this device with this key from here on."""
        self.id, self.signer = device, signer
        self._signers[device] = signer

    def key_of(self, device: str) -> Ed25519Signer:
        """Give the newest key of a device that it is or was enrolled as."""
        return self._signers[device]

    def order(self, payee: str, amount: int, **members: Any) -> Order:
        """Write an order with a nonce of its own."""
        now_ns = STILL.now_ns() + round(self.skew_seconds * NS)
        terms: dict[str, Any] = {
            "hub": self.hub,
            "device": self.id,
            "payee": payee,
            "asset": "USD",
            "amount": amount,
            "nonce": ids.encode(ids.fresh(now_ns // 1_000_000, self.luck.getrandbits)),
            "expires": now_ns // NS + self.luck.choice(LIFETIMES_SECONDS),
        }
        return Order(**(terms | members))

    def thing(self, amount: int) -> str:
        """Say what is bought, where its owner may be asked: equal asks would be one."""
        is_asked = self.asks and amount > ASKED_ABOVE
        return f"thing {self.luck.getrandbits(40)}" if self.judged or is_asked else ""

    def signed(self, order: Order) -> dict[str, Any]:
        """Sign an order, as a request's body."""
        return self._body(order, order.signed_bytes())

    def cancelling(self, order: Order) -> dict[str, Any]:
        """Sign that an order is never to be paid."""
        return self._body(order, order.cancel_bytes())

    def _body(self, order: Order, message: bytes) -> dict[str, Any]:
        return {"order": order.members(), "signature": to_base64url(self.signer.sign(message))}


def facts_of_order(order: Order, payer: str) -> dict[str, Any]:
    """Give what the history says of an order."""
    return {
        "device": order.device,
        "nonce": order.nonce,
        "amount": order.amount,
        "payer": payer,
        "payee": order.payee,
    }


def written(body: Any) -> bytes:
    """Write a body."""
    return json.dumps(body).encode()
