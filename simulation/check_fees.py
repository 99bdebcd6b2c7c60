"""Fees: each captured amount gives its share, rounded once, and a refund gives it back in part.

Written from docs/reference/fees.md, for itself.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
_MILLION = 1_000_000


def fees_of(row: sqlite3.Row) -> list[dict[str, Any]]:
    """Give what a payment says of its fees."""
    return json.loads(row["fees"]) if row["fees"] else []


def fee_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare every payment's fee with what its captured amount owes."""
    told = next((line for line in history if line["what"] == "fee"), None)
    payments = {row["id"]: row for row in rows.execute("SELECT * FROM told_payments")}
    groups = [json.loads(row["deposits"]) for row in rows.execute("SELECT * FROM sessions")]
    in_sessions = {name for group in groups for name in group}
    groups += [[name] for name in payments if name not in in_sessions]
    for group in groups:
        yield from _group_faults([payments[name] for name in group], told)


def _group_faults(group: Sequence[sqlite3.Row], told: Line | None) -> Iterator[str]:
    """Look at what is captured as one: a payment, or all deposits of a session in their order."""
    so_far = given = 0
    for row in group:
        so_far += row["captured"]
        owed = so_far * told["ppm"] // _MILLION if told is not None else 0
        fees = fees_of(row)
        found = sum(fee["units"] for fee in fees)
        if found != owed - given:
            yield f"payment {row['id']} gave a fee of {found}, and {owed - given} is right"
        given += found
        yield from _back_faults(row, fees)


def _back_faults(row: sqlite3.Row, fees: Sequence[dict[str, Any]]) -> Iterator[str]:
    for fee in fees:
        right = fee["units"] * row["refunded"] // row["captured"] if row["captured"] else 0
        if fee["returned"] != right:
            yield f"payment {row['id']} had a fee of {fee['returned']} back, and {right} is right"
