"""Looks at the history and at the books, and says what is wrong.

It shares no code with the hub: rows are read by `sqlite3`, and what they have to say is computed
here once more from what clients asked and heard.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simulation.check_asks import ask_faults
from simulation.check_fees import fee_faults
from simulation.check_history import history_faults
from simulation.check_ledger import ledger_faults
from simulation.check_owners import owner_faults
from simulation.check_payments import payment_faults
from simulation.check_risk import risk_faults
from simulation.check_sessions import session_faults
from simulation.check_shop import shop_faults

Line = dict[str, Any]
_TOLD_PAYMENTS = """
    CREATE TEMP VIEW told_payments AS SELECT
      (SELECT name FROM names WHERE number = payer) AS payer,
      (SELECT name FROM names WHERE number = payee) AS payee,
      (SELECT name FROM names WHERE number = device) AS device, payments.* FROM payments
"""
"""Payments with the names of whom their rows have the numbers; the first of two columns counts."""


def check(history: Sequence[Line], books: Path) -> list[str]:
    """List what is wrong; nothing is right."""
    with sqlite3.connect(books) as rows:
        rows.row_factory = sqlite3.Row
        rows.execute(_TOLD_PAYMENTS)
        return list(_faults(history, rows))


def _faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    [(whole,)] = rows.execute("PRAGMA integrity_check").fetchall()
    if whole != "ok":
        yield f"SQLite says of the file: {whole}"
    yield from ledger_faults(rows)
    yield from payment_faults(history, rows)
    yield from session_faults(history, rows)
    yield from owner_faults(history, rows)
    yield from ask_faults(history, rows)
    yield from fee_faults(history, rows)
    yield from risk_faults(history, rows)
    yield from shop_faults(history, rows)
    yield from history_faults(history, rows)
