"""What the books know from earlier commits, and the overlay of the commit in progress.

Accounts and records read once are kept between commits only where nobody else can write
(`Database.exclusive`); elsewhere every commit starts empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, cast

from farthing import ids
from farthing.books import rows
from farthing.books.base import Tx
from farthing.books.recent import RecentIds
from farthing.core.asks import ASKS
from farthing.core.events import EVENTS, Event
from farthing.core.judgements import CLEAR, Judgement, Ordered
from farthing.core.ledger import Account, Ledger, PendingState, Transfer, expiry_id
from farthing.core.payments import PAYMENTS
from farthing.core.records import Read, Row, Table, Write
from farthing.core.standing import Standing

_ACCOUNTS_KEPT = 150_000
_RECORDS_KEPT = 30_000
_PASSING_KEPT = 8_000
_STANDINGS_KEPT = 20_000
_HOLDS_KEPT = 20_000

RecordKey = tuple[str, Any]


class Memory:
    """Rows that still hold after a commit; the oldest go first when there are too many.

    Shape: `holds` are pending transfers that stand, those made lately; before `first_due_ns` none
           of all that stand runs out.
    """

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.lasting: dict[RecordKey, Any] = {}
        self.passing: dict[RecordKey, Any] = {}
        self.standings: dict[str, Standing] = {}
        self.holds: dict[int, Transfer] = {}
        self.first_due_ns = 0
        self.used = RecentIds()
        self.named = RecentIds()

    def learn(self, tx: Tx) -> None:
        """Learn which ids of transfers and of payments were used lately."""
        self.used.load(
            partial(rows.newest_ids, tx, "transfers"),
            partial(rows.newest_ids, tx, "failed_transfers"),
        )
        self.named.load(
            partial(rows.newest_names, tx, "payments", "id"),
            partial(rows.newest_names, tx, "asks", "key"),
        )

    def records(self, table: Table[Any]) -> dict[RecordKey, Any]:
        """Give what is kept of a table, among others; what merely passes leaves the rest alone."""
        return self.passing if table.passing else self.lasting

    def remember(self, table: Table[Any], written: Sequence[Any]) -> None:
        """Keep the rows that a commit wrote."""
        name = table.name
        records = self.records(table)
        for row in written:
            records[(name, table.key_of(row))] = row
        if name == PAYMENTS.name:
            self.named.use([row.number for row in written])
        elif name == ASKS.name:
            keys = [row.key for row in written if row.key.startswith("pay_")]
            self.named.use([ids.number("pay", key) for key in keys])

    def parted(self, table: Table[Any], written: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Part the rows whose keys are surely new from those that may be in the database."""
        if table.name != PAYMENTS.name:
            return [], list(written)
        new: list[Any] = []
        others: list[Any] = []
        for row in written:
            (new if self.named.is_free(row.number) else others).append(row)
        return new, others

    def hold(self, made: Mapping[int, Transfer], states: Mapping[int, PendingState]) -> None:
        """Keep the holds that a commit has made, and let go of those that it has ended."""
        for ident, state in states.items():
            hold = made.get(ident)
            if hold is None or state is not PendingState.PENDING:
                self.holds.pop(ident, None)
            else:
                self.holds[ident] = hold
                self.first_due_ns = min(self.first_due_ns, rows.expires_ns(hold))

    def trim(self) -> None:
        """Keep memory bounded, whatever was read."""
        _drop_oldest(self.accounts, _ACCOUNTS_KEPT)
        _drop_oldest(self.lasting, _RECORDS_KEPT)
        _drop_oldest(self.passing, _PASSING_KEPT)
        _drop_oldest(self.standings, _STANDINGS_KEPT)
        _drop_oldest(self.holds, _HOLDS_KEPT)


