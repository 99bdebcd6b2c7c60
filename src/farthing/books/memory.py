"""What the books know from earlier commits, and the overlay of the commit in progress.

Accounts and records read once are kept between commits only where nobody else can write
(`Database.exclusive`); elsewhere every commit starts empty.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from farthing.books import rows
from farthing.books.base import Tx
from farthing.books.rows import Threaded
from farthing.core.ledger import Account, Ledger, PendingState, Transfer
from farthing.core.records import Read, Row, Table, Write

_ACCOUNTS_KEPT = 150_000
_RECORDS_KEPT = 30_000

RecordKey = tuple[str, Any]


class Memory:
    """Rows that still hold after a commit; the oldest go first when there are too many."""

    def __init__(self) -> None:
        self.accounts: dict[int, Threaded] = {}
        self.records: dict[RecordKey, Any] = {}

    def trim(self) -> None:
        """Keep memory bounded, whatever was read."""
        _drop_oldest(self.accounts, _ACCOUNTS_KEPT)
        _drop_oldest(self.records, _RECORDS_KEPT)


def _drop_oldest(kept: dict[Any, Any], limit: int) -> None:
    surplus = len(kept) - limit
    if surplus > 0:
        for key in list(kept)[: surplus + limit // 10]:
            del kept[key]


class Working:
    """One commit's source for the ledger and for records: memory first, then the database."""

    def __init__(self, tx: Tx, memory: Memory) -> None:
        self._tx = tx
        self._memory = memory
        self._transfers: dict[int, Transfer | None] = {}
        self.written: dict[RecordKey, Write] = {}

    def prefetch(self, reads: Iterable[Read], accounts: Iterable[int]) -> None:
        """Get everything a batch is likely to look at in one query per table."""
        wanted: dict[str, tuple[Table[Any], list[Any]]] = {}
        records = self._memory.records
        for table, key in set(reads):
            if (table.name, key) not in records:
                wanted.setdefault(table.name, (table, []))[1].append(key)
        for table, keys in wanted.values():
            found = self._tx.fetch(table, keys)
            for key in keys:
                records[(table.name, key)] = found.get(key)
        missing = [ident for ident in set(accounts) if ident not in self._memory.accounts]
        if missing:
            self._memory.accounts.update(rows.fetch_accounts(self._tx, missing))

    def record(self, table: Table[Row], key: Any) -> Row | None:
        """Get a record as the units before this one left it."""
        place = (table.name, key)
        if (write := self.written.get(place)) is not None:
            return write.row  # type: ignore[return-value]
        records = self._memory.records
        if place not in records:
            records[place] = self._tx.fetch(table, [key]).get(key)
        return records[place]

    def write(self, writes: Sequence[Write]) -> None:
        """Remember a unit's writes; the last of several to one row is the one that is kept."""
        for write in writes:
            self.written[(write.table.name, write.table.key_of(write.row))] = write

    def threaded(self, ident: int) -> Threaded | None:
        """Get an account with its thread, as it was before this commit."""
        kept = self._memory.accounts.get(ident)
        if kept is None:
            found = rows.fetch_accounts(self._tx, [ident])
            if ident not in found:
                return None
            kept = self._memory.accounts[ident] = found[ident]
        return kept

    def account(self, ident: int) -> Account | None:
        """Get an account as it was before this commit."""
        kept = self.threaded(ident)
        return None if kept is None else kept.account

    def transfer(self, ident: int) -> Transfer | None:
        """Get a transfer from before this commit."""
        if ident not in self._transfers:
            self._transfers[ident] = rows.fetch_transfer(self._tx, ident)
        return self._transfers[ident]

    def pending(self, ident: int) -> PendingState | None:
        """Tell what had become of a pending transfer before this commit."""
        return rows.fetch_pending(self._tx, ident)

    def has_failed(self, ident: int) -> bool:
        """Tell whether an id had been used up by a failure before this commit."""
        return rows.has_failed(self._tx, ident)


class LiveView:
    """What a unit sees at its turn."""

    def __init__(self, working: Working, ledger: Ledger, now_ns: int) -> None:
        self._working = working
        self._ledger = ledger
        self.now_ns = now_ns
        self.leaf = 0

    def get(self, table: Table[Row], key: Any) -> Row | None:
        """Get a record."""
        return self._working.record(table, key)

    def account(self, ident: int) -> Account | None:
        """Get an account with the counters it has now."""
        return self._ledger.account(ident)
