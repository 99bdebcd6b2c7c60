"""Asks: an equal ask while one waits is that ask, and stays it whenever it is sent again."""

import hashlib

import msgspec

from farthing.codec import to_base64url
from farthing.core.orders import Order
from farthing.core.payments import Payment
from farthing.core.records import Table


class Ask(msgspec.Struct, frozen=True):
    """Which payment answers a wish.

    Shape: `key` is `ask_key`, for the newest payment of equal wishes; or the id that an order's
           own payment would have had, for an order that was answered with an equal one's.
    """

    key: str
    payment: str


ASKS = Table("asks", Ask, "key", passing=True)


def ask_key(wish: Order | Payment, serves: bool) -> str:
    """Name what is asked: by the same device, to the same payee, so much, for the same thing.

    Shape: a payment that is the whole of the matter is no equal of one that buys a service.
    """
    parts = [wish.device, wish.payee, wish.asset, str(wish.amount), wish.resource]
    if not serves:
        parts.append("serves nobody")
    return to_base64url(hashlib.sha256("\n".join(parts).encode()).digest())
