"""From row structs to columns and back: one mapping for both databases."""

import types
import typing
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, Generic

import msgspec

from farthing.core.records import Row, Table

_PLAIN = (str, int, bytes)


class Mapping(Generic[Row]):
    """How one table's rows become column values; lists, dicts and structs become JSON text."""

    def __init__(self, table: Table[Row]) -> None:
        self.table = table
        self.columns = table.row.__struct_fields__
        hints = typing.get_type_hints(table.row)
        self._encoders: list[tuple[int, Callable[[Any], Any]]] = []
        self._decoders: list[tuple[str, Callable[[Any], Any]]] = []
        self.numbered = [self.columns.index(column) for column in table.numbered]
        self._kinds = [_kinds(hints[column]) for column in self.columns]
        for place, column in enumerate(self.columns):
            coder = _coder(hints[column])
            if coder is not None:
                self._encoders.append((place, coder[0]))
                self._decoders.append((column, coder[1]))
        self._decoders += [(column, _named) for column in table.numbered]

    @cached_property
    def select(self) -> str:
        """The start of every query for whole rows."""
        return f"SELECT {', '.join(map(self.column, self.columns))} FROM {self.table.name}"  # noqa: S608 - our names

    def column(self, column: str) -> str:
        """What is selected for a column's value."""
        whole = f"{self.table.name}.{column}"
        numbered = column in self.table.numbered
        return f"(SELECT name FROM names WHERE number = {whole})" if numbered else whole  # noqa: S608

    def equal(self, column: str) -> str:
        """The condition that a column has the value of its one `?`."""
        numbered = column in self.table.numbered
        found = "(SELECT number FROM names WHERE name = ?)" if numbered else "?"
        return f"{column} = {found}"

    @cached_property
    def one(self) -> str:
        """The query for the row with one key."""
        return f"{self.select} WHERE {self.table.key} = ?"

    @cached_property
    def insert(self) -> str:
        """Insert a row whose key is new."""
        names = ", ".join(self.columns)
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.table.name} ({names}) VALUES ({marks})"  # noqa: S608 - our names

    @cached_property
    def upsert(self) -> str:
        """Insert a row, or put it in the place of the one with the same key."""
        kept = {self.table.key, *self.table.fixed}
        others = [column for column in self.columns if column not in kept]
        sets = ", ".join(f"{column} = excluded.{column}" for column in others)
        return f"{self.insert} ON CONFLICT ({self.table.key}) DO UPDATE SET {sets}"

    def values(self, row: Row) -> list[Any]:
        """Give a row's column values; where some are `numbered`, they are still to be."""
        encoded = list(msgspec.structs.astuple(row))
        for place, encode in self._encoders:
            encoded[place] = encode(encoded[place])
        return encoded

    def row(self, values: Sequence[Any]) -> Row:
        """Make the row of these column values."""
        decoded = dict(zip(self.columns, values, strict=True))
        for column, decode in self._decoders:
            decoded[column] = decode(decoded[column])
        return self.table.row(**decoded)

    def strict_row(self, values: Sequence[Any]) -> Row:
        """Make the row of these column values, which must be spelled as they are written here.

        Raises: ValueError for any other spelling, which SQLite would keep in any column.
        """
        try:
            row = self.row(values)
        except (ValueError, TypeError) as fault:
            raise ValueError(f"it cannot be read: {fault}") from None
        kinds = zip(values, self._kinds, strict=True)
        if not all(type(value) in kind for value, kind in kinds) or (
            self.values(row) != list(values)
        ):
            raise ValueError("it is not written as the hub writes it")
        return row


def _kinds(hint: Any) -> tuple[type, ...]:
    bare = _without_none(hint)
    if bare in _PLAIN:
        return (bare,) if bare is hint else (bare, type(None))
    return (int,) if bare is bool else (str,)


def _coder(hint: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    bare = _without_none(hint)
    if bare in _PLAIN or typing.get_origin(bare) is typing.Literal:
        return None
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return str, bare
    if bare is bool:
        return int, _truth
    decoder = msgspec.json.Decoder(hint)
    return (lambda value: msgspec.json.encode(value).decode()), decoder.decode


def _named(value: Any) -> str:
    if value is None:
        raise ValueError("a number in it is no name's")
    return value


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(f"{value} is neither 0 nor 1")
    return bool(value)


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        if len(kinds) == 1 and kinds[0] in _PLAIN:
            return kinds[0]
    return hint


def mapping(table: Table[Row]) -> Mapping[Row]:
    """Give the one mapping of a table."""
    return _mapping(table)


@cache
def _mapping(table: Table[Any]) -> Mapping[Any]:
    return Mapping(table)
