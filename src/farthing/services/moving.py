"""Moving the books from one engine to another: every row as it is, and the balances on both sides.

Nothing of the history is made anew: the same rows, leaves and signed heads stand in the new place,
so that receipts, and heads noted elsewhere, stay good.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from farthing.books import cluster_rows
from farthing.books.cluster import Cluster
from farthing.books.cluster_writing import MARK, mark_of
from farthing.codec import to_base64url
from farthing.core.ledger import Account, Transfer
from farthing.core.ledger_checks import CLOSED, LINKED
from farthing.errors import BadConfig, Conflict
from farthing.store import audit_rows as rows
from farthing.store.database import Database, Tx

OnMoved = Callable[[int, int], None]
"""Told how many rows were moved, of how many."""

Moved = TypeVar("Moved", Account, Transfer)

_ROWS = 2000
_POSTED = 8000
_LEFT_OUT = ("migrations",)
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table'"
    " AND name NOT LIKE 'sqlite_%' ORDER BY name",
    "postgresql": "SELECT table_name::text FROM information_schema.tables"
    " WHERE table_schema = current_schema() ORDER BY 1",
}
_COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(?)",
    "postgresql": "SELECT column_name::text FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = ?",
}


class Balance(NamedTuple):
    """What all accounts of a ledger hold together. Units: smallest units."""

    ledger: int
    accounts: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


class Sheet(NamedTuple):
    """The balances of every ledger, the number of transfers, and the newest head.

    Shape: `head` is empty where there is none to be had, as in a cluster.
    """

    balances: Sequence[Balance]
    transfers: int
    head: str = ""


def sheet_of(tx: Tx) -> Sheet:
    """Add the books up."""
    found = tx.rows(
        "SELECT ledger, COUNT(*), SUM(debits_pending), SUM(debits_posted), SUM(credits_pending),"
        " SUM(credits_posted) FROM accounts JOIN balances USING (timestamp)"
        " GROUP BY ledger ORDER BY ledger"
    )
    balances = [Balance(*map(int, row)) for row in found]
    heads = tx.rows("SELECT digest FROM commits ORDER BY number DESC LIMIT 1")
    head = to_base64url(heads[0][0]) if heads else ""
    return Sheet(balances, rows.count(tx, "transfers"), head)


def sheet_of_cluster(cluster: Cluster) -> Sheet:
    """Add a cluster up."""
    sums: dict[int, list[int]] = {}
    for kept in cluster.every_account():
        a = kept.account
        if a.id != MARK:
            counted = (1, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted)
            before = sums.get(a.ledger, [0] * len(counted))
            sums[a.ledger] = [one + other for one, other in zip(before, counted, strict=True)]
    balances = [Balance(ledger, *found) for ledger, found in sorted(sums.items())]
    return Sheet(balances, sum(1 for _ in cluster.every_transfer()))


def check_same(before: Sheet, after: Sheet) -> None:
    """Compare both sides.

    Raises: Conflict `moved-differently`.
    """
    same = before.balances == after.balances and before.transfers == after.transfers
    if not same or (after.head and after.head != before.head):
        raise Conflict("moved-differently", f"before {before}, and after {after}")


def copy_tables(source: Database, target: Database, on_moved: OnMoved) -> None:
    """Copy every row of books that nobody writes to an empty database with the same schema.

    Raises: BadConfig `target-not-empty`.
    """
    target.transact(lambda tx: _copy(source, tx, on_moved))


def _copy(source: Database, tx: Tx, on_moved: OnMoved) -> None:
    tables = source.stream(_TABLES[source.dialect])
    names = [name for (name,) in tables if name not in _LEFT_OUT]
    for name in names:
        if tx.rows(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608 - our own names
            raise BadConfig("target-not-empty", f"there is something in {name} already")
    total = sum(_only(source, f"SELECT COUNT(*) FROM {name}") for name in names)  # noqa: S608
    moved = 0
    for name in names:
        columns = [column for (column,) in source.stream(_COLUMNS[source.dialect], (name,))]
        listed, marks = ", ".join(columns), ", ".join("?" * len(columns))
        insert = f"INSERT INTO {name} ({listed}) VALUES ({marks})"  # noqa: S608 - our own names
        for piece in _in_pieces(source.stream(f"SELECT {listed} FROM {name}")):  # noqa: S608
            tx.run_many(insert, piece)
            moved += len(piece)
            on_moved(moved, total)


def _only(source: Database, sql: str) -> int:
    return next(iter(source.stream(sql)))[0]


def _in_pieces(found: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    piece: list[tuple[Any, ...]] = []
    for row in found:
        piece.append(row)
        if len(piece) == _ROWS:
            yield piece
            piece = []
    if piece:
        yield piece


def post_all(books: Database, cluster: Cluster, new_name: int, on_moved: OnMoved) -> None:
    """Post every account and transfer of books to a cluster, in their order.

    Shape:  what a move that was broken off has posted before is left as it is.
    Raises: BadConfig `target-not-empty` when the cluster has something else; ClusterDiffers.
    """
    name = books.transact(cluster_rows.name_of_books)
    mark = cluster.accounts([MARK]).get(MARK)
    if mark is not None and mark.account.user_data != name:
        raise BadConfig("target-not-empty", "the cluster keeps the books of another hub")
    if mark is None and next(cluster.every_account(), None) is not None:
        raise BadConfig("target-not-empty", "there are accounts in the cluster already")
    if name is None:
        name = books.transact(lambda tx: cluster_rows.name_books(tx, new_name))
    cluster.open_accounts([mark_of(name)])
    books.transact(lambda tx: _post(tx, cluster, on_moved))


def _post(tx: Tx, cluster: Cluster, on_moved: OnMoved) -> None:
    total, moved = rows.count(tx, "accounts") + rows.count(tx, "transfers"), 0
    accounts = (_as_opened(row.account) for row in rows.accounts_by_leaf(tx))
    for piece in _whole_chains(accounts):
        cluster.open_accounts(piece)
        moved += len(piece)
        on_moved(moved, total)
    for piece in _whole_chains(row.transfer for row in rows.transfers(tx)):
        cluster.post(piece)
        moved += len(piece)
        on_moved(moved, total)


def _as_opened(account: Account) -> Account:
    """Give an account without what has moved since: closing it is a transfer of its own."""
    flags = account.flags & ~CLOSED
    return Account(
        account.id, account.ledger, account.code, flags, account.user_data, account.timestamp
    )


def _whole_chains(found: Iterator[Moved]) -> Iterator[list[Moved]]:
    piece: list[Moved] = []
    for row in found:
        piece.append(row)
        if len(piece) >= _POSTED and not row.flags & LINKED:
            yield piece
            piece = []
    if piece:
        yield piece
