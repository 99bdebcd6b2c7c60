"""The ledger contract: `Books.commit(units)` is the only way money and its records move.

A unit is decided in two pure steps inside one commit. `plan(view)` looks at records and accounts
as they stand and either answers at once or names the accounts to open and the linked chains of
transfers to make. Its `then(results)` turns the ledger's results into the answer, the records to
write, and the statement that the commit's signed head will cover. Both steps may be run again
after a conflict, so they must be free of effects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from farthing.core.ledger import Account, Transfer
from farthing.core.records import Read, Row, Table, Write

T = TypeVar("T")


class View(Protocol):
    """Records and accounts as they stand at one unit's turn, earlier units included."""

    @property
    def now_ns(self) -> int: ...
    def get(self, table: Table[Row], key: Any) -> Row | None: ...
    def account(self, ident: int) -> Account | None: ...
    def transfer(self, ident: int) -> Transfer | None: ...


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a unit answers, the rows it writes, and the statement its receipt proves.

    Shape: `subject` is the 128-bit id the statement is about; `statement` is canonical JSON.
    """

    answer: T
    writes: Sequence[Write] = ()
    subject: int = 0
    statement: bytes = b""


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """Accounts to open, chains of transfers to make, and what follows from their results.

    Shape: `then` gets one list of results per chain; a chain succeeds or fails as a whole.
    """

    then: "Callable[[list[list[Any]]], Outcome[T]]"
    accounts: Sequence[Account] = ()
    chains: Sequence[Sequence[Transfer]] = ()


class Unit(Protocol[T]):
    """One caller's wish: what it will look at, and how to decide it."""

    @property
    def reads(self) -> Sequence[Read]: ...
    def plan(self, view: View) -> "Plan[T] | Outcome[T]": ...


class Head(msgspec.Struct, frozen=True):
    """The signed head of one commit: everything before it is fixed by it.

    Units: `time_ns` is the book's time; `previous`, `root` and `digest` are 32 bytes.
    """

    chain: str
    number: int
    previous: bytes
    root: bytes
    leaves: int
    time_ns: int
    digest: bytes
    key: str
    signature: bytes


class Proof(msgspec.Struct, frozen=True):
    """Why a statement is in the history: its place, the path to the root, and the signed head."""

    statement: bytes
    rows_digest: bytes
    index: int
    path: list[bytes]
    head: Head


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A unit's answer, durable, and its proof where it made a statement."""

    answer: T
    proof: Proof | None = field(default=None)


class Books(Protocol):
    """The one writer of money. SQLite, PostgreSQL and TigerBeetle keep this contract."""

    async def commit(self, units: Sequence[Unit[T]]) -> list[Done[T]]:
        """Decide and make durable, in order; each unit succeeds or is refused by itself.

        Raises: Unavailable when the books are closed, full or cannot be written; nothing of
                the batch is then done.
        """
        ...
