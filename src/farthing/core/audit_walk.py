"""The audit's walk: every commit in order, its signed head, its leaves, and where they end.

It trusts nothing that is stored but the root key it was given: heads are hashed and verified
again, leaves are built again from the rows they cover, and balances are made anew from history.
"""

from collections.abc import Mapping

from farthing.clock import NS
from farthing.core.accounts import TransferCode
from farthing.core.audit_faults import Broken, broken
from farthing.core.audit_fees import FEE_CODES
from farthing.core.audit_latches import Latches
from farthing.core.audit_leaf import Leaves, Said, account_broken, transfer_broken
from farthing.core.audit_records import Records
from farthing.core.audit_rows import Stored, StoredCommit, StoredLeaf, StoredTransfer
from farthing.core.chain import GENESIS, Head, head_fault, merkle_levels, root_of
from farthing.core.events import Kind
from farthing.core.identity import Certificate, certificate_fault
from farthing.core.ledger import PendingState, TransferFlags

_PENDING = int(TransferFlags.PENDING)
_ENDINGS = {
    int(TransferFlags.POST_PENDING): PendingState.POSTED,
    int(TransferFlags.VOID_PENDING): PendingState.VOIDED,
    int(TransferFlags.EXPIRED): PendingState.EXPIRED,
}
_ENDING = sum(_ENDINGS)
_NEVER_NS = 2**62
_BY_RAILS = (TransferCode.TOP_UP, TransferCode.PAYOUT)


def check_certificates(certificates: Mapping[str, Certificate], root_public: str) -> None:
    """Check that the root key itself certified every signing key of the hub.

    Raises: Broken.
    """
    for key, certificate in certificates.items():
        fault = certificate_fault(certificate, root_public)
        if fault is not None:
            raise broken("certificate", fault, name=f"of key {key}")


class Walk:
    """The history so far: what follows from it is compared with the other tables.

    Shape: `holds` are pending transfers not compared yet, by id, with the time they end; `ended`
           those that ended, with how; `stated` the newest leaf of each payment since the last
           comparison. Whoever compares them empties them. `records` are what administrative
           statements say of records, to be compared at the end. `accepted` are heads whose loss the
           operator accepted on record; `fees_moved` counts transfers that took or returned a fee,
           `moved_by_rails` those of top-ups and payouts;
           `latches` tell when accounts were frozen or closed.
    """

    def __init__(self, stored: Stored, certificates: Mapping[str, Certificate] | None) -> None:
        self._stored, self._certificates = stored, certificates
        self.leaves = Leaves(stored)
        self.head: Head | None = None
        self.last_ns = 0
        self.holds: dict[int, int] = {}
        self.ended: dict[int, PendingState] = {}
        self.stated: dict[str, StoredLeaf] = {}
        self.accepted: set[str] = set()
        self.records = Records()
        self.latches = Latches()
        self.holds_made = self.sessions_closed = self.fees_moved = self.moved_by_rails = 0

    def commit(self, row: StoredCommit) -> None:
        """Check the next commit: head, leaves, root, and where it leaves history.

        Raises: Broken.
        """
        self._check_head(row)
        head = row.head
        digests: list[bytes] = []
        for _ in range(head.leaves):
            leaf, said, transfers = self.leaves.take(head.number)
            digests.append(leaf.digest)
            for transfer in transfers:
                self._note(transfer)
            self._hear(leaf, said)
        if not digests or root_of(merkle_levels(digests)[-1][0], len(digests)) != head.root:
            raise _commit_broken(head.number, "its root is not that of its leaves")
        self._check_end(row)
        self.head, self.last_ns = head, row.last_ns

    def finish(self) -> None:
        """Check that history covers everything, and that each ledger balances.

        Raises: Broken.
        """
        leaf, account = self._stored.leaves.next, self._stored.accounts.next
        transfer = self._stored.transfers.next
        if leaf is not None:
            raise broken("leaf", "no commit covers it", number=leaf.number)
        if transfer is not None:
            raise transfer_broken(transfer, "no leaf covers it")
        if account is not None:
            raise account_broken(account, "no leaf covers it")
        self.leaves.replay.finish()

    def _check_head(self, row: StoredCommit) -> None:
        head, before = row.head, self.head
        number = before.number + 1 if before else 1
        if head.number != number:
            raise _commit_broken(number, f"it is missing; the next one is {head.number}")
        fault = head_fault(head) or self._key_fault(head)
        if fault is not None:
            raise _commit_broken(number, fault)
        if head.previous != (before.digest if before else GENESIS):
            raise _commit_broken(number, "it does not follow on the commit before it")
        if head.time_ns < self.last_ns:
            raise _commit_broken(number, "its time is before that of the commit before it")
        if row.first_leaf != self.leaves.number + 1:
            raise _commit_broken(number, f"its first leaf is {self.leaves.number + 1}")

    def _key_fault(self, head: Head) -> str | None:
        if self._certificates is None:
            return None
        certificate = self._certificates.get(head.key)
        if certificate is None:
            return "it is signed by a key that this hub never certified"
        if head.time_ns // NS < certificate.valid_from:
            return "it is signed by a key that was not valid yet"
        return None

    def _check_end(self, row: StoredCommit) -> None:
        number, leaves = row.head.number, self.leaves
        strayed = self._stored.transfers.next
        if strayed is not None and strayed.leaf <= leaves.number:
            what = f"it stands under leaf {strayed.leaf}, which does not cover it"
            raise transfer_broken(strayed, what)
        if row.last_transfer != leaves.transfers:
            raise _commit_broken(number, f"its last transfer is {leaves.transfers}")
        if row.last_ns != max(row.head.time_ns, leaves.replay.last_ns):
            raise _commit_broken(number, "its time does not reach that of its last row")

    def _hear(self, leaf: StoredLeaf, said: Said) -> None:
        if said.kind == "payment":
            self.stated[said.payment] = leaf
        elif said.kind == "session":
            self.sessions_closed += 1
        elif said.kind:
            self.records.hear(leaf.number, said.kind, said.subject, said.before, said.after)
        if said.kind == Kind.HUB_ROLLBACK_ACCEPTED:
            self.accepted.add(said.subject.removeprefix("head:"))

    def _note(self, row: StoredTransfer) -> None:
        moved = row.transfer
        if moved.code in FEE_CODES:
            self.fees_moved += 1
        if moved.code in _BY_RAILS and not moved.flags & _ENDING:
            self.moved_by_rails += 1
        self.latches.note(moved)
        if moved.flags & _ENDING:
            self.ended[moved.pending_id] = _ENDINGS[moved.flags & _ENDING]
        elif moved.flags & _PENDING:
            due_ns = moved.timestamp + moved.timeout * NS
            self.holds[moved.id] = due_ns if moved.timeout else _NEVER_NS
            self.holds_made += 1


def _commit_broken(number: int, what: str) -> Broken:
    return broken("commit", what, number=number)
