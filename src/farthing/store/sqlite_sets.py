"""One statement for many rows on SQLite: fewer steps, so that threads stand less in their way.

The driver lets go of the interpreter at every step, and has to wait for it afterwards. A
statement for one row is therefore rewritten to take up to 256 rows in one step; what is not of
that shape is run row by row.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")

_ROWS_MAX = 256
_EXACTLY_MAX = 8
_ROWS_TEXT_MAX = 14_000
"""Characters of a statement that its rows may take: the driver keeps none that is longer than
16,384 with its head, and would read it anew each time. Source: apsw, "Statement cache".
"""
_INSERT = re.compile(r"(INSERT INTO .+ VALUES )(\([^()]*\))(.*)", re.ASCII)
_UPDATE = re.compile(r"UPDATE (\w+) SET (.+) WHERE (\w+) = \?", re.ASCII)


def in_pieces(rows: Sequence[T], marks: int) -> Iterator[Sequence[T]]:
    """Cut rows of that many values into pieces of 256, 128 … 8, and then what is left, which is
    what a lone payment has: few sizes, so few statements.
    """
    start, size = 0, _ROWS_MAX
    while start < len(rows):
        if len(rows) - start <= _EXACTLY_MAX:
            size = len(rows) - start
        while size > 1 and (size > len(rows) - start or size * _length(marks) > _ROWS_TEXT_MAX):
            size //= 2
        yield rows[start : start + size]
        start += size


def _length(marks: int) -> int:
    return len("(),") + 2 * marks


@lru_cache(maxsize=256)
def for_rows(sql: str, count: int) -> str | None:
    """Rewrite an INSERT or UPDATE for one row as one for `count`; None for any other shape."""
    if (read := _INSERT.fullmatch(sql)) is not None:
        return read[1] + ",".join([read[2].replace(" ", "")] * count) + read[3]
    if (read := _UPDATE.fullmatch(sql)) is not None:
        return _update(read[1], read[2].split(", "), read[3], count)
    return None


def _update(table: str, sets: Sequence[str], key: str, count: int) -> str | None:
    if not all(part.endswith(" = ?") for part in sets):
        return None
    row = f"({','.join('?' * (len(sets) + 1))})"
    written = ", ".join(
        f"{part.removesuffix('?')}given.column{i}" for i, part in enumerate(sets, 1)
    )
    return (
        f"UPDATE {table} SET {written} FROM (VALUES {','.join([row] * count)}) AS given"  # noqa: S608
        f" WHERE {table}.{key} = given.column{len(sets) + 1}"
    )


@lru_cache(maxsize=256)
def for_keys(sql: str, count: int) -> str:
    """Make of a query for one key, ending in `= ?`, a query for `count` keys."""
    return f"{sql.removesuffix('= ?')}IN ({', '.join('?' * count)})"


def flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Put the values of all rows into one line."""
    return list(chain.from_iterable(rows))
