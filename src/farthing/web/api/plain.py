"""Reading a body of plain text members in one pass, as strictly as the general reader does.

Where a body is ASCII without escapes, every quote in it stands around a name or a text: then a
name that stands there once cannot be a duplicate, and what the general reader looks for piece by
piece cannot be there at all. Any doubt is the general reader's to settle, and its errors to tell.
"""

import typing
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec


class Plain(NamedTuple):
    """How one type of body is read: its decoder, and its members' names in quotes."""

    decoder: msgspec.json.Decoder[Any]
    names: tuple[bytes, ...]


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
