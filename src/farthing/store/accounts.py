"""Reading accounts' counters and history without the books."""

from typing import Any

from farthing.core.ledger import Account
from farthing.core.ledger_rows import user_data_of
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


def account_thread(tx: Tx, ident: int, before: int, limit: int) -> list[dict[str, Any]]:
    """Follow an account's transfers backwards from the newest, or from before a number."""
    raw = ident.to_bytes(16, "big")
    rows = tx.rows(
        "SELECT newest FROM accounts JOIN balances USING (timestamp) WHERE id = ?", (raw,)
    )
    number = rows[0][0] if rows else 0
    found: list[dict[str, Any]] = []
    while number and len(found) < limit:
        [row] = tx.rows(
            "SELECT number, id, debit_account_id, credit_account_id, amount, code, flags,"
            " timestamp, debit_previous, credit_previous, user_data FROM transfers"
            " WHERE number = ?",
            (number,),
        )
        debit = row[2] == raw
        if not before or number < before:
            found.append(
                {
                    "number": row[0],
                    "out": debit,
                    "other": int.from_bytes(row[3] if debit else row[2], "big"),
                    "units": row[4],
                    "code": row[5],
                    "flags": row[6],
                    "time_ns": row[7],
                    "subject": user_data_of(int.from_bytes(row[1], "big"), row[10]),
                }
            )
        number = row[8] if debit else row[9]
    return found
