"""Looking ahead: what a batch is going to ask the database for is asked once for all of it.

Where the database is a network away, a look-up for each transfer's id costs more than deciding
about it. Plans are pure, so each is made once beforehand against what is known, only to see
which records, accounts and transfers it names; the decision proper then finds them in memory.
What could not be foreseen is still looked up when it is needed: guesses cost time, never truth.
"""

from collections.abc import Sequence
from typing import Any

from farthing.books.memory import Working
from farthing.core.decisions import Outcome, Plan, Unit
from farthing.core.judgements import CLEAR, Judgement, Ordered
from farthing.core.ledger import Account
from farthing.core.records import Read, Row, Table

_ROUNDS_MAX = 3


class Guess:
    """A view that asks nobody: what is not known is taken to be absent, and noted."""

    leaf = 0

    def __init__(self, working: Working, now_ns: int) -> None:
        self.now_ns = now_ns
        self._working = working
        self.reads: set[Read] = set()
        self.accounts: set[int] = set()
        self.is_sure = True

    def get(self, table: Table[Row], key: Any) -> Row | None:
        """Get a record, if it is known."""
        if self._working.knows_record(table, key):
            return self._working.record(table, key)
        self.reads.add(Read(table, key))
        self.is_sure = False
        return None

    def account(self, ident: int) -> Account | None:
        """Get an account, if it is known; a plan names the same transfers without it."""
        if self._working.knows_account(ident):
            return self._working.account(ident)
        self.accounts.add(ident)
        return None

    def judge(self, ordered: Ordered) -> Judgement:  # noqa: ARG002 - most orders are allowed
        """Allow every order: what is then looked up is no more than time."""
        return CLEAR


def look_ahead(working: Working, units: Sequence[Unit[Any]], now_ns: int) -> None:
    """Fetch what these units will name, in a few queries however many they are."""
    transfers: set[int] = set()
    pending: set[int] = set()
    for _ in range(_ROUNDS_MAX):
        guess = Guess(working, now_ns)
        unsure: list[Unit[Any]] = []
        for unit in units:
            planned = _plan(unit, guess)
            if not guess.is_sure:
                unsure.append(unit)
            elif planned is not None:
                _gather(planned, guess.accounts, transfers, pending)
        working.prefetch(guess.reads, guess.accounts)
        if not unsure:
            break
        units = unsure
    working.prefetch_transfers(transfers, pending)


def _plan(unit: Unit[Any], guess: Guess) -> Plan[Any] | None:
    guess.is_sure = True
    try:
        planned = unit.plan(guess)
    except Exception:
        return None  # Its turn in the decision proper tells whether it is refused, or a bug.
    return None if isinstance(planned, Outcome) else planned


def _gather(planned: Plan[Any], accounts: set[int], transfers: set[int], pending: set[int]) -> None:
    accounts.update(account.id for account in planned.accounts)
    for chain in planned.chains:
        for transfer in chain:
            transfers.add(transfer.id)
            if transfer.pending_id:
                pending.add(transfer.pending_id)
            else:
                accounts.add(transfer.debit_account_id)
                accounts.add(transfer.credit_account_id)
