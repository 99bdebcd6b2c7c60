"""The ledger's rows in SQL: how accounts, transfers, leaves and heads are read and written."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from farthing import ids
from farthing.books.base import Tx
from farthing.clock import NS
from farthing.core.chain import Head
from farthing.core.kept_statements import kept_form
from farthing.core.ledger import Account, PendingState, Transfer
from farthing.core.ledger_rows import user_data_of

_ACCOUNT = (
    "id, ledger, code, flags, user_data, timestamp, debits_pending, debits_posted,"
    " credits_pending, credits_posted"
)
_ACCOUNTS = "accounts JOIN balances USING (timestamp)"
_TRANSFER = (
    "id, debit_account_id, credit_account_id, amount, ledger, code, flags, pending_id,"
    " user_data, timeout, timestamp"
)


_NEVER_NS = 2**62

_timestamp = attrgetter("timestamp")


def raw(ident: int) -> bytes:
    """Write a 128-bit id as the 16 bytes kept in the database."""
    return ident.to_bytes(16, "big")


def _id(value: bytes) -> int:
    return int.from_bytes(value, "big")


def fetch_accounts(tx: Tx, idents: Sequence[int]) -> dict[int, Account]:
    """Get the accounts that exist under these ids, each with the end of its thread."""
    found: dict[int, Account] = {}
    sql = f"SELECT {_ACCOUNT}, newest FROM {_ACCOUNTS} WHERE id = ?"  # noqa: S608 - our own columns
    for row in tx.rows_each(sql, [raw(ident) for ident in idents]):
        account = read_account(row)
        account.newest = row[10]
        found[account.id] = account
    return found


def read_account(row: Sequence[Any]) -> Account:
    """Make an account of its columns."""
    return Account(_id(row[0]), row[1], row[2], row[3], _id(row[4]), *row[5:10])


def read_transfer(row: Sequence[Any]) -> Transfer:
    """Make a transfer of its columns."""
    ident = _id(row[0])
    return Transfer(
        ident, _id(row[1]), _id(row[2]), row[3], row[4], row[5], row[6],
        _id(row[7]), user_data_of(ident, row[8]), row[9], row[10],
    )  # fmt: skip


def fetch_transfers(tx: Tx, idents: Sequence[int]) -> dict[int, Transfer]:
    """Get the transfers that exist under these ids."""
    sql = f"SELECT {_TRANSFER} FROM transfers WHERE id = ?"  # noqa: S608 - our own columns
    found = map(read_transfer, tx.rows_each(sql, [raw(ident) for ident in idents]))
    return {transfer.id: transfer for transfer in found}


def fetch_pendings(tx: Tx, idents: Sequence[int]) -> dict[int, PendingState]:
    """Tell what became of these pending transfers."""
    sql = "SELECT id, state FROM pendings WHERE id = ?"
    found = tx.rows_each(sql, [raw(ident) for ident in idents])
    return {_id(row[0]): PendingState(row[1]) for row in found}


def newest_ids(tx: Tx, table: str, limit: int) -> list[int]:
    """List the largest ids of `transfers` or `failed_transfers`, which are the newest."""
    sql = f"SELECT id FROM {table} ORDER BY id DESC LIMIT ?"  # noqa: S608 - our own names
    return [_id(row[0]) for row in tx.rows(sql, (limit,))]


def newest_names(tx: Tx, table: str, key: str, limit: int) -> list[int]:
    """List the largest numbers of payments that stand under `key` in a table, the newest."""
    sql = f"SELECT {key} FROM {table} WHERE {key} >= ? AND {key} < ? ORDER BY {key} DESC LIMIT ?"  # noqa: S608
    return [ids.number("pay", row[0]) for row in tx.rows(sql, ("pay_", "pay`", limit))]


def fetch_failed(tx: Tx, idents: Sequence[int]) -> set[int]:
    """Tell which of these transfer ids were used up by a failure."""
    sql = "SELECT id FROM failed_transfers WHERE id = ?"
    return {_id(row[0]) for row in tx.rows_each(sql, [raw(ident) for ident in idents])}


def due_pendings(tx: Tx, now_ns: int, limit: int) -> list[Transfer]:
    """List pending transfers whose time is over, the oldest first."""
    due = tx.rows(
        "SELECT id FROM pendings WHERE state = 1 AND expires_ns <= ? ORDER BY expires_ns LIMIT ?",
        (now_ns, limit),
    )
    found = fetch_transfers(tx, [_id(row[0]) for row in due])
    return [found[_id(row[0])] for row in due]


def next_due_ns(tx: Tx, now_ns: int) -> int:
    """Tell when the first of the pending transfers that are not due yet will be."""
    found = tx.rows(
        "SELECT expires_ns FROM pendings WHERE state = 1 AND expires_ns > ?"
        " ORDER BY expires_ns LIMIT 1",
        (now_ns,),
    )
    return found[0][0] if found else _NEVER_NS


def expires_ns(hold: Transfer) -> int:
    """Tell when a pending transfer runs out."""
    return hold.timestamp + hold.timeout * NS if hold.timeout else _NEVER_NS


def insert_accounts(tx: Tx, opened: Iterable[tuple[Account, int]]) -> None:
    """Write new accounts, each with the number of its leaf; counters follow by update."""
    accounts = list(opened)
    tx.run_many(
        "INSERT INTO accounts (id, ledger, code, user_data, timestamp, leaf)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (raw(a.id), a.ledger, a.code, raw(a.user_data), a.timestamp, leaf)
            for a, leaf in accounts
        ],
    )
    tx.run_many(
        "INSERT INTO balances (timestamp, flags, debits_pending, debits_posted, credits_pending,"
        " credits_posted, newest) VALUES (?, ?, 0, 0, 0, 0, 0)",
        [(a.timestamp, a.flags) for a, _ in accounts],
    )


def update_accounts(tx: Tx, changed: Iterable[Account]) -> None:
    """Write the counters, flags and threads of accounts that changed.

    Shape: in the order in which their rows lie, so that each page is looked for once.
    """
    tx.run_many(
        "UPDATE balances SET flags = ?, debits_pending = ?, debits_posted = ?,"
        " credits_pending = ?, credits_posted = ?, newest = ? WHERE timestamp = ?",
        [
            (
                a.flags, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted,
                a.newest, a.timestamp,
            )
            for a in sorted(changed, key=_timestamp)
        ],
    )  # fmt: skip


def insert_transfers(tx: Tx, rows: Sequence[Sequence[Any]]) -> None:
    """Append transfers; each row is number, the transfer's columns, leaf and two threads."""
    tx.run_many(
        f"INSERT INTO transfers (number, {_TRANSFER}, leaf, debit_previous, credit_previous)"  # noqa: S608
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def transfer_row(
    number: int, t: Transfer, written: bytes, leaf: int, debit: int, credit: int
) -> Sequence[Any]:
    """Give the columns of one appended transfer; its ids stand in its canonical row already.

    Shape: `pending_id` is empty for none, `user_data` where it is what the id was derived from.
    """
    pending = written[65:81] if t.pending_id else b""
    user_data = b"" if t.user_data == ids.without_place(t.id) else written[81:97]
    return (
        number, written[1:17], written[17:33], written[33:49], t.amount, t.ledger,
        t.code, t.flags, pending, user_data, t.timeout, t.timestamp, leaf, debit, credit,
    )  # fmt: skip


def put_pendings(tx: Tx, made: dict[int, Transfer], states: dict[int, PendingState]) -> None:
    """Write new pendings with the time they expire, and what became of older ones."""
    fresh = [(raw(i), int(state), expires_ns(made[i])) for i, state in states.items() if i in made]
    tx.run_many("INSERT INTO pendings (id, state, expires_ns) VALUES (?, ?, ?)", fresh)
    later = [(int(state), raw(i)) for i, state in states.items() if i not in made]
    tx.run_many("UPDATE pendings SET state = ? WHERE id = ?", later)


def put_failed(tx: Tx, idents: Sequence[int]) -> None:
    """Remember ids that a failure has used up."""
    tx.run_many(
        "INSERT INTO failed_transfers (id) VALUES (?) ON CONFLICT (id) DO NOTHING",
        [(raw(ident),) for ident in idents],
    )


class Leaf(msgspec.Struct, frozen=True):
    """One unit's place in the history."""

    subject: int
    statement: bytes
    rows_digest: bytes
    digest: bytes


def insert_leaves(tx: Tx, first: int, commit: int, leaves: Sequence[Leaf]) -> None:
    """Append a commit's leaves."""
    tx.run_many(
        "INSERT INTO leaves (number, commit_number, subject, statement, rows_digest, digest)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                first + i, commit, raw(leaf.subject), kept_form(leaf.subject, leaf.statement),
                leaf.rows_digest, leaf.digest,
            )
            for i, leaf in enumerate(leaves)
        ],
    )  # fmt: skip


