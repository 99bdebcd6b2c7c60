"""What an audit reads: whole tables in order, page by page, inside one snapshot.

Nothing about a row is taken for granted: a value of the wrong kind, which SQLite would store in
any column, is a broken row and not a surprise.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from farthing.core.audit_faults import broken
from farthing.core.audit_rows import StoredAccount, StoredCommit, StoredLeaf, StoredTransfer
from farthing.core.chain import Head
from farthing.core.kept_statements import stated
from farthing.core.ledger import Account, PendingState, Transfer
from farthing.core.ledger_rows import user_data_of
from farthing.core.records import Row, Table
from farthing.store.database import Tx
from farthing.store.mapping import mapping

PAGE = 2000
_ID_BYTES = 16

_COMMIT = (int, str, bytes, bytes, int, int, bytes, str, bytes, int, int, int)
_LEAF = (int, int, bytes, bytes, bytes, bytes)
_ACCOUNT = (bytes, int, int, int, bytes, int, int, int, int, int, int, int)
_TRANSFER = (int, bytes, bytes, bytes, int, int, int, int, bytes, bytes, int, int, int, int, int)
_PENDING = (bytes, int, int)


def _pages(tx: Tx, columns: str, table: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Give a table's rows in the order of its first column, a page at a time."""
    start = f"SELECT {columns} FROM {table}"  # noqa: S608 - our own names
    page = tx.rows(f"{start} ORDER BY {key} LIMIT {PAGE}")
    while page:
        yield from page
        page = tx.rows(f"{start} WHERE {key} > ? ORDER BY {key} LIMIT {PAGE}", (page[-1][0],))


def _checked(row: Sequence[Any], kinds: tuple[type, ...], table: str, name: Any) -> None:
    if tuple(map(type, row)) != kinds:
        raise broken(table, "a column holds a value of the wrong kind", name=str(name))


def _number(raw: bytes, table: str, name: Any) -> int:
    if len(raw) != _ID_BYTES:
        raise broken(table, f"an id in it has {len(raw)} bytes, not 16", name=str(name))
    return int.from_bytes(raw, "big")


def commits(tx: Tx) -> Iterator[StoredCommit]:
    """Give every commit in order."""
    columns = (
        "number, chain, previous, root, leaves, time_ns, digest, signing_key, signature,"
        " first_leaf, last_transfer, last_ns"
    )
    for row in _pages(tx, columns, "commits", "number"):
        _checked(row, _COMMIT, "commit", row[0])
        yield StoredCommit(Head(*row[:9]), *row[9:])


def leaves(tx: Tx) -> Iterator[StoredLeaf]:
    """Give every leaf in order."""
    columns = "number, commit_number, subject, statement, rows_digest, digest"
    for row in _pages(tx, columns, "leaves", "number"):
        _checked(row, _LEAF, "leaf", row[0])
        subject = _number(row[2], "leaf", row[0])
        try:
            statement = stated(row[2], row[3])
        except ValueError:
            raise broken("leaf", "its statement cannot be read", number=row[0]) from None
        yield StoredLeaf(row[0], row[1], subject, statement, *row[4:])


def transfers(tx: Tx) -> Iterator[StoredTransfer]:
    """Give every transfer in order."""
    columns = (
        "number, id, debit_account_id, credit_account_id, amount, ledger, code, flags,"
        " pending_id, user_data, timeout, timestamp, leaf, debit_previous, credit_previous"
    )
    table, kinds = "transfers", _TRANSFER
    if has_cluster_times(tx):
        columns, table, kinds = columns + _TIME, table + _TIMES, (*kinds, int)
    for row in _pages(tx, columns, table, "number"):
        _checked(row, kinds, "transfer", row[0])
        transfer = _transfer(row[1:12], row[0])
        yield StoredTransfer(row[0], transfer, *row[12:])


def _transfer(row: Sequence[Any], name: Any) -> Transfer:
    ident, debit, credit = (_number(row[i], "transfer", name) for i in (0, 1, 2))
    pending = _number(row[7], "transfer", name) if row[7] else 0
    user = _number(row[8], "transfer", name) if row[8] else user_data_of(ident, b"")
    amount, ledger, code, flags = row[3:7]
    return Transfer(
        ident, debit, credit, amount, ledger, code, flags, pending, user, row[9], row[10]
    )


