"""The ledger contract: `Books.commit(units)` is the only way money and its records move."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from farthing.core.chain import Proof
from farthing.core.decisions import Outcome, Plan, Unit, View
from farthing.core.records import Row, Table
from farthing.errors import FarthingError

__all__ = ["Books", "Done", "Outcome", "Plan", "Tx", "Unit", "View"]

T = TypeVar("T")


class Done(msgspec.Struct, Generic[T], frozen=True):
    """A unit's answer, durable, and its proof where it made a statement."""

    answer: T
    proof: Proof | None = None


class Books(Protocol):
    """The one writer of money. Every engine keeps this contract."""

    async def commit_one(self, unit: Unit[T], of: str = "") -> Done[T]:
        """Commit one unit, and raise what it was refused with."""
        ...

    async def commit(self, units: Sequence[Unit[T]], of: str = "") -> list[Done[T] | FarthingError]:
        """Decide and make durable, in order; each unit succeeds or is refused by itself.

        Shape:  `of` names the party whose units wait in one line, such as the payer's owner;
                parties take turns. The hub itself has no name.
        Raises: Unavailable when the books are closed, full or cannot be written, TooMuch when
                too many of this party wait; nothing of what was asked is then done.
                OutcomeUnknown when the database was lost in a commit; asking again with the
                same ids tells what became of it.
        """
        ...

    async def commit_ahead(
        self, unit: Unit[T], waits: Callable[[T], bool], of: str = ""
    ) -> Done[T]:
        """Commit one unit whose caller is about to commit another, maybe only with that one.

        Shape: where it comes alone and `waits` is true of its answer, it is durable with whatever
               is committed next, or after some milliseconds; nobody else may be told before.
        """
        ...

    @property
    def writes_here(self) -> bool:
        """Whether a thread of this process is writing now, and takes turns with the event loop."""
        ...

    async def tidy(self, work: "Callable[[Tx], None]") -> None:
        """Delete what has run out, between two commits; nothing of the history."""
        ...


class Tx(Protocol):
    """One open database transaction, as the store hands it to the books.

    Shape: `alone` tells that nobody else has written since the last transaction here.
    """

    @property
    def dialect(self) -> str: ...
    @property
    def alone(self) -> bool: ...
    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
    def rows_each(self, sql: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]: ...
    def run(self, sql: str, values: Sequence[Any] = ()) -> None: ...
    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None: ...
    def fetch(self, table: Table[Row], keys: Sequence[Any]) -> dict[Any, Row]: ...
    def add(self, table: Table[Row], rows: Sequence[Row]) -> None: ...
    def put(self, table: Table[Row], rows: Sequence[Row]) -> None: ...
