"""Books and cluster compared both ways: the first row that one has and the other has not.

The cluster is read while a hub may post to it. What it has beyond the books' snapshot must be in
the books, or intended by them, in a snapshot taken afterwards.
"""

from collections.abc import Sequence

import msgspec

from farthing.books.cluster import Cluster, KeptAccount, KeptTransfer
from farthing.books.cluster_writing import MARK
from farthing.books.intents import left_open
from farthing.core.audit_faults import Broken, Fault, broken
from farthing.core.audit_leaf import account_broken, transfer_broken
from farthing.core.audit_rows import Ahead, StoredAccount
from farthing.store import audit_rows as rows
from farthing.store.database import Database, Tx

_ONLY_THERE = "the cluster has it, and the books have not"
_ONLY_HERE = "the cluster does not have it"
_ELSEWHERE = "the cluster has another one in its place"


async def cluster_fault(database: Database, cluster: Cluster) -> Fault | None:
    """Compare, and give the first difference.

    Raises: Unavailable when one of them cannot be reached.
    """
    try:
        newer = await database.read(lambda tx: _compare(tx, cluster))
        await database.read(lambda tx: _check_known(tx, newer))
    except Broken as difference:
        return difference.fault
    return None


class Newer:
    """What the cluster has beyond a snapshot of the books."""

    def __init__(self) -> None:
        self.accounts: list[KeptAccount] = []
        self.transfers: list[KeptTransfer] = []

    def touch(self) -> set[int]:
        """Give the accounts whose counters are newer."""
        moved = [kept.transfer for kept in self.transfers]
        return {side for t in moved for side in (t.debit_account_id, t.credit_account_id)}


def _compare(tx: Tx, cluster: Cluster) -> Newer:
    newer = Newer()
    # Accounts first: what moves their counters afterwards is among the transfers read then.
    accounts = [kept for kept in cluster.every_account() if kept.account.id != MARK]
    _compare_transfers(tx, cluster, newer)
    _compare_accounts(tx, accounts, newer)
    return newer


def _compare_transfers(tx: Tx, cluster: Cluster, newer: Newer) -> None:
    stored = Ahead(rows.transfers(tx))
    for kept in cluster.every_transfer():
        row = stored.next
        if row is None:
            newer.transfers.append(kept)
            continue
        if not row.cluster_ns:  # Of before the books were moved to the cluster.
            if kept.transfer.id != row.transfer.id:
                raise transfer_broken(row, _ELSEWHERE)
        elif kept.cluster_ns < row.cluster_ns:
            raise broken("transfer", _ONLY_THERE, ident=kept.transfer.id)
        elif kept.cluster_ns > row.cluster_ns:
            raise transfer_broken(row, _ONLY_HERE)
        wrong = _difference(row.transfer, kept.transfer, ())
        if wrong:
            raise transfer_broken(row, wrong)
        stored.take()
    if stored.next is not None:
        raise transfer_broken(stored.next, _ONLY_HERE)


def _compare_accounts(tx: Tx, accounts: Sequence[KeptAccount], newer: Newer) -> None:
    moving = newer.touch()
    stored = Ahead(rows.accounts_by_leaf(tx))
    for kept in accounts:
        row = stored.next
        if row is None:
            newer.accounts.append(kept)
            continue
        if not row.cluster_ns:
            if kept.account.id != row.account.id:
                raise account_broken(row, _ELSEWHERE)
        elif kept.cluster_ns < row.cluster_ns:
            raise broken("account", _ONLY_THERE, ident=kept.account.id)
        elif kept.cluster_ns > row.cluster_ns:
            raise account_broken(row, _ONLY_HERE)
        wrong = _account_difference(row, kept, moves=kept.account.id in moving)
        if wrong:
            raise account_broken(row, wrong)
        stored.take()
    if stored.next is not None:
        raise account_broken(stored.next, _ONLY_HERE)


def _account_difference(row: StoredAccount, kept: KeptAccount, *, moves: bool) -> str:
    if not moves:
        return _difference(row.account, kept.account, ("newest",))
    fixed = ("id", "ledger", "code", "user_data", "timestamp")
    return _difference(row.account, kept.account, set(row.account.__struct_fields__) - set(fixed))


def _difference(
    ours: msgspec.Struct, theirs: msgspec.Struct, leave_out: "Sequence[str] | set[str]"
):
    for name in ours.__struct_fields__:
        here, there = getattr(ours, name), getattr(theirs, name)
        if name not in leave_out and here != there:
            return f"its {name.replace('_', ' ')} is {here}, and {there} in the cluster"
    return ""


def _check_known(tx: Tx, newer: Newer) -> None:
    intent = left_open(tx)
    transfers = set(rows.transfers_by_id(tx, [kept.transfer.id for kept in newer.transfers]))
    accounts = {kept.account.id for kept in newer.accounts}
    if accounts:
        accounts -= {row.account.id for row in rows.accounts_by_id(tx)}
    if intent is not None:
        transfers.update(transfer.id for transfer in intent.transfers)
        accounts -= {account.id for account in intent.accounts}
    for kept in newer.transfers:
        if kept.transfer.id not in transfers:
            raise broken("transfer", _ONLY_THERE, ident=kept.transfer.id)
    for ident in accounts:
        raise broken("account", _ONLY_THERE, ident=ident)
