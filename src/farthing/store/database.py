"""The one place with BEGIN and COMMIT: a database hands out transactions as plain functions.

A transaction is a plain `def f(tx)`: being `def` it cannot await, so no network call can sit
inside it; being free of outside effects it may be rerun after a conflict. SQL is written once,
with `?` for values and TEXT, BIGINT and BLOB for columns; each engine translates what it must.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from farthing.core.records import Row, Table

T = TypeVar("T")


class Tx(Protocol):
    """One open transaction: rows by SQL, or whole records by table and key."""

    @property
    def dialect(self) -> str:
        """Which engine this is: `sqlite` or `postgresql`."""
        ...

    @property
    def alone(self) -> bool:
        """Whether nobody else has written since the last transaction here."""
        ...

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and give all its rows."""
        ...

    def rows_each(self, sql: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a query that ends in `= ?` for each of the keys, and give all rows in any order."""
        ...

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""
        ...

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        ...

    def fetch(self, table: Table[Row], keys: Sequence[Any]) -> dict[Any, Row]:
        """Get the records that exist under these keys."""
        ...

    def add(self, table: Table[Row], rows: Sequence[Row]) -> None:
        """Insert records whose keys are new."""
        ...

    def put(self, table: Table[Row], rows: Sequence[Row]) -> None:
        """Insert records, or put them in the place of those with the same keys."""
        ...


def nothing() -> None:
    """Have nothing to write."""


class Database(Protocol):
    """An engine with one transaction at a time for writing, and many for reading."""

    @property
    def dialect(self) -> str: ...

    @property
    def exclusive(self) -> bool:
        """Whether nobody else can write, so that what was read before a commit still holds."""
        ...

    @property
    def connected(self) -> int:
        """How often the writer has connected: another number, maybe another database."""
        ...

    @property
    def prompt(self) -> bool:
        """Whether a small commit waits for this machine's disk, once, and for nothing else."""
        ...

    def transact(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a writing transaction, commit it durably, and give its result.

        Raises: Unavailable when the engine cannot commit; nothing is then done.
                OutcomeUnknown when the engine was lost while it committed.
        """
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Let nobody else write until it is over: for what takes several transactions.

        Shape:  it ends early when the connection is lost, or its holder is silent for too long;
                so each of those transactions looks whether the one before still stands.
        Raises: Unavailable when it cannot be had in time.
        """
        ...

    def peek(self, work: Callable[[Tx], T]) -> T:
        """Run `work`, which only reads, on what the writer last left, and in no transaction.

        Shape:  what follows from it holds if the next transaction is `alone`.
        Raises: Unavailable.
        """
        ...

    def before_reads(self, call: Callable[[], None]) -> None:
        """Call this on the event loop before anybody reads: there may be something to write."""
        ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one consistent snapshot, off the event loop."""
        ...

    async def use_once(self, key: bytes, created_s: int, until_s: int, over_s: int) -> bool:
        """Use up a key for all who share these books; False where somebody has used it.

        Units: it was made at `created_s` and is kept until `until_s`, and those until before
               `over_s` may be forgotten.
        Shape: beside the payments, and not kept over a crash of the server; where nobody else
               writes (`exclusive`) it is up to the process itself, and this remembers nothing.
        """
        ...

    def stream(self, sql: str, values: Sequence[Any] = ()) -> "RowStream":
        """Give a query's rows one after the other, without holding them all."""
        ...

    def close(self) -> None:
        """Let go of connections and locks."""
        ...


class RowStream(Protocol):
    """Rows of a query, in order, with bounded memory."""

    def __iter__(self) -> "RowStream": ...
    def __next__(self) -> tuple[Any, ...]: ...
