"""Texts that stand in many rows, kept once each: a row has their numbers (`Table.numbered`)."""

from collections.abc import Sequence
from typing import Any, Protocol

from farthing.core.records import Row, Table
from farthing.store.mapping import mapping

_REMEMBERED_MAX = 50_000
"""Numbers at a time: a few megabytes."""


class _Tx(Protocol):
    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
    def rows_each(self, sql: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]: ...
    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None: ...


class Names:
    """The numbers of names that one writer used lately; a name gets its number once, for good."""

    def __init__(self, remembered_max: int = _REMEMBERED_MAX) -> None:
        self._numbers: dict[str, int] = {}
        self._max = remembered_max

    def values(self, tx: _Tx, table: Table[Row], rows: Sequence[Row]) -> list[list[Any]]:
        """Give the column values of rows as they are stored."""
        mapped = mapping(table)
        values = [mapped.values(row) for row in rows]
        if mapped.numbered:
            self.number(tx, mapped.numbered, values)
        return values

    def number(self, tx: _Tx, places: Sequence[int], rows: Sequence[list[Any]]) -> None:
        """Put numbers in the places of the names of these rows; new names are written."""
        numbers = self._numbers
        wanted = dict.fromkeys([row[place] for row in rows for place in places])
        if not wanted.keys() <= numbers.keys():
            self._learn(tx, list(wanted))
        for row in rows:
            for place in places:
                row[place] = numbers[row[place]]

    def forget(self) -> None:
        """Remember nothing: what was written last may not have become true."""
        self._numbers.clear()

    def _learn(self, tx: _Tx, wanted: Sequence[str]) -> None:
        numbers = self._numbers
        if len(numbers) + len(wanted) > self._max:
            numbers.clear()
        missing = [name for name in wanted if name not in numbers]
        numbers.update(tx.rows_each("SELECT name, number FROM names WHERE name = ?", missing))
        new = [name for name in missing if name not in numbers]
        if new:
            [(last,)] = tx.rows("SELECT COALESCE(MAX(number), 0) FROM names")
            given = list(enumerate(new, last + 1))
            tx.run_many("INSERT INTO names (number, name) VALUES (?, ?)", given)
            numbers.update((name, number) for number, name in given)
