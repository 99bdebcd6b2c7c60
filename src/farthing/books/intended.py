"""A commit in two transactions, with a cluster between them: intend, post, write what happened."""

import hashlib
from collections.abc import Sequence
from typing import Any, Self

from farthing.books import cluster_rows, intents
from farthing.books.base import Tx
from farthing.books.batch import Batch, Result
from farthing.books.cluster import CHAIN_MAX
from farthing.books.intents import Intent
from farthing.books.rows import Leaf, raw
from farthing.core.chain import leaf_digest
from farthing.core.decisions import Unit
from farthing.core.events import EVENTS
from farthing.core.ledger import Account, Transfer, canonical_account
from farthing.core.ledger_checks import LINKED
from farthing.core.ledger_rows import with_time
from farthing.core.records import Write
from farthing.errors import Malformed, ensure


class Times:
    """The cluster's times of one commit's rows. Units: ns."""

    def __init__(self, opened: Sequence[int], made: Sequence[int]) -> None:
        self.opened, self.made = opened, made


class IntendedBatch(Batch):
    """The decision of one commit whose money is kept by a cluster.

    Shape: `intent` is what is to be posted; where nothing is, `result` is there at once.
    """

    intent: Intent
    result: Result | None = None

    def begin(self, units: Sequence[Unit[Any]]) -> Self:
        """Decide all units in order, and write down what is to be posted.

        Raises: Malformed `chain-too-long`: what the cluster cannot take would stay open for good.
        """
        self.decide(units)
        if self._opened or self._rows:
            _check_chains([account for account, _ in self._opened])
            _check_chains(self._ledger.made)
            self.intent = self._intent()
            intents.keep(self._tx, self.intent)
        else:
            self.result = self._conclude(Times((), ()))
        return self

    def take_up(self, intent: Intent) -> Self:
        """Go on where `begin` was left, with what it wrote down."""
        ensure(intent.number == self._tip.number + 1, "an intent follows on what is written")
        self._ledger.redo(intent.accounts, intent.transfers)
        self._ledger.use_up(int.from_bytes(ident, "big") for ident in intent.failed)
        opened = zip(intent.accounts, intent.opened, strict=True)
        self._opened += [(account, leaf) for account, (_, leaf) in opened]
        self._rows += intent.made
        for subject, statement in intent.said:
            self._leaves.append(self._covering(int.from_bytes(subject, "big"), statement, ()))
        self._working.write(intent.writes())
        self._working.write([Write(EVENTS, event) for event in intent.events])
        self.intent = intent
        return self

    def conclude(self, tx: Tx, times: Times) -> Result:
        """Write what follows, now that the cluster has made it."""
        self._tx = tx
        result = self._conclude(times)
        intents.done(tx, self.intent.number)
        return result

    def _conclude(self, times: Times) -> Result:
        self._seal(times)
        head, tip = self._write()
        accounts = [account.timestamp for account, _ in self._opened]
        transfers = [transfer.timestamp for transfer in self._ledger.made]
        cluster_rows.insert_times(self._tx, zip(accounts, times.opened, strict=True))
        cluster_rows.insert_times(self._tx, zip(transfers, times.made, strict=True))
        answers = self._answers(self._decided, head)
        return Result(answers, tip, head, self._happened, self._sitting)

    def _covering(
        self,
        subject: int,
        statement: bytes,
        written: Sequence[bytes],  # noqa: ARG002 - the digests come later, with the cluster's times
    ) -> Leaf:
        return Leaf(subject, statement, b"", b"")

    def _seal(self, times: Times) -> None:
        covered: list[list[bytes]] = [[] for _ in self._leaves]
        first = self._tip.next_leaf
        for (account, leaf), cluster_ns in zip(self._opened, times.opened, strict=True):
            covered[leaf - first].append(with_time(canonical_account(account), cluster_ns))
        for (row, leaf), cluster_ns in zip(self._rows, times.made, strict=True):
            covered[leaf - first].append(with_time(row, cluster_ns))
        self._leaves = [
            _sealed(leaf, rows) for leaf, rows in zip(self._leaves, covered, strict=True)
        ]

    def _intent(self) -> Intent:
        return Intent(
            self._tip.number + 1,
            self._view.now_ns,
            [(canonical_account(account), leaf) for account, leaf in self._opened],
            self._rows,
            [(raw(leaf.subject), leaf.statement) for leaf in self._leaves],
            [raw(ident) for ident in self._ledger.failed],
            [intents.of_record(write) for write in self._working.written.values()],
            self._working.events,
        )


def _check_chains(rows: Sequence[Account | Transfer]) -> None:
    linked = 0
    for row in rows:
        linked = linked + 1 if row.flags & LINKED else 0
        if linked >= CHAIN_MAX:
            detail = f"a cluster takes {CHAIN_MAX} linked rows at once; make fewer of them depend"
            raise Malformed("chain-too-long", detail)


def _sealed(leaf: Leaf, rows: Sequence[bytes]) -> Leaf:
    covered = hashlib.sha256(b"".join(rows)).digest()
    return Leaf(leaf.subject, leaf.statement, covered, leaf_digest(leaf.statement, covered))
