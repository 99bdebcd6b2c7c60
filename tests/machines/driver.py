"""What the ledger machine drives: the decision itself here, and each engine's books elsewhere."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from farthing.core.ledger import (
    Account,
    AccountResult,
    Ledger,
    PendingState,
    Transfer,
    TransferResult,
)
from farthing.core.replay import counters

START_NS = 1_800_000_000 * 10**9

Balances = dict[int, tuple[int, int, int, int]]


class Driver(Protocol):
    """A ledger with a clock that stands still until it is moved; it starts at START_NS.

    `advance` also expires what has run out. `balances` gives debits pending, debits posted,
    credits pending, credits posted of every account. `rows` gives history in order, with
    accounts as they are stored now.
    """

    def open(self, accounts: Sequence[Account]) -> list[AccountResult]: ...
    def post(self, batch: Sequence[Transfer]) -> list[TransferResult]: ...
    def advance(self, milliseconds: int) -> None: ...
    def balances(self) -> Balances: ...
    def rows(self) -> Iterable[Account | Transfer]: ...
    def close(self) -> None: ...


class Shelf:
    """A source in memory, into which a ledger's working set can be written."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.transfers: dict[int, Transfer] = {}
        self.pendings: dict[int, PendingState] = {}
        self.failed: set[int] = set()
        self.last_ns = 0

    def account(self, ident: int) -> Account | None:
        return self.accounts.get(ident)

    def transfer(self, ident: int) -> Transfer | None:
        return self.transfers.get(ident)

    def pending(self, ident: int) -> PendingState | None:
        return self.pendings.get(ident)

    def has_failed(self, ident: int) -> bool:
        return ident in self.failed

    def is_free(self, ident: int) -> bool:
        return ident not in self.transfers and ident not in self.failed

    def write(self, ledger: Ledger) -> None:
        self.accounts |= {account.id: account for account in ledger.opened}
        self.accounts |= ledger.changed
        assert not self.transfers.keys() & {row.id for row in ledger.made}
        self.transfers |= {row.id: row for row in ledger.made}
        self.pendings |= ledger.pendings
        self.failed |= set(ledger.failed)
        self.last_ns = ledger.last_ns

    def held(self) -> list[Transfer]:
        waiting = (i for i, state in self.pendings.items() if state is PendingState.PENDING)
        return [self.transfers[i] for i in waiting]


class CoreDriver:
    """The pure decision, one commit per call, every commit beginning with what is due."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.clock_ns = START_NS

    def open(self, accounts: Sequence[Account]) -> list[AccountResult]:
        return self._commit(lambda ledger: ledger.open_accounts(accounts))

    def post(self, batch: Sequence[Transfer]) -> list[TransferResult]:
        return self._commit(lambda ledger: ledger.post(batch))

    def advance(self, milliseconds: int) -> None:
        self.clock_ns += milliseconds * 1_000_000
        self._commit(lambda _: [])

    def balances(self) -> Balances:
        return {a.id: counters(a) for a in self.shelf.accounts.values()}

    def rows(self) -> Iterable[Account | Transfer]:
        stored = [*self.shelf.accounts.values(), *self.shelf.transfers.values()]
        return sorted(stored, key=lambda row: row.timestamp)

    def close(self) -> None:
        pass

    def _commit(self, act: Callable[[Ledger], list]) -> list:
        ledger = Ledger(self.shelf, self.clock_ns, self.shelf.last_ns)
        ledger.expire_due(self.shelf.held())
        answers = act(ledger)
        self.shelf.write(ledger)
        return answers
