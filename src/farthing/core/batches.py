"""A batch: many orders of one device under one signature, as exact bytes.

The bytes are MessagePack arrays in their shortest form, so there is one spelling; the device signs
the line `farthing-batch-1`, a line feed, and these bytes. Each line becomes an order like any
other, with a payment, a nonce and an answer of its own. `docs/reference/batches.md` has the format.
"""

import re

import msgspec

from farthing import ids
from farthing.core.orders import RESOURCE_CHARACTERS_MAX, Order
from farthing.errors import Malformed
from farthing.money import UNITS_MAX

DOMAIN = b"farthing-batch-1\n"
ORDERS_MAX = 1000
_EXPIRES_MAX = 253_402_300_799
"""The last second of the year 9999, as times are written with four digits."""

_TEXT = re.compile(r"[\x20-\x7e]*", re.ASCII)


class BatchLine(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """What differs from one order to the next. Units: `amount` counts smallest units."""

    payee: str
    amount: int
    nonce: str
    resource: str


class Batch(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Orders of one device. Units: `expires` is whole Unix seconds, of all of them."""

    hub: str
    device: str
    asset: str
    expires: int
    lines: list[BatchLine]


_read = msgspec.msgpack.Decoder(Batch).decode
_write = msgspec.msgpack.encode


def signed_bytes(raw: bytes) -> bytes:
    """Give the bytes that a device signs for a batch."""
    return DOMAIN + raw


def write_batch(batch: Batch) -> bytes:
    """Write a batch in its one spelling."""
    return _write(batch)


def read_batch(raw: bytes) -> list[Order]:
    """Read the orders of a batch.

    Raises: Malformed `malformed-batch` for the whole of it; no line is read on its own.
    """
    try:
        batch = _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("malformed-batch", "this is not a batch") from None
    if _write(batch) != raw:
        raise Malformed("malformed-batch", "a batch is written in its shortest form")
    _require(1 <= len(batch.lines) <= ORDERS_MAX, f"a batch has 1 to {ORDERS_MAX} orders")
    _require(0 <= batch.expires <= _EXPIRES_MAX, "expires is whole Unix seconds")
    for text in (batch.hub, batch.device, batch.asset):
        _require(_TEXT.fullmatch(text) is not None and len(text) <= 64, "texts are short and plain")
    return [_order(batch, line) for line in batch.lines]


def _order(batch: Batch, line: BatchLine) -> Order:
    _require(0 <= line.amount <= UNITS_MAX, "an amount is a whole number of at most 63 bits")
    _require(
        len(line.resource) <= RESOURCE_CHARACTERS_MAX
        and _TEXT.fullmatch(line.resource) is not None,
        f"a resource is plain text of at most {RESOURCE_CHARACTERS_MAX} characters",
    )
    ids.decode(line.nonce)
    ids.number("acc", line.payee)
    return Order(
        hub=batch.hub,
        device=batch.device,
        payee=line.payee,
        asset=batch.asset,
        amount=line.amount,
        nonce=line.nonce,
        expires=batch.expires,
        resource=line.resource,
    )


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Malformed("malformed-batch", what)
