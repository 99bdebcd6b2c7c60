"""Reads the whole history back, and checks every link of it against what is stored."""

import hashlib

from farthing.books.rows import read_account, read_heads, read_transfer
from farthing.core.chain import GENESIS, Head, head_fault, leaf_digest, merkle_levels, root_of
from farthing.core.kept_statements import stated
from farthing.core.ledger import Account, canonical_account, canonical_row
from farthing.core.replay import Replay

ACCOUNT = (
    "id, ledger, code, flags, user_data, timestamp, debits_pending, debits_posted,"
    " credits_pending, credits_posted"
)
ACCOUNTS = "accounts JOIN balances USING (timestamp)"
TRANSFER = (
    "id, debit_account_id, credit_account_id, amount, ledger, code, flags, pending_id,"
    " user_data, timeout, timestamp"
)


def check_history(tx) -> int:
    """Fail on anything that does not follow; give the number of heads."""
    accounts = [
        (read_account(row), row[10])
        for row in tx.rows(f"SELECT {ACCOUNT}, leaf FROM {ACCOUNTS} ORDER BY timestamp")
    ]
    transfers = [
        (read_transfer(row), *row[11:])
        for row in tx.rows(
            f"SELECT {TRANSFER}, leaf, number, debit_previous, credit_previous"
            " FROM transfers ORDER BY number"
        )
    ]
    times = dict(tx.rows("SELECT timestamp, cluster_ns FROM cluster_times"))
    leaves = tx.rows(
        "SELECT number, commit_number, statement, rows_digest, digest, subject FROM leaves"
        " ORDER BY number"
    )
    heads = read_heads(tx, "ORDER BY number", ())
    _check_rows(leaves, accounts, transfers, times)
    _check_heads(heads, leaves)
    _check_threads(accounts, transfers, tx)
    _check_balances(accounts, transfers)
    return len(heads)


def _check_rows(leaves, accounts, transfers, times):
    def timed(row, written):
        cluster_ns = times.get(row.timestamp, 0)
        return written + cluster_ns.to_bytes(8, "big") if cluster_ns else written

    made = {}
    for account, leaf in accounts:
        made.setdefault(leaf, []).append(timed(account, canonical_account(account)))
    for transfer, leaf, *_ in transfers:
        made.setdefault(leaf, []).append(timed(transfer, canonical_row(transfer)))
    assert made.keys() <= {leaf[0] for leaf in leaves}
    for number, _, kept, rows_digest, digest, subject in leaves:
        assert rows_digest == hashlib.sha256(b"".join(made.get(number, []))).digest()
        assert digest == leaf_digest(stated(subject, kept), rows_digest)


def _check_heads(heads: list[tuple[Head, int]], leaves):
    assert [leaf[0] for leaf in leaves] == list(range(1, len(leaves) + 1))
    previous, next_leaf, last_ns = GENESIS, 1, 0
    for number, (head, first_leaf) in enumerate(heads, 1):
        assert (head.number, head.previous, first_leaf) == (number, previous, next_leaf)
        assert head_fault(head) is None
        own = leaves[first_leaf - 1 : first_leaf - 1 + head.leaves]
        assert [leaf[1] for leaf in own] == [number] * head.leaves
        top = merkle_levels([leaf[4] for leaf in own])[-1][0]
        assert root_of(top, head.leaves) == head.root
        assert head.time_ns >= last_ns
        previous, next_leaf, last_ns = head.digest, first_leaf + head.leaves, head.time_ns
    assert next_leaf == len(leaves) + 1


def _check_threads(accounts, transfers, tx):
    newest = {account.id: 0 for account, _ in accounts}
    for number, (transfer, _, stored, debit_previous, credit_previous) in enumerate(transfers, 1):
        assert stored == number
        debit, credit = transfer.debit_account_id, transfer.credit_account_id
        assert (debit_previous, credit_previous) == (newest[debit], newest[credit])
        newest[debit] = newest[credit] = number
    stored = tx.rows(f"SELECT id, newest FROM {ACCOUNTS}")
    kept = {int.from_bytes(i, "big"): n for i, n in stored}
    assert kept == newest


def _check_balances(accounts, transfers):
    replay = Replay()
    rows = [account for account, _ in accounts] + [item[0] for item in transfers]
    for row in sorted(rows, key=lambda row: row.timestamp):
        replay.account(row) if isinstance(row, Account) else replay.transfer(row)
    replay.finish()
    replay.check_balances([account for account, _ in accounts])
