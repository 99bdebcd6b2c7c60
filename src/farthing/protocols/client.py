"""The payer's side of every language: what a 402 asks, the order it becomes, the credential."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from farthing.clock import NS, write_time
from farthing.core.orders import LIFETIME_SECONDS_MAX, Order, SignedOrder, order_from_members
from farthing.errors import Malformed
from farthing.protocols import mpp_client, names, x402_client

NewNonce = Callable[[], str]
"""Makes a fresh time-ordered id of 26 characters: `ids.encode(ids.fresh(time_ms))`."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a 402 asks to be paid in hub money.

    Units: `amount` counts smallest units; `expires` is whole Unix seconds, 0 where the payer
           chooses within `lifetime_seconds`.
    Shape: `language` is `mpp` or `x402`; under the scheme `upto` the seller may take less than
           `amount`; `resource` is what the seller says is bought, `METHOD
           /path?query` or empty; `body_digest` is the `Content-Digest` value the request body
           must have, or empty; `raw` is what has to be sent back.
    """

    language: str
    scheme: str = names.SCHEME
    hub: str
    payee: str
    asset: str
    amount: int
    resource: str = ""
    challenge: str = ""
    nonce: str = ""
    expires: int = 0
    lifetime_seconds: int = LIFETIME_SECONDS_MAX
    description: str = ""
    body_digest: str = ""
    raw: dict[str, Any]

    @property
    def at_most(self) -> bool:
        """Tell whether its amount is not the price, but the most that it can come to."""
        return self.scheme != names.SCHEME

    def order(self, device: str, now_ns: int, new_nonce: NewNonce) -> Order:
        """Make the order that pays this; nothing is signed yet.

        Raises: Malformed `challenge-expired` when it is too late for this challenge, and
                `malformed-order` when the ask cannot be written as an order.
        """
        now = now_ns // NS
        if self.expires and self.expires <= now:
            raise Malformed("challenge-expired", "ask for the resource again to get a new price")
        lifetime = min(self.lifetime_seconds, LIFETIME_SECONDS_MAX)
        return order_from_members(
            {
                "amount": str(self.amount),
                "asset": self.asset,
                "challenge": self.challenge,
                "device": device,
                "expires": write_time(self.expires or now + lifetime),
                "hub": self.hub,
                "nonce": self.nonce or new_nonce(),
                "payee": self.payee,
                "resource": self.resource,
            }
        )

    def credential(self, signed: SignedOrder) -> list[tuple[str, str]]:
        """Write the header fields that carry a signed order; the same order, the same fields."""
        if self.language == names.MPP:
            return [(names.CREDENTIAL_FIELD, mpp_client.credential(self.raw, signed))]
        return [(names.SIGNATURE_FIELD, x402_client.credential(self.raw, signed))]


def asks(headers: Iterable[tuple[str, str]]) -> list[Ask]:
    """Read the header fields of a 402; other methods, networks and broken offers are skipped.

    Shape: MPP challenges first, in the order sent, then x402 requirements.
    """
    pairs = [(name.lower(), value) for name, value in headers]
    found: list[Ask] = []
    for name, value in pairs:
        if name == names.CHALLENGE_FIELD:
            found += [Ask(**members) for members in mpp_client.read(value)]
    for name, value in pairs:
        if name == names.REQUIRED_FIELD:
            found += [Ask(**members) for members in x402_client.read(value)]
    return found


def read_receipt(headers: Iterable[tuple[str, str]]) -> dict[str, Any] | None:
    """Read the receipt that came with a paid answer, or None when there is none to read.

    Shape: `language`, `payment` (the payment's id) and `receipt` (the hub's signed receipt as
           an object, or None when the seller sent the id only). Nothing is verified here.
    """
    for name, value in headers:
        found: dict[str, Any] | None = None
        if name.lower() == names.RECEIPT_FIELD:
            found = mpp_client.read_receipt(value)
        elif name.lower() == names.RESPONSE_FIELD:
            found = x402_client.read_receipt(value)
        if found is not None:
            return found
    return None
