"""Drives the ledger through an engine's books, as `CoreDriver` drives the decision alone."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from farthing.books.rows import read_account, read_transfer
from farthing.core.decisions import Outcome, Plan
from farthing.core.ledger import Account, AccountResult, Transfer, TransferResult
from farthing.core.replay import counters
from farthing.keys import Ed25519Signer
from farthing.testing.worlds import HandClock
from farthing.threads import Threads
from tests.books.auditor import ACCOUNT, ACCOUNTS, TRANSFER, check_history
from tests.machines.driver import START_NS, Balances
from tests.own_writers import books_on

SIGNER = Ed25519Signer(bytes(32))


@dataclass(frozen=True)
class Open:
    """Accounts to open. The books have no word for how it went, so the ledger is asked."""

    opened: Sequence[Account]
    reads: tuple = ()
    accounts: tuple = ()

    def plan(self, view) -> Outcome:
        return Outcome(view.account.__self__.open_accounts(self.opened))


@dataclass(frozen=True)
class Post:
    """Transfers to make, singly or in chains."""

    batch: Sequence[Transfer]
    reads: tuple = ()
    accounts: tuple = ()

    def plan(self, _view) -> Plan:
        return Plan(Outcome, chains=[self.batch])


class BooksDriver:
    """A ledger with a clock, on a database of its own."""

    def __init__(self, database: Any, close: Callable[[], None]) -> None:
        self._database, self._close = database, close
        self._clock = HandClock(START_NS)
        self._writer = Threads(1)
        self._loop = asyncio.new_event_loop()
        self._books = books_on(database, SIGNER, self._clock, self._writer)

    def open(self, accounts: Sequence[Account]) -> list[AccountResult]:
        return self._commit(Open(accounts))

    def post(self, batch: Sequence[Transfer]) -> list[TransferResult]:
        [results] = self._commit(Post(batch))
        return results

    def advance(self, milliseconds: int) -> None:
        self._clock.now_ns += milliseconds * 1_000_000
        self._commit(Post([]))

    def balances(self) -> Balances:
        return {a.id: counters(a) for a in self._accounts()}

    def rows(self) -> Iterable[Account | Transfer]:
        sql = f"SELECT {TRANSFER} FROM transfers"
        stored = [*self._accounts(), *map(read_transfer, self._read(sql))]
        return sorted(stored, key=lambda row: row.timestamp)

    def close(self) -> None:
        self._loop.run_until_complete(self._books.close())
        self._database.transact(check_history)
        self._writer.close()
        self._loop.close()
        self._close()

    def _accounts(self) -> list[Account]:
        sql = f"SELECT {ACCOUNT} FROM {ACCOUNTS}"
        return [read_account(row) for row in self._read(sql)]

    def _read(self, sql: str) -> list[tuple]:
        return self._loop.run_until_complete(self._database.read(lambda tx: tx.rows(sql)))

    def _commit(self, unit: Any) -> Any:
        return self._loop.run_until_complete(self._books.commit_one(unit)).answer
