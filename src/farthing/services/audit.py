"""The audit: history walked over from its first commit, then every other table compared with it.

It reads one snapshot, so it may run while the hub works; it holds accounts and outstanding holds
in memory, never transfers; and it stops at the first broken row and names it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from farthing.books.cluster import Cluster
from farthing.codec import to_base64url
from farthing.core.audit_faults import Broken, Fault, broken
from farthing.core.audit_rows import Ahead, Stored
from farthing.core.audit_walk import Walk, check_certificates
from farthing.core.chain import Head
from farthing.core.identity import CERTIFICATES, Certificate
from farthing.errors import FarthingError
from farthing.services.audit_cluster import cluster_fault
from farthing.services.audit_tables import Tables
from farthing.services.heads import HeadsFile, check_heads
from farthing.store import audit_rows as rows
from farthing.store.database import Database, Tx
from farthing.store.mapping import mapping
from farthing.store.schema import pages_fault, planted

OnProgress = Callable[[int, int], None]
"""Told how many leaves were walked over, of how many. Called on a reader's thread."""

_COMPARED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found.

    Units: `time_ns` is the book's time at the newest head.
    Shape: `fault` is the first broken row, None if the books are right; `notes` say what could
           not be checked; the counts are what was walked over before the end or the fault.
    """

    fault: Fault | None = None
    notes: list[str] = field(default_factory=list[str])
    commits: int = 0
    leaves: int = 0
    transfers: int = 0
    accounts: int = 0
    holds: int = 0
    payments: int = 0
    head: str = ""
    time_ns: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None

    @property
    def text(self) -> str:
        """Say it in a word, or what is wrong in a line."""
        return "ok" if self.fault is None else str(self.fault)


async def audit(
    database: Database,
    root_public: str | None,
    heads: HeadsFile | None = None,
    *,
    on_progress: OnProgress | None = None,
    cluster: Cluster | None = None,
) -> Report:
    """Audit the books, against root key, heads file and cluster where they are given.

    Shape: never raises for what is stored, whatever it is: that is a fault of the report.
    Raises: Unavailable when the database or the cluster cannot be reached.
    """
    # Before the snapshot: whatever the file knows by now is in it.
    known = heads.read() if heads is not None else None
    report = await database.read(lambda tx: examine(tx, root_public, known, on_progress))
    if cluster is None or not report.ok:
        return report
    started = time.monotonic()
    fault = await cluster_fault(database, cluster)
    return replace(report, fault=fault, seconds=report.seconds + time.monotonic() - started)


def examine(
    tx: Tx,
    root_public: str | None,
    heads: Sequence[Head] | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Audit the books as one transaction sees them."""
    started = time.monotonic()
    examination = Examination(tx, root_public, on_progress)
    try:
        examination.run(heads)
        fault = None
    except Broken as error:
        fault = error.fault
    except FarthingError:
        raise
    except Exception as error:  # A stored value that cannot even be read.
        fault = Fault("database", 0, 0, examination.where, f"it cannot be read: {error}")
    return replace(examination.report(fault), seconds=time.monotonic() - started)


class Examination:
    """One audit at work."""

    def __init__(self, tx: Tx, root_public: str | None, on_progress: OnProgress | None) -> None:
        self._tx, self._root, self._on_progress = tx, root_public, on_progress
        self.where = "the database"
        self._walk: Walk | None = None
        self._tables = Tables(tx)
        self._notes: list[str] = []

    def run(self, heads: Sequence[Head] | None) -> None:
        """Walk and compare.

        Raises: Broken at the first broken row.
        """
        tx = self._tx
        self._check_schema()
        certificates = self._certificates()
        stored = Stored(
            Ahead(rows.leaves(tx)),
            Ahead(rows.accounts_by_leaf(tx)),
            Ahead(rows.transfers(tx)),
            lambda: rows.accounts_by_id(tx),
        )
        walk = self._walk = Walk(stored, certificates)
        leaves = rows.last_leaf(tx)
        for row in rows.commits(tx):
            self.where = f"commit {row.head.number}"
            walk.commit(row)
            if len(walk.holds) + len(walk.ended) + len(walk.stated) >= _COMPARED_AT_ONCE:
                self._compare(walk, leaves)
        self.where = "the end of history"
        walk.finish()
        self._compare(walk, leaves)
        self._tables.finish(walk)
        if walk.records.unproven:
            self._notes.append(
                f"{walk.records.unproven} records were last written by an older version, which did"
                " not state all that is in them: they are not proven"
            )
        if heads is None:
            self._notes.append("no heads file was given: a restored older copy would not be seen")
        else:
            self.where = "the heads file"
            check_heads(tx, heads, walk.accepted)
        self._check_pages()

    def _check_schema(self) -> None:
        self.where = "the schema"
        wrong = planted(self._tx)
        if wrong is not None:
            raise broken("schema", wrong)

    def _check_pages(self) -> None:
        self.where = "the pages"
        wrong = pages_fault(self._tx)
        if wrong is not None:
            raise broken("pages", f"SQLite says: {wrong}")

    def _compare(self, walk: Walk, leaves: int) -> None:
        self._tables.compare(walk)
        if self._on_progress is not None:
            self._on_progress(walk.leaves.number, leaves)

    def report(self, fault: Fault | None) -> Report:
        """Give what was found so far."""
        walk = self._walk
        if walk is None:
            return Report(fault, self._notes)
        head = walk.head
        return Report(
            fault,
            self._notes,
            head.number if head else 0,
            walk.leaves.number,
            walk.leaves.transfers,
            len(walk.leaves.replay.accounts),
            len(walk.leaves.replay.holds),
            self._tables.payments,
            to_base64url(head.digest) if head else "",
            head.time_ns if head else 0,
        )

    def _certificates(self) -> Mapping[str, Certificate] | None:
        if self._root is None:
            self._notes.append("no root key was given: who may sign heads was not checked")
            return None
        mapped = mapping(CERTIFICATES)
        found = [mapped.row(row) for row in self._tx.rows(f"{mapped.select} ORDER BY key")]
        certificates = {certificate.key: certificate for certificate in found}
        check_certificates(certificates, self._root)
        return certificates
