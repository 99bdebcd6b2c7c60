"""One statement for many rows on PostgreSQL: a column of values travels as one array.

A statement that is run for each row is rewritten so that it runs once over `unnest`; what is not
of that shape is run row by row. Arrays are written here as text, which is several times faster
than describing every value to the driver by itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

ColumnTypes = Mapping[tuple[str, str], str]
"""The type of each column, by table and column: `bigint`, `bytea` or `text`."""

_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)\s+VALUES \(([^)]*)\)(.*)", re.ASCII)
_UPDATE = re.compile(r"UPDATE (\w+) SET (.+) WHERE (\w+) = \?", re.ASCII)
TYPE_OF: Mapping[type, str] = {bytes: "bytea", str: "text", int: "bigint"}


class Many(NamedTuple):
    """A statement over whole columns, and the type of each."""

    sql: bytes
    types: tuple[str, ...]


@lru_cache(maxsize=500)
def translated(sql: str) -> bytes:
    """Write `?` as the driver wants it."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


@lru_cache(maxsize=200)
def for_each(sql: str, kind: str) -> bytes:
    """Make of a query for one key, ending in `= ?`, a query for an array of keys."""
    head = translated(sql.removesuffix("?")).decode()
    return f"{head}ANY(%s::{kind}[])".encode()


def over_columns(sql: str, types: ColumnTypes) -> Many | None:
    """Rewrite an INSERT or UPDATE for one row as one for many; None for any other shape."""
    if (read := _INSERT.fullmatch(sql)) is not None:
        return _insert(read, types)
    if (read := _UPDATE.fullmatch(sql)) is not None:
        return _update(read, types)
    return None


def _insert(read: re.Match[str], types: ColumnTypes) -> Many:
    table, rest = read[1], read[4]
    names = [name.strip() for name in read[2].split(",")]
    values = [value.strip() for value in read[3].split(",")]
    marked = [name for name, value in zip(names, values, strict=True) if value == "?"]
    places = iter(range(len(marked)))
    chosen = ", ".join(f"c{next(places)}" if value == "?" else value for value in values)
    source, kinds = _unnest(table, marked, types)
    sql = f"INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM {source}{rest}"  # noqa: S608
    return Many(sql.encode(), kinds)


def _update(read: re.Match[str], types: ColumnTypes) -> Many | None:
    table, key = read[1], read[3]
    sets = [part.partition(" = ") for part in read[2].split(", ")]
    if any(value != "?" for _, _, value in sets):
        return None
    names = [name for name, _, _ in sets]
    source, kinds = _unnest(table, [*names, key], types)
    written = ", ".join(f"{name} = c{i}" for i, name in enumerate(names))
    sql = f"UPDATE {table} SET {written} FROM {source} WHERE {key} = c{len(names)}"  # noqa: S608
    return Many(sql.encode(), kinds)


def _unnest(table: str, names: Sequence[str], types: ColumnTypes) -> tuple[str, tuple[str, ...]]:
    kinds = tuple(types[table, name] for name in names)
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    columns = ", ".join(f"c{i}" for i in range(len(names)))
    return f"unnest({arrays}) AS given ({columns})", kinds


def write_array(kind: str, values: Sequence[Any]) -> str:
    """Write values of one type as an array's text. Source: PostgreSQL, "Array Input and Output"."""
    if None in values:
        write = _ONE[kind]
        return "{" + ",".join("NULL" if v is None else write(v) for v in values) + "}"
    return "{" + ",".join(map(_ONE[kind], values)) + "}"


def _bytea(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


def _text(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


_ONE: dict[str, Callable[[Any], str]] = {"bigint": str, "bytea": _bytea, "text": _text}
