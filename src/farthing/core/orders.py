"""An order: exactly what a device agrees to pay, and the bytes it signs.

The signed bytes are the line `farthing-order-1`, a line feed, and the canonical JSON (RFC 8785)
of all nine members as strings of printable ASCII. `docs/reference/methods.md` has the rules and
the test vectors.
"""

import re
from functools import lru_cache

import msgspec

from farthing import ids
from farthing.clock import parse_time, write_time
from farthing.codec import plain_json
from farthing.errors import Malformed
from farthing.money import parse_units

DOMAIN = b"farthing-order-1\n"
CANCEL_DOMAIN = b"farthing-cancel-1\n"
LIFETIME_SECONDS_MAX = 3600
SKEW_SECONDS_MAX = 60

RESOURCE_CHARACTERS_MAX = 2048

_SIGNED = "signed"
"""Under this name an order keeps the bytes that are signed, once they are written."""


class Order(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A payer's request to pay `amount` of `asset` to `payee`, bound to one use.

    Units:  `amount` counts smallest units; `expires` is whole Unix seconds.
    Shape:  `challenge` is an MPP challenge's id or empty; `resource` is `METHOD URL-or-path`
            or empty; `nonce` is a time-ordered id of 26 characters, used once.
    """

    hub: str
    device: str
    payee: str
    asset: str
    amount: int
    nonce: str
    expires: int
    challenge: str = ""
    resource: str = ""

    def signed_bytes(self) -> bytes:
        """Give the bytes a device signs for this order: for its check, and soon for its commit."""
        signed = vars(self).get(_SIGNED)
        if signed is None:
            signed = DOMAIN + plain_json(self.members())
            self.keep_signed(signed)
        return signed

    def keep_signed(self, signed: bytes) -> None:
        """Keep the bytes that are signed where they are known, so that nobody writes them anew."""
        vars(self)[_SIGNED] = signed

    def cancel_bytes(self) -> bytes:
        """Give the bytes a device signs so that this order is never paid."""
        return CANCEL_DOMAIN + self.signed_bytes()

    def members(self) -> dict[str, str]:
        """Give all nine members as they are written on the wire."""
        return {
            "amount": str(self.amount),
            "asset": self.asset,
            "challenge": self.challenge,
            "device": self.device,
            "expires": write_time(self.expires),
            "hub": self.hub,
            "nonce": self.nonce,
            "payee": self.payee,
            "resource": self.resource,
        }


_MEMBERS = frozenset(Order.__struct_fields__)
_NEEDED = _MEMBERS - {"challenge", "resource"}


class SignedOrder(msgspec.Struct, frozen=True):
    """An order and its device's signature over `order.signed_bytes()`: 64 bytes."""

    order: Order
    signature: bytes


def order_from_members(members: dict[str, str]) -> Order:
    """Read an order from its members as written on the wire.

    Raises: Malformed for a missing or unknown member, or one that is not in canonical form.
    """
    if not _NEEDED <= members.keys() <= _MEMBERS:
        raise Malformed("malformed-order", f"an order has {', '.join(sorted(_MEMBERS))}")
    _check_texts(members)
    ids.decode(members["nonce"])
    return Order(
        hub=members["hub"],
        device=members["device"],
        payee=members["payee"],
        asset=members["asset"],
        amount=parse_units(members["amount"]),
        nonce=members["nonce"],
        expires=parse_time(members["expires"]),
        challenge=members.get("challenge", ""),
        resource=members.get("resource", ""),
    )


def _member(name: str, value: str) -> str:
    return f'"{name}":"({value})"'


def _text(most: int) -> str:
    return rf"[ !#-\[\]-~]{{0,{most}}}"  # Printable ASCII that stands as it is in JSON.


_AS_SIGNED = re.compile(
    "".join(
        [
            r"\{",
            ",".join(
                [
                    _member("amount", "0|[1-9][0-9]{0,18}"),
                    _member("asset", _text(64)),
                    _member("challenge", _text(200)),
                    _member("device", _text(64)),
                    _member("expires", "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
                    _member("hub", _text(64)),
                    _member("nonce", "[0-9a-z]{26}"),
                    _member("payee", _text(64)),
                    _member("resource", _text(RESOURCE_CHARACTERS_MAX)),
                ]
            ),
            r"\}",
        ]
    ).encode(),
    re.ASCII,
)


def order_as_signed(raw: bytes) -> Order | None:
    """Read an order that is written in the very bytes that are signed.

    Shape: None for any other spelling, and for whatever is wrong: `order_from_members` says what.
    """
    found = _AS_SIGNED.fullmatch(raw)
    if found is None:
        return None
    amount, asset, challenge, device, expires, hub, nonce, payee, resource = [
        value.decode() for value in found.groups()
    ]
    try:
        ids.decode(nonce)
        order = Order(
            hub=hub,
            device=device,
            payee=payee,
            asset=asset,
            amount=parse_units(amount),
            nonce=nonce,
            expires=parse_time(expires),
            challenge=challenge,
            resource=resource,
        )
    except Malformed:
        return None
    order.keep_signed(DOMAIN + raw)
    return order


def _check_texts(members: dict[str, str]) -> None:
    """Check that all are text of printable ASCII: together, as they mostly are, or one by one."""
    try:
        together = "".join(members.values())
    except TypeError:
        together = "\n"
    short = len(together) <= RESOURCE_CHARACTERS_MAX
    if short and together.isascii() and together.isprintable():
        return
    for name, value in members.items():
        if not isinstance(value, str) or not (value.isascii() and value.isprintable()):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise Malformed("malformed-order", f"{name} is text of printable ASCII characters")
        if len(value) > RESOURCE_CHARACTERS_MAX:
            raise Malformed(
                "malformed-order", f"{name} is longer than {RESOURCE_CHARACTERS_MAX} characters"
            )


def is_timely(order: Order, made_ms: int, now: int) -> bool:
    """Tell whether an order may be taken up at this moment.

    Units: `made_ms` is when its nonce was made, in ms; `now` is Unix seconds.
    """
    age = made_ms // 1000 - now
    return (
        now < order.expires <= now + LIFETIME_SECONDS_MAX + SKEW_SECONDS_MAX
        and -LIFETIME_SECONDS_MAX <= age <= SKEW_SECONDS_MAX
    )


def payment_id(order: Order) -> int:
    """Give the payment's id, which follows from the nonce: one nonce, one payment.

    A nonce that came in a challenge is the hub's own and is used once by anybody; a nonce the
    device made is its own, so that no other device can take it first.
    """
    return _payment_id("challenge" if order.challenge else order.device, order.nonce)


def payment_name(order: Order) -> str:
    """Give the id of an order's payment as it is written."""
    return ids.name("pay", payment_id(order))


@lru_cache(maxsize=4096)
def _payment_id(by: str, nonce: str) -> int:
    return ids.derived(ids.time_ms(ids.decode(nonce)), "farthing-payment-1", by, nonce)
