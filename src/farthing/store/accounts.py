"""Reading accounts' counters and history without the books."""

from typing import NamedTuple

from farthing.core.ledger import Account
from farthing.core.ledger_rows import user_data_of
from farthing.core.ledger_types import TransferFlags
from farthing.core.statements import Posting
from farthing.store.database import Tx


def account_counters(tx: Tx, ident: int) -> Account | None:
    """Read an account's counters as of the last commit."""
    rows = tx.rows(
        "SELECT ledger, code, flags, timestamp, debits_pending, debits_posted, credits_pending,"
        " credits_posted FROM accounts JOIN balances USING (timestamp) WHERE id = ?",
        (ident.to_bytes(16, "big"),),
    )
    if not rows:
        return None
    ledger, code, flags, timestamp, *counters = rows[0]
    return Account(ident, ledger, code, flags, 0, timestamp, *counters)


class Slice(NamedTuple):
    """Some of an account's postings, newest first. Shape: `older` is where to go on, or 0."""

    postings: list[Posting]
    older: int


def newest_transfer(tx: Tx, ident: int) -> int:
    """Give the number of an account's newest transfer; 0 where it has none."""
    sql = "SELECT newest FROM accounts JOIN balances USING (timestamp) WHERE id = ?"
    rows = tx.rows(sql, (ident.to_bytes(16, "big"),))
    return rows[0][0] if rows else 0


def postings(tx: Tx, ident: int, number: int, limit: int) -> Slice:
    """Follow an account's transfers back, from this one on, and give what was posted.

    Shape: at most `limit` transfers are looked at; what was held, released or ran out is left out.
    """
    raw = ident.to_bytes(16, "big")
    rows = tx.rows(_THREAD, (number, raw, limit - 1))
    found = [
        Posting(
            -amount if bytes(debit) == raw else amount,
            code,
            user_data_of(int.from_bytes(transfer, "big"), subject),
            time_ns,
        )
        for transfer, debit, amount, code, flags, time_ns, subject, _, _ in rows
        if not flags & _POSTS_NOTHING
    ]
    if not rows or len(rows) < limit:
        return Slice(found, 0)
    _, debit, *_, debit_previous, credit_previous = rows[-1]
    return Slice(found, debit_previous if bytes(debit) == raw else credit_previous)


_POSTS_NOTHING = TransferFlags.PENDING | TransferFlags.VOID_PENDING | TransferFlags.EXPIRED
_COLUMNS = (
    "id, debit_account_id, amount, code, flags, timestamp, user_data, debit_previous,"
    " credit_previous"
)
_WHOLE = ", ".join(f"transfers.{column}" for column in _COLUMNS.split(", "))
_THREAD = (
    f"WITH RECURSIVE thread AS (SELECT {_WHOLE}, 0 AS step FROM transfers WHERE number = ?"  # noqa: S608 - our words
    f" UNION ALL SELECT {_WHOLE}, step + 1 FROM thread JOIN transfers ON transfers.number ="
    " CASE WHEN thread.debit_account_id = ? THEN thread.debit_previous"
    " ELSE thread.credit_previous END WHERE step < ?)"
    f" SELECT {_COLUMNS} FROM thread ORDER BY step"
)
