"""Writing batches whose money a cluster keeps: intend, post, write the outcome.

What was intended is always ended before anything else is decided. A commit whose outcome could not
be written, for want of the cluster or the disk, is one whose outcome is not known to who waits.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

from farthing.books import cluster_rows, intents
from farthing.books.base import Tx
from farthing.books.batch import Result
from farthing.books.cluster import Cluster, ClusterDiffers
from farthing.books.intended import IntendedBatch, Times
from farthing.books.intents import Intent
from farthing.books.memory import Memory
from farthing.books.writing import Writing
from farthing.core.decisions import Outcome, Unit, View
from farthing.core.ledger import Account
from farthing.core.records import Read
from farthing.errors import OutcomeUnknown, Unavailable
from farthing.log_lines import Log

log = Log("books")

MARK = int.from_bytes(b"farthing's books", "big")
"""The id of the account by which a cluster says whose books it keeps."""

_OLDER_BOOKS = (
    "the cluster has transfers that these books do not have: the books are an older copy, or"
    " another hub posts to this cluster"
)
_OLDER_CLUSTER = "the cluster lacks transfers that these books have: it is an older copy"


class Settle:
    """A unit that says and moves nothing: before its commit, what was left open is ended."""

    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[None]:  # noqa: ARG002 - it looks at nothing
        """Answer at once."""
        return Outcome(None)


class ClusterWriting(Writing):
    """Decides and writes batches on a database and a cluster; called by one thread at a time."""

    _cluster: Cluster
    _new_name: Callable[[], int]
    _is_ours = False
    _settled_on = 0
    """The connection on which books and cluster were last seen to fit; 0 for none."""

    def beside(self, cluster: Cluster, new_name: Callable[[], int]) -> Self:
        """Keep the money in this cluster, which knows the books by a new 128-bit number."""
        self._cluster, self._new_name = cluster, new_name
        return self

    @property
    def prompt(self) -> bool:
        """Never: each commit waits for the network."""
        return False

    def _try_to_write(self) -> None:
        with self._database.turn():
            self._settle()
        super()._try_to_write()

    def _decide_and_write(self, units: Sequence[Unit[Any]]) -> Result:
        with self._database.turn():
            batch = self._begun(units)
            connected = self._database.connected
            result = batch.result or self._end_or_say(batch)
        self._settled_on = connected
        return result

    def _begun(self, units: Sequence[Unit[Any]]) -> IntendedBatch:
        """Decide, and write down what is to be posted; another hub's open commit is ended first.

        Raises: ClusterDiffers, Unavailable; then nothing is written down.
        """
        signer = self._signer()

        def begin(tx: Tx) -> IntendedBatch | None:
            self._check_still(settled)
            if not self._database.exclusive and intents.is_open(tx):
                return None
            return self._batch(IntendedBatch, tx, signer).begin(units)

        batch = None
        while batch is None:
            if self._settled_on != self._database.connected:
                self._settle()
            settled, self._settled_on = self._settled_on, 0
            batch = self._checked(begin)
        return batch

    def _check_still(self, connected: int) -> None:
        """See that the turn was not lost with its connection.

        Raises: Unavailable.
        """
        if connected != self._database.connected:
            detail = "the connection to the books was lost just now; try again shortly"
            raise Unavailable("books-busy", detail)

    def _end_or_say(self, batch: IntendedBatch) -> Result:
        try:
            return self._end(batch)
        except Exception as fault:
            detail = "it is not known yet whether this was paid; ask again with the same id"
            raise OutcomeUnknown("outcome-unknown", detail) from fault

    def _end(self, batch: IntendedBatch) -> Result:
        intent, begun_on = batch.intent, self._database.connected
        opened = self._cluster.open_accounts(intent.accounts)
        times = Times(opened, self._cluster.post(intent.transfers))

        def conclude(tx: Tx) -> Result:
            if not self._database.exclusive:
                intents.check_open(tx, intent, whole=begun_on != self._database.connected)
            return batch.conclude(tx, times)

        return self._checked(conclude)

    def _settle(self) -> None:
        """End what was left open, and see that cluster and books are where they left each other.

        Shape:  in the turn of who calls it.
        Raises: ClusterDiffers, Unavailable.
        """
        connected = self._database.connected
        if not self._is_ours:
            self._recognise()
        intent = self._checked(intents.left_open)
        if intent is not None:
            self._take_up(intent)
        newest = self._cluster.newest_transfer()
        there = newest.transfer.id if newest else 0
        here = self._checked(cluster_rows.newest_transfer)
        self._check_still(connected)
        if here != there:
            is_known = self._checked(lambda tx: cluster_rows.has_transfer(tx, there))
            raise ClusterDiffers("cluster-differs", _OLDER_CLUSTER if is_known else _OLDER_BOOKS)
        self._settled_on = connected

    def _take_up(self, intent: Intent) -> None:
        """End a commit that was begun before, by whom it may be."""
        signer = self._signer()

        def begun(tx: Tx) -> IntendedBatch:
            batch = IntendedBatch(
                tx, Memory(), None, intent.now_ns, signer, self._chain,
                far=not self._database.exclusive,
            )  # fmt: skip
            return batch.take_up(intent)

        try:
            result = self._end(self._checked(begun))
        except intents.EndedElsewhere as fault:
            raise Unavailable("books-busy", fault.detail) from fault
        self.forget()
        self._took(result)
        log.warning("books.taken_up", number=intent.number, transfers=len(intent.made))

    def _recognise(self) -> None:
        """See that the cluster keeps these books, or none yet.

        Raises: ClusterDiffers `another-cluster`.
        """
        name = self._checked(cluster_rows.name_of_books)
        mark = self._cluster.accounts([MARK]).get(MARK)
        if mark is None:
            self._mark(name)
        elif mark.account.user_data != name:
            raise ClusterDiffers("another-cluster", "the cluster keeps the books of another hub")
        self._is_ours = True

    def _mark(self, name: int | None) -> None:
        if self._checked(cluster_rows.has_rows):
            detail = "the cluster has nothing of these books: it is another one, or made anew"
            raise ClusterDiffers("another-cluster", detail)
        if next(self._cluster.every_account(), None) is not None:
            raise ClusterDiffers("another-cluster", "the cluster is not empty, and knows no hub")
        if name is None:
            made = self._new_name()
            name = self._checked(lambda tx: cluster_rows.name_books(tx, made))
        self._cluster.open_accounts([mark_of(name)])


def mark_of(name: int) -> Account:
    """Give the account by which a cluster knows the books of this name."""
    return Account(MARK, 2**32 - 1, 2**16 - 1, 0, name, 1)


__all__ = ["MARK", "ClusterWriting", "Settle", "mark_of"]