_ACCOUNT_COLUMNS = (
    "id, ledger, code, flags, user_data, timestamp, debits_pending, debits_posted,"
    " credits_pending, credits_posted, leaf, newest"
)
_ACCOUNTS = "accounts LEFT JOIN balances USING (timestamp)"
_TIME = ", COALESCE(cluster_ns, 0)"
_TIMES = " LEFT JOIN cluster_times USING (timestamp)"


def has_cluster_times(tx: Tx) -> bool:
    """Tell whether a cluster keeps the money of these books, so that rows have times of it."""
    return bool(tx.rows("SELECT 1 FROM cluster_times LIMIT 1"))


def _of_accounts(tx: Tx) -> tuple[str, str]:
    if has_cluster_times(tx):
        return _ACCOUNT_COLUMNS + _TIME, _ACCOUNTS + _TIMES
    return _ACCOUNT_COLUMNS, _ACCOUNTS


def accounts_by_leaf(tx: Tx) -> Iterator[StoredAccount]:
    """Give every account in the order they were opened."""
    columns, table = _of_accounts(tx)
    start = f"SELECT {columns} FROM {table}"  # noqa: S608 - our own names
    order = f"ORDER BY leaf, timestamp, id LIMIT {PAGE}"
    page = tx.rows(f"{start} {order}")
    while page:
        yield from map(_account, page)
        last = page[-1]
        after = f"{start} WHERE (leaf, timestamp, id) > (?, ?, ?) {order}"
        page = tx.rows(after, (last[10], last[5], last[0]))


def accounts_by_id(tx: Tx) -> Iterator[StoredAccount]:
    """Give every account in the order of their ids."""
    yield from map(_account, _pages(tx, *_of_accounts(tx), "id"))


def _account(row: Sequence[Any]) -> StoredAccount:
    name = row[0].hex() if isinstance(row[0], bytes) else row[0]
    if None in row and isinstance(row[0], bytes):
        ident = int.from_bytes(row[0], "big")
        raise broken("account", "its balances are not stored", ident=ident)
    _checked(row, _ACCOUNT if len(row) == len(_ACCOUNT) else (*_ACCOUNT, int), "account", name)
    ident, user = (_number(row[i], "account", name) for i in (0, 4))
    account = Account(ident, row[1], row[2], row[3], user, *row[5:10])
    return StoredAccount(account, *row[10:])


def odd_balances(tx: Tx) -> int | None:
    """Find balances of an account that is not there, by the timestamp they stand under."""
    found = tx.rows(
        "SELECT timestamp FROM balances WHERE timestamp NOT IN (SELECT timestamp FROM accounts)"
        " ORDER BY timestamp LIMIT 1"
    )
    return found[0][0] if found else None


def odd_cluster_time(tx: Tx) -> int | None:
    """Find a cluster's time of a row that is not there, by the timestamp it stands under."""
    if not has_cluster_times(tx):
        return None
    found = tx.rows(
        "SELECT timestamp FROM cluster_times WHERE timestamp NOT IN (SELECT timestamp FROM accounts"
        " UNION ALL SELECT timestamp FROM transfers) ORDER BY timestamp LIMIT 1"
    )
    return found[0][0] if found else None


class StoredPending(NamedTuple):
    """What the books keep of a pending transfer."""

    ident: int
    state: int
    expires_ns: int


def pendings(tx: Tx, idents: Sequence[int]) -> dict[int, StoredPending]:
    """Get what is kept of these pending transfers."""
    found: dict[int, StoredPending] = {}
    for row in _by_ids(tx, "SELECT id, state, expires_ns FROM pendings", idents):
        _checked(row, _PENDING, "pending transfer", row[0])
        ident = _number(row[0], "pending transfer", row[0])
        if row[1] not in set(PendingState):
            raise broken("pending transfer", f"there is no state {row[1]}", ident=ident)
        found[ident] = StoredPending(ident, row[1], row[2])
    return found


