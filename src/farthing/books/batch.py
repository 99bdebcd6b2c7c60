"""One commit, from the units that queued to the signed head: prefetch, decide, write.

Everything here runs inside one database transaction, and may run again after a conflict.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from farthing.books import rows
from farthing.books.at_hand import AtHand
from farthing.books.base import Done, Tx
from farthing.books.court import Court, Sitting
from farthing.books.foresight import look_ahead
from farthing.books.happened import happened
from farthing.books.memory import LiveView, Memory, Working
from farthing.books.rows import Leaf, Tip
from farthing.books.usual_captures import capture
from farthing.books.usual_charges import charge
from farthing.books.usual_holds import hold
from farthing.core.chain import (
    GENESIS,
    Head,
    Proof,
    leaf_digest,
    merkle_levels,
    paths_of,
    root_of,
    sign_head,
)
from farthing.core.decisions import Outcome, Unit
from farthing.core.events import EVENTS, Event, kept_events
from farthing.core.ledger import Account, Ledger, canonical_account, canonical_row
from farthing.core.paying import Authorise
from farthing.core.records import Read
from farthing.core.settling import Capture
from farthing.errors import FarthingError, InvariantBroken, Missing, ensure
from farthing.keys import Signer

_EXPIRIES_MAX = 1000

Decided = tuple[Any, int | None] | FarthingError
"""A unit's answer and which of the commit's leaves is its, or what it was refused with."""


class Result(NamedTuple):
    """What a commit leaves behind: each unit's answer or error, the new end of history, what
    happened, and what was judged.
    """

    answers: list[Done[Any] | FarthingError]
    tip: Tip
    head: Head | None
    events: Sequence[Event]
    sitting: Sitting | None = None


class Batch:
    """The decision of one commit. Shape: `far` when each query is a round trip to a server."""

    def __init__(
        self,
        tx: Tx,
        memory: Memory,
        tip: Tip | None,
        clock_ns: int,
        signer: Signer,
        chain: str,
        *,
        far: bool,
        court: Court | None = None,
    ) -> None:
        self._tx, self._memory, self._far = tx, memory, far
        self._signer, self._chain = signer, chain
        self._tip = tip or rows.read_tip(tx, GENESIS)
        self._working = Working(tx, memory)
        self._ledger = Ledger(self._working, clock_ns, self._tip.last_ns)
        self._view = LiveView(self._working, self._ledger, max(clock_ns, self._tip.last_ns))
        self._sitting = court.sitting(self._working, self._tip) if court is not None else None
        if self._sitting is not None:
            self._view.judge = self._sitting.judge
        self._at_hand = AtHand(self._working, memory, self._ledger, self._view, self._sitting)
        self._leaves: list[Leaf] = []
        self._opened: list[tuple[Account, int]] = []
        self._rows: list[tuple[bytes, int]] = []
        self._happened: Sequence[Event] = ()
        self._decided: list[Decided] = []

    def run(self, units: Sequence[Unit[Any]]) -> Result:
        """Decide all units in order and write what follows."""
        self.decide(units)
        return self.write()

    def go_on(self, tx: Tx) -> None:
        """Go on in a transaction that sees what the one before saw."""
        self._tx = self._working.tx = tx

    def decide(self, units: Sequence[Unit[Any]]) -> list[Decided]:
        """Decide units in order; nothing is written."""
        if not (self._far or self._memory.used.is_loaded):
            self._memory.learn(self._tx)
        self._working.prefetch(*_hints([unit for unit in units if not self._is_known(unit)]))
        self._expire()
        if self._far:
            look_ahead(self._working, units, self._view.now_ns)
        if self._sitting is not None and len(units) > 1:
            self._at_hand.foresee(units, self._sitting)
        decided = [self._decide(unit) for unit in units]
        self._decided += decided
        return decided

    def write(self) -> Result:
        """Write what follows from all that was decided."""
        head, tip = self._write()
        answers = self._answers(self._decided, head)
        return Result(answers, tip, head, self._happened, self._sitting)

    def _expire(self) -> None:
        memory, now_ns = self._memory, self._view.now_ns
        if now_ns < memory.first_due_ns:
            return
        due = rows.due_pendings(self._tx, now_ns, _EXPIRIES_MAX)
        if not self._far:  # Where others write too, what is known now is forgotten in a moment.
            all_seen = len(due) < _EXPIRIES_MAX
            memory.first_due_ns = rows.next_due_ns(self._tx, now_ns) if all_seen else 0
        if due:
            self._working.prefetch_expiries(due)
            self._ledger.expire_due(due)
            self._leaf(0, b"")

    def _is_known(self, unit: Unit[Any]) -> bool:
        return isinstance(unit, Authorise) and self._at_hand.knows(unit)

    def _decide(self, unit: Unit[Any]) -> Decided:
        self._view.leaf = self._tip.next_leaf + len(self._leaves)
        at_once = self._decide_at_once(unit)
        if at_once is not None:
            if self._sitting is not None and isinstance(unit, Authorise):
                self._sitting.paid()
            self._working.write(at_once.writes)
            return at_once.answer, self._leaf(at_once.subject, at_once.statement)
        self._at_hand.forget()
        self._view.looked.clear()
        try:
            planned = unit.plan(self._view)
        except Missing as error:
            reads, accounts = _hints([unit])
            self._working.ask_anyway([*self._view.looked, *reads], accounts)
            return error
        except FarthingError as error:
            return error  # Said no before anything moved.
        if isinstance(planned, Outcome):
            outcome: Outcome[Any] = planned
        else:
            self._ledger.open_accounts(planned.accounts)
            results = [self._ledger.post(chain) for chain in planned.chains]
            try:
                outcome = planned.then(results)
            except InvariantBroken:
                raise  # A bug of ours must leave nothing behind, so the commit is given up.
            except FarthingError as error:
                moved = len(self._ledger.made) > len(self._rows)
                ensure(not moved, "a unit that says no has moved nothing")
                self._leaf(0, b"")  # Accounts that were opened stay open.
                return error
        if self._sitting is not None:
            self._sitting.keep(outcome.writes)
        self._working.write(outcome.writes)
        return outcome.answer, self._leaf(outcome.subject, outcome.statement)

    def _decide_at_once(self, unit: Unit[Any]) -> Outcome[Any] | None:
        """Decide what is usual; None, and nothing has moved, where the unit's plan is asked."""
        if isinstance(unit, Authorise):
            usual = charge if unit.capture else hold
            return usual(unit, self._at_hand, self._ledger, self._view)
        if isinstance(unit, Capture):
            return capture(unit, self._working, self._ledger, self._view)
        return None

    def _leaf(self, subject: int, statement: bytes) -> int | None:
        opened = self._ledger.opened_since(len(self._opened))
        made = self._ledger.made[len(self._rows) :]
        if not (opened or made or statement):
            return None
        number = self._tip.next_leaf + len(self._leaves)
        written = [canonical_row(transfer) for transfer in made]
        fixed = [canonical_account(account) for account in opened]
        self._rows += [(row, number) for row in written]
        if opened:
            self._opened += [(account, number) for account in opened]
        self._leaves.append(self._covering(subject, statement, [*fixed, *written]))
        return len(self._leaves) - 1

    def _covering(self, subject: int, statement: bytes, written: Sequence[bytes]) -> Leaf:
        covered = hashlib.sha256(b"".join(written)).digest()
        return Leaf(subject, statement, covered, leaf_digest(statement, covered))

    def _write(self) -> tuple[Head | None, Tip]:
        self._write_records()
        if self._ledger.failed:
            rows.put_failed(self._tx, self._ledger.failed)
        self._memory.used.use(transfer.id for transfer in self._ledger.made)
        self._memory.used.use(self._ledger.failed)
        if not self._leaves:
            return None, self._tip
        tx, tip, ledger = self._tx, self._tip, self._ledger
        rows.insert_accounts(tx, self._opened)
        last_transfer = self._write_transfers()
        if ledger.pendings:
            made = {transfer.id: transfer for transfer in ledger.made}
            rows.put_pendings(tx, made, ledger.pendings)
            self._memory.hold(made, ledger.pendings)
        levels = merkle_levels([leaf.digest for leaf in self._leaves])
        self._paths = paths_of(levels)
        root = root_of(levels[-1][0], len(self._leaves))
        head = sign_head(
            self._signer, self._chain, tip.number + 1, tip.digest, root, len(self._leaves),
            self._view.now_ns,
        )  # fmt: skip
        rows.insert_leaves(tx, tip.next_leaf, head.number, self._leaves)
        last_ns = max(ledger.last_ns, self._view.now_ns)
        rows.insert_head(tx, head, tip.next_leaf, last_transfer, last_ns)
        next_leaf = tip.next_leaf + len(self._leaves)
        return head, Tip(head.number, head.digest, next_leaf, last_transfer, last_ns)

    def _write_records(self) -> None:
        grouped: dict[str, tuple[Any, list[Any]]] = {}
        for (name, _), write in self._working.written.items():
            known = grouped.get(name)
            if known is None:
                known = grouped[name] = (write.table, [])
            known[1].append(write.row)
        for table, written in grouped.values():
            new, others = self._memory.parted(table, written)
            self._tx.add(table, new)
            self._tx.put(table, others)
            self._memory.remember(table, written)
        self._tx.add(EVENTS, kept_events(self._working.events))
        self._happened = happened(self._working.events, self._working.written)

    def _write_transfers(self) -> int:
        number, changed = self._tip.last_transfer, self._ledger.changed
        appended: list[Sequence[Any]] = []
        row_of = rows.transfer_row
        for transfer, (row, leaf) in zip(self._ledger.made, self._rows, strict=True):
            number += 1
            debit, credit = changed[transfer.debit_account_id], changed[transfer.credit_account_id]
            appended.append(row_of(number, transfer, row, leaf, debit.newest, credit.newest))
            debit.newest = credit.newest = number
        rows.insert_transfers(self._tx, appended)
        rows.update_accounts(self._tx, changed.values())
        self._memory.accounts.update(changed)
        return number

    def _answers(
        self, decided: Sequence[Decided], head: Head | None
    ) -> list[Done[Any] | FarthingError]:
        answers: list[Done[Any] | FarthingError] = []
        for item in decided:
            if isinstance(item, FarthingError):
                answers.append(item)
                continue
            answer, index = item
            proof = None
            if index is not None and head is not None and self._leaves[index].statement:
                leaf = self._leaves[index]
                proof = Proof(leaf.statement, leaf.rows_digest, index, self._paths[index], head)
            answers.append(Done(answer, proof))
        return answers


def _hints(units: Sequence[Unit[Any]]) -> tuple[list[Read], list[int]]:
    """Gather what the units will look at; of one that cannot say, its plan tells why."""
    reads: list[Read] = []
    accounts: list[int] = []
    for unit in units:
        try:
            reads += unit.reads
            accounts += unit.accounts
        except FarthingError:
            continue
    return reads, accounts
