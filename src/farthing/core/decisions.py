"""The shape of a decision: look at things as they stand, name the transfers, say what follows.

A unit is decided in two pure steps inside one commit. `plan(view)` looks at records and accounts
as they stand and either answers at once or names the accounts to open and the linked chains of
transfers to make. Its `then(results)` turns the ledger's results into the answer, the records to
write, and the statement that the commit's signed head will cover. Both steps may be run again
after a conflict, so they must be free of effects.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from farthing.core.judgements import Judgement, Ordered
from farthing.core.ledger import Account, Transfer, TransferResult
from farthing.core.records import Read, Row, Table, Write

T = TypeVar("T")


class View(Protocol):
    """Records and accounts as they stand at one unit's turn, earlier units included.

    Units: `now_ns` is the book's time; `leaf` is the number this unit's statement will have.
    """

    @property
    def now_ns(self) -> int: ...
    @property
    def leaf(self) -> int: ...
    def get(self, table: Table[Row], key: Any) -> Row | None: ...
    def account(self, ident: int) -> Account | None: ...
    def judge(self, ordered: Ordered, /) -> Judgement: ...


class Outcome(msgspec.Struct, Generic[T], frozen=True):
    """What a unit answers, the rows it writes, and the statement its receipt proves.

    Shape: `subject` is the 128-bit id the statement is about; `statement` is canonical JSON.
    """

    answer: T
    writes: Sequence[Write] = ()
    subject: int = 0
    statement: bytes = b""


class Plan(msgspec.Struct, Generic[T], frozen=True):
    """Accounts to open, chains of transfers to make, and what follows from their results.

    Shape: `then` gets one list of results per chain; a chain succeeds or fails as a whole.
    """

    then: Callable[[list[list[TransferResult]]], Outcome[T]]
    accounts: Sequence[Account] = ()
    chains: Sequence[Sequence[Transfer]] = ()


class Unit(Protocol[T]):
    """One caller's wish: what it will look at, and how to decide it.

    Shape: `reads` and `accounts` are hints, fetched ahead for a whole batch; a plan may still
           look at anything.
    """

    @property
    def reads(self) -> Sequence[Read]: ...
    @property
    def accounts(self) -> Sequence[int]: ...
    def plan(self, view: View) -> Plan[T] | Outcome[T]: ...
