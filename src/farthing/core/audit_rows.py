"""The rows an audit walks over, as they are stored, and a look at the next one."""

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

from farthing.core.chain import Head
from farthing.core.ledger import Account, Transfer

Row = TypeVar("Row")


class StoredCommit(NamedTuple):
    """A signed head and what the books keep beside it."""

    head: Head
    first_leaf: int
    last_transfer: int
    last_ns: int


class StoredLeaf(NamedTuple):
    """One unit's place in the history."""

    number: int
    commit: int
    subject: int
    statement: bytes
    rows_digest: bytes
    digest: bytes


class StoredAccount(NamedTuple):
    """An account, the leaf it was opened in, and the newest transfer that touched it.

    Shape: `cluster_ns` is the cluster's time of it, 0 where no cluster keeps the money.
    """

    account: Account
    leaf: int
    newest: int
    cluster_ns: int = 0


class StoredTransfer(NamedTuple):
    """A transfer, its place in the history, and the ones before it on its two accounts.

    Shape: `cluster_ns` is the cluster's time of it, 0 where no cluster keeps the money.
    """

    number: int
    transfer: Transfer
    leaf: int
    debit_previous: int
    credit_previous: int
    cluster_ns: int = 0


class Ahead(Generic[Row]):
    """Rows in order, the next of them in sight. Shape: `next` is None at the end."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.next: Row | None = next(rows, None)

    def take(self) -> Row | None:
        """Take the next row, and look at the one after it."""
        row = self.next
        if row is not None:
            self.next = next(self._rows, None)
        return row

    def take_while(self, fits: Callable[[Row], bool]) -> list[Row]:
        """Take the rows up to the first that does not fit."""
        taken: list[Row] = []
        while self.next is not None and fits(self.next):
            taken.append(self.next)
            self.next = next(self._rows, None)
        return taken


class Stored(NamedTuple):
    """Everything the walk needs of the books, in history's order.

    Shape: `every_account` starts over, for the search after a row that is not where it belongs.
    """

    leaves: Ahead[StoredLeaf]
    accounts: Ahead[StoredAccount]
    transfers: Ahead[StoredTransfer]
    every_account: Callable[[], Iterator[StoredAccount]]
