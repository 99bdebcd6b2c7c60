"""Lists for people: columns that line up, without boxes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Cells = Callable[[Row], Sequence[str]]


def columns(rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """Line up cells; the columns in `right` end at the same place, as amounts should."""
    kept = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in kept) for i in range(len(kept[0]))] if kept else []
    for row in kept:
        placed = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(placed).rstrip()


def listing(cells: Cells, *, right: Sequence[int] = ()) -> Callable[[list[Row]], Iterator[str]]:
    """Show each item as a row of these cells."""
    return lambda items: columns((cells(item) for item in items), right=right)


def the_id(made: Row) -> list[str]:
    """Show the id alone, for a script to keep."""
    return [str(made["id"])]