class Tip(NamedTuple):
    """Where the history ends: what the next commit builds on."""

    number: int
    digest: bytes
    next_leaf: int
    last_transfer: int
    last_ns: int


def read_tip(tx: Tx, genesis: bytes) -> Tip:
    """Read where the history ends."""
    rows = tx.rows(
        "SELECT number, digest, first_leaf + leaves, last_transfer, last_ns"
        " FROM commits ORDER BY number DESC LIMIT 1"
    )
    return Tip(*rows[0]) if rows else Tip(0, genesis, 1, 0, 0)


def has_head(tx: Tx, head: Head) -> bool:
    """Tell whether a head is in the books, at its place."""
    found = tx.rows("SELECT digest FROM commits WHERE number = ?", (head.number,))
    return [bytes(digest) for (digest,) in found] == [head.digest]


def insert_head(tx: Tx, head: Head, first_leaf: int, last_transfer: int, last_ns: int) -> None:
    """Append a commit's signed head."""
    tx.run(
        "INSERT INTO commits (number, chain, previous, root, leaves, time_ns, digest, signing_key,"
        " signature, first_leaf, last_transfer, last_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            head.number, head.chain, head.previous, head.root, head.leaves, head.time_ns,
            head.digest, head.key, head.signature, first_leaf, last_transfer, last_ns,
        ),
    )  # fmt: skip


_HEAD = "number, chain, previous, root, leaves, time_ns, digest, signing_key, signature"


def read_heads(tx: Tx, where: str, values: Sequence[Any]) -> list[tuple[Head, int]]:
    """Read heads, each with the number of its first leaf."""
    sql = f"SELECT {_HEAD}, first_leaf FROM commits {where}"  # noqa: S608 - our own clauses
    return [(Head(*row[:9]), row[9]) for row in tx.rows(sql, values)]
