"""Digests of records: what a statement says of the rows that it leaves behind.

A record that something depends on is stated in the history by a digest, each time it is
written; so the audit can tell a row that the hub wrote from one that somebody else changed. What
people wrote and may want deleted (`Table.free`) is left out, so that it can be.
"""

import hashlib
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from farthing.codec import to_base64url
from farthing.core.records import Row, Table

_DOMAIN = b"farthing-record-1\n"
_encode = msgspec.json.Encoder().encode

_How = tuple[bytes, Callable[[Any], tuple[Any, ...]], tuple[Any, ...]]
_KNOWN: dict[type, _How] = {}
"""By the rows of a table: what is hashed first, how its stated fields are read, their defaults."""


def record_digest(table: Table[Row], row: Row) -> str:
    """Hash what is stated of a record.

    Shape: the fields' values in order, those at the end left out that have their default: so a
           field that a later version appends, with the default that its migration gives to old
           rows, leaves old digests as they are. Numbers are hashed as numbers, which differ from
           the same digits as text.
    """
    domain, values_of, defaults = _KNOWN.get(table.row) or _learn(table)
    values = values_of(row)
    while values and values[-1] == defaults[len(values) - 1]:
        values = values[:-1]
    return to_base64url(hashlib.sha256(domain + _encode(values)).digest())


def record_name(table: Table[Any], key: Any) -> str:
    """Name a record in a statement: its table and its key."""
    return f"{table.name}/{key.hex() if isinstance(key, bytes) else key}"


def _learn(table: Table[Any]) -> _How:
    free = table.free or ()
    fields = [field for field in msgspec.structs.fields(table.row) if field.name not in free]
    domain = _DOMAIN + table.name.encode() + b"\n"
    values_of = attrgetter(*(field.name for field in fields))
    how = _KNOWN[table.row] = domain, values_of, tuple(map(_default, fields))
    return how


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
