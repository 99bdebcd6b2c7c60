"""Reading a body of plain text members in one pass, as strictly as the general reader does.

Where a body is ASCII without escapes, every quote in it stands around a name or a text: then a
name that stands there once cannot be a duplicate, and what the general reader looks for piece by
piece cannot be there at all. Any doubt is the general reader's to settle, and its errors to tell.
"""

import re
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec

from farthing import ids
from farthing.codec import from_url
from farthing.core.orders import SignedOrder, order_as_signed
from farthing.errors import Malformed


class Plain(NamedTuple):
    """How one type of body is read: its decoder, and its members' names in quotes."""

    decoder: msgspec.json.Decoder[Any]
    names: tuple[bytes, ...]


_BEFORE, _BETWEEN, _AFTER = b'{"order":', b',"signature":"', b'"}'
_SIGNATURE = re.compile(rb"[A-Za-z0-9_-]{85}[AQgw]")
"""64 bytes in base64url, in their one spelling."""

_SIGNED_AT = -88 - len(_BETWEEN)


def read_signed(raw: bytes) -> SignedOrder | None:
    """Read an order with its signature, in the spelling that most clients send.

    Shape: the order stands there in the very bytes that are signed; None for whatever is
           spelled otherwise, or wrong.
    """
    if not (raw.startswith(_BEFORE) and raw.endswith(_AFTER)):
        return None
    signature = raw[-88:-2]
    if raw[_SIGNED_AT:-88] != _BETWEEN or _SIGNATURE.fullmatch(signature) is None:
        return None
    order = order_as_signed(raw[len(_BEFORE) : _SIGNED_AT])
    if order is None:
        return None
    try:
        ids.number("dev", order.device)
        ids.number("acc", order.payee)
    except Malformed:
        return None
    return SignedOrder(order, from_url(signature))


def read_plain(raw: bytes, kind: type[msgspec.Struct]) -> Any:
    """Read a body of this type; None if it is not plain enough to be sure."""
    plain = plain_type(kind)
    if plain is None or not raw.isascii() or b"\\" in raw or b"\x7f" in raw:
        return None
    for name in plain.names:
        if raw.count(name) > 1:
            return None
    try:
        return plain.decoder.decode(raw)
    except msgspec.DecodeError:
        return None


@cache
def plain_type(kind: type[msgspec.Struct]) -> Plain | None:
    """Tell how to read a type of body; None unless it is text, and structs of text, throughout."""
    try:
        names = tuple(f'"{name}"'.encode() for name in _names(kind))
    except TypeError:
        return None
    return Plain(msgspec.json.Decoder(kind), names)


def _names(kind: type[msgspec.Struct]) -> Iterator[str]:
    if not kind.__struct_config__.forbid_unknown_fields:
        raise TypeError(kind)
    for field in msgspec.structs.fields(kind):
        yield field.encode_name
        bare = typing.get_args(field.type)[0] if _is_annotated(field.type) else field.type
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            yield from _names(bare)
        elif bare is not str:
            raise TypeError(field.name)


def _is_annotated(hint: Any) -> bool:
    return typing.get_origin(hint) is typing.Annotated
