"""How records are named: a table, its row type, and what a decision reads and writes.

Rows are frozen structs whose fields are the table's columns: `str`, `int`, `bytes`, `bool`,
optional ones of these, and lists, dicts or structs, which are kept as JSON text.
"""

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """A table's name, the struct of its rows, and the column that is its primary key.

    Shape: rows of a `passing` table are seldom looked at again, so few of them are remembered.
           Where `free` is not None, the history states each row by a digest of all but these
           fields, which people wrote and which may be deleted. `fixed` fields stay for good as
           they were written first, so that their indexes are not written again. `numbered` ones
           hold texts that stand in many rows; what is stored of them is a number.
    """

    name: str
    row: type[Row]
    key: str
    passing: bool = False
    free: tuple[str, ...] | None = None
    fixed: tuple[str, ...] = ()
    numbered: tuple[str, ...] = ()

    def key_of(self, row: Row) -> Any:
        """Give the primary key of a row."""
        return getattr(row, self.key)


class Read(NamedTuple):
    """A row that a decision is likely to look at, fetched ahead for the whole batch."""

    table: Table[Any]
    key: Any


class Write(msgspec.Struct, frozen=True):
    """A row to insert, or to put in the place of the one with the same key."""

    table: Table[Any]
    row: msgspec.Struct
