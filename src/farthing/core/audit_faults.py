"""What an audit found: the first row that is not as it must be."""

from typing import NamedTuple

from farthing.errors import InvariantBroken


class Fault(NamedTuple):
    """One broken row. Shape: `row` names it for people, such as `transfer 17 (id 0193…)`."""

    table: str
    number: int
    ident: int
    row: str
    what: str

    def __str__(self) -> str:
        return f"{self.row}: {self.what}"


class Broken(InvariantBroken):
    """The audit's end at the first broken row."""

    title = "The books do not pass the audit"

    def __init__(self, fault: Fault) -> None:
        super().__init__("books-broken", str(fault))
        self.fault = fault


def broken(table: str, what: str, *, number: int = 0, ident: int = 0, name: str = "") -> Broken:
    """Name a broken row by its number, its id, its name, or all of them.

    Shape: `table` is the singular word for a row of it, such as `transfer`.
    """
    words = [table]
    if number:
        words.append(str(number))
    if name:
        words.append(name)
    if ident:
        words.append(f"(id {ident:032x})")
    return Broken(Fault(table, number, ident, " ".join(words), what))
