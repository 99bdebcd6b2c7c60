"""Asks: an equal ask while one waits is that ask."""

import hashlib

import msgspec

from farthing.codec import to_base64url
from farthing.core.payments import Payment
from farthing.core.records import Table


class Ask(msgspec.Struct, frozen=True):
    """The newest payment of equal asks: same device, payee, amount and resource."""

    key: str
    payment: str


ASKS = Table("asks", Ask, "key")


def ask_key(payment: Payment) -> str:
    """Name what is asked, so that an equal ask while one waits is that ask."""
    parts = (payment.device, payment.payee, payment.asset, str(payment.amount), payment.resource)
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return to_base64url(digest)
