"""Lists for people: columns that line up, without boxes."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from farthing.terminal.talk import say

Row = Mapping[str, Any]
Cells = Callable[[Row], Sequence[str]]


def columns(
    rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), heads: Sequence[str] = ()
) -> Iterator[str]:
    """Line up cells; the columns in `right` end at the same place, as amounts should.

    Shape: `heads` name the columns, for a person at a terminal only.
    """
    kept = [[str(cell) for cell in row] for row in rows]
    if heads and kept and sys.stdout.isatty():
        kept.insert(0, [head.upper() for head in heads])
    widths = [max(len(row[i]) for row in kept) for i in range(len(kept[0]))] if kept else []
    for row in kept:
        placed = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(placed).rstrip()


def listing(
    heads: str, cells: Cells, *, right: Sequence[int] = (), none: str = ""
) -> Callable[[list[Row]], Iterator[str]]:
    """Show each item as a row of these cells, under these heads; or say that there are none."""

    def lines(items: list[Row]) -> Iterator[str]:
        if not items and none:
            say(none)
        yield from columns((cells(item) for item in items), right=right, heads=heads.split())

    return lines


def the_id(made: Row) -> list[str]:
    """Show the id alone, for a script to keep."""
    return [str(made["id"])]