def pending_ids(tx: Tx) -> Iterator[int]:
    """Give the id of every pending transfer."""
    for row in _pages(tx, "id", "pendings", "id"):
        yield _number(row[0], "pending transfer", row[0])


def transfers_by_id(tx: Tx, idents: Sequence[int]) -> dict[int, Transfer]:
    """Get the transfers that exist under these ids."""
    sql = (
        "SELECT id, debit_account_id, credit_account_id, amount, ledger, code, flags,"
        " pending_id, user_data, timeout, timestamp FROM transfers"
    )
    found: dict[int, Transfer] = {}
    for row in _by_ids(tx, sql, idents):
        transfer = _transfer(row, row[0])
        found[transfer.id] = transfer
    return found


def failed_ids(tx: Tx, idents: Sequence[int]) -> set[int]:
    """Tell which of these ids a failure has used up."""
    rows = _by_ids(tx, "SELECT id FROM failed_transfers", idents)
    return {int.from_bytes(row[0], "big") for row in rows}


def failed_but_made(tx: Tx) -> int | None:
    """Find an id that a failure has used up and a transfer has all the same."""
    rows = tx.rows(
        "SELECT f.id FROM failed_transfers f JOIN transfers t ON t.id = f.id ORDER BY f.id LIMIT 1"
    )
    return int.from_bytes(rows[0][0], "big") if rows else None


def odd_failed_id(tx: Tx) -> bytes | None:
    """Find a used-up id that is no id."""
    rows = tx.rows("SELECT id FROM failed_transfers WHERE LENGTH(id) <> 16 ORDER BY id LIMIT 1")
    return rows[0][0] if rows else None


def records(tx: Tx, table: Table[Row], word: str) -> Iterator[Row]:
    """Give every record of a table in the order of its keys.

    Raises: Broken for one that is not spelled as the hub writes it.
    """
    mapped = mapping(table)
    for values in _pages(tx, ", ".join(mapped.columns), table.name, table.key):
        try:
            yield mapped.strict_row(values)
        except ValueError as fault:
            name = values[0].hex() if isinstance(values[0], bytes) else str(values[0])
            raise broken(word, str(fault), name=name) from None


def count(tx: Tx, table: str) -> int:
    """Count a table's rows."""
    return tx.rows(f"SELECT COUNT(*) FROM {table}")[0][0]  # noqa: S608 - our own names


def last_leaf(tx: Tx) -> int:
    """Tell how many leaves there are to walk over."""
    return tx.rows("SELECT COALESCE(MAX(number), 0) FROM leaves")[0][0]


def subjects(tx: Tx, leaves: Sequence[int]) -> dict[int, int]:
    """Get what these leaves are about."""
    found = tx.rows_each("SELECT number, subject FROM leaves WHERE number = ?", leaves)
    return {row[0]: int.from_bytes(row[1], "big") for row in found}


def statement(tx: Tx, leaf: int) -> bytes | None:
    """Get what a leaf states."""
    found = tx.rows("SELECT subject, statement FROM leaves WHERE number = ?", (leaf,))
    return stated(*found[0]) if found else None


def head_digests(tx: Tx, numbers: Sequence[int]) -> dict[int, bytes]:
    """Get the digests of the commits with these numbers."""
    rows = tx.rows_each("SELECT number, digest FROM commits WHERE number = ?", numbers)
    return {row[0]: row[1] for row in rows}


def head_seals(tx: Tx, numbers: Sequence[int]) -> dict[int, tuple[str, bytes]]:
    """Get the keys and signatures of the commits with these numbers."""
    sql = "SELECT number, signing_key, signature FROM commits WHERE number = ?"
    return {row[0]: (row[1], row[2]) for row in tx.rows_each(sql, numbers)}


def _by_ids(tx: Tx, sql: str, idents: Sequence[int]) -> list[tuple[Any, ...]]:
    return tx.rows_each(
        f"{sql} WHERE id = ?", [ident.to_bytes(_ID_BYTES, "big") for ident in idents]
    )