def _drop_oldest(kept: dict[Any, Any], limit: int) -> None:
    surplus = len(kept) - limit
    if surplus > 0:
        for key in list(islice(kept, surplus + limit // 10)):
            del kept[key]


class Working:
    """One commit's source for the ledger and for records: memory first, then the database."""

    def __init__(self, tx: Tx, memory: Memory) -> None:
        self.tx = tx
        self._memory = memory
        self._transfers: dict[int, Transfer | None] = {}
        self._pendings: dict[int, PendingState] = {}
        self._failed: dict[int, bool] = {}
        self._absent: set[int] = set()
        self._asked: set[RecordKey] = set()
        self._asked_accounts: set[int] = set()
        self.written: dict[RecordKey, Write] = {}
        self.events: list[Event] = []

    def prefetch(self, reads: Iterable[Read], accounts: Iterable[int]) -> None:
        """Get everything a batch is likely to look at in one query per table."""
        wanted: dict[str, tuple[Table[Any], dict[Any, None]]] = {}
        memory = self._memory
        for table, key in reads:
            place = (table.name, key)
            if place not in memory.records(table) and place not in self.written:
                wanted.setdefault(table.name, (table, {}))[1][key] = None
        for table, keys in wanted.values():
            self._fetch(table, list(keys))
        missing = [ident for ident in set(accounts) if not self.knows_account(ident)]
        if missing:
            found = rows.fetch_accounts(self.tx, missing)
            self._memory.accounts.update(found)
            self._absent.update(ident for ident in missing if ident not in found)
            self._asked_accounts.update(missing)

    def _fetch(self, table: Table[Any], keys: Sequence[Any]) -> None:
        found, records = self.tx.fetch(table, keys), self._memory.records(table)
        for key in keys:
            records[(table.name, key)] = found.get(key)
            self._asked.add((table.name, key))

    def ask_anyway(self, reads: Iterable[tuple[Table[Any], Any]], accounts: Iterable[int]) -> None:
        """Ask the database for these even where they are known.

        Shape: who is told that there is no such thing must not hear from how long that took
               whether somebody else's is remembered here.
        """
        for table, key in set(reads):
            if (table.name, key) not in self._asked:
                self.tx.fetch(table, [key])
        known = [ident for ident in set(accounts) if ident not in self._asked_accounts]
        if known:
            rows.fetch_accounts(self.tx, known)

    def prefetch_transfers(self, idents: Iterable[int], pending: Iterable[int]) -> None:
        """Learn at once which of these ids are taken, and all about these pending transfers."""
        fresh, ended = list(idents), list(pending)
        if not fresh:
            return
        found = rows.fetch_transfers(self.tx, fresh + ended)
        failed = rows.fetch_failed(self.tx, fresh)
        for ident in fresh:
            self._failed[ident] = ident in failed
        for ident in fresh + ended:
            self._transfers[ident] = found.get(ident)
        self._pendings.update(rows.fetch_pendings(self.tx, ended))
        self._prefetch_sides([found[ident] for ident in ended if ident in found])

    def prefetch_expiries(self, due: Sequence[Transfer]) -> None:
        """Fetch what the expiry of these pending transfers will look at."""
        known = {p.id: p for p in due}
        self._transfers.update(known)
        self._pendings.update(dict.fromkeys(known, PendingState.PENDING))
        records = [expiry_id(p) for p in due]
        taken = rows.fetch_transfers(self.tx, records)
        self._transfers.update((ident, taken.get(ident)) for ident in records)
        self._prefetch_sides(due)

    def _prefetch_sides(self, transfers: Sequence[Transfer]) -> None:
        sides = [(t.debit_account_id, t.credit_account_id) for t in transfers]
        self.prefetch((), chain.from_iterable(sides))

    def knows_record(self, table: Table[Any], key: Any) -> bool:
        """Tell whether a record can be had without asking the database."""
        place = (table.name, key)
        return place in self.written or place in self._memory.records(table)

    def knows_account(self, ident: int) -> bool:
        """Tell whether an account, or that there is none, is known without asking."""
        return ident in self._memory.accounts or ident in self._absent

    def record(self, table: Table[Row], key: Any) -> Row | None:
        """Get a record as the units before this one left it."""
        place, memory = (table.name, key), self._memory
        if (write := self.written.get(place)) is not None:
            return write.row  # type: ignore[return-value]
        records = memory.passing if table.passing else memory.lasting
        if place not in records:
            self._fetch(table, [key])
        return records[place]

    def write(self, writes: Sequence[Write]) -> None:
        """Remember a unit's writes; the last of several to one row is the one that is kept.

        Shape: not so of events, which nobody decides by.
        """
        written = self.written
        for write in writes:
            table = write.table
            if table is EVENTS:
                self.events.append(cast(Event, write.row))  # Each has a number of its own.
            else:
                written[(table.name, getattr(write.row, table.key))] = write

    def account(self, ident: int) -> Account | None:
        """Get an account as it was before this commit."""
        known = self._memory.accounts.get(ident)
        if known is None and ident not in self._absent:
            self.prefetch((), [ident])
            return self._memory.accounts.get(ident)
        return known

    def transfer(self, ident: int) -> Transfer | None:
        """Get a transfer from before this commit."""
        if (hold := self._memory.holds.get(ident)) is not None:
            return hold
        if ident not in self._transfers:
            if self._memory.used.is_free(ident):
                return None
            self._transfers[ident] = rows.fetch_transfers(self.tx, [ident]).get(ident)
        return self._transfers[ident]

    def pending(self, ident: int) -> PendingState | None:
        """Tell what had become of a pending transfer before this commit."""
        if ident in self._memory.holds:
            return PendingState.PENDING
        if ident not in self._pendings:
            self._pendings.update(rows.fetch_pendings(self.tx, [ident]))
        return self._pendings.get(ident)

    def has_failed(self, ident: int) -> bool:
        """Tell whether an id had been used up by a failure before this commit."""
        if ident not in self._failed:
            if self._memory.used.is_free(ident):
                return False
            self._failed[ident] = bool(rows.fetch_failed(self.tx, [ident]))
        return self._failed[ident]

    def is_free(self, ident: int) -> bool:
        """Tell whether an id was neither used nor used up before this commit."""
        if self._memory.used.is_free(ident):
            return True
        return self.transfer(ident) is None and not self.has_failed(ident)


def _allow(ordered: Ordered) -> Judgement:  # noqa: ARG001 - nobody looks at it
    return CLEAR


class LiveView:
    """What a unit sees at its turn: records, and accounts with the counters they have now.

    Shape: `judge` allows every order, unless somebody judges them.
    """

    def __init__(self, working: Working, ledger: Ledger, now_ns: int) -> None:
        self._record, self.account = working.record, ledger.account
        self.judge: Callable[[Ordered], Judgement] = _allow
        self.now_ns = now_ns
        self.leaf = 0
        self.looked: list[tuple[Table[Any], Any]] = []

    def get(self, table: Table[Row], key: Any) -> Row | None:
        """Get a record."""
        self.looked.append((table, key))
        return self._record(table, key)
