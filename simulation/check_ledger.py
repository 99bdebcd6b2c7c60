"""The ledger by itself: every counter follows from the transfers, and nothing is made or lost."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator

_PENDING, _POST, _ENDS_UNPAID = 2, 4, 8 | 1 << 15
"""Flags of a transfer; what is voided or has expired moves nothing."""
_NOT_BEYOND_CREDITS, _NOT_BEYOND_DEBITS = 2, 4
_COUNTERS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")


def ledger_faults(rows: sqlite3.Connection) -> Iterator[str]:
    """Tell of counters that do not follow, and of balances that may not be."""
    counted, wrong = _recount(rows)
    yield from wrong
    sums: Counter[tuple[int, str]] = Counter()
    query = "SELECT accounts.*, balances.* FROM accounts JOIN balances USING (timestamp)"
    for row in rows.execute(query):
        name = row["id"].hex()
        for counter in _COUNTERS:
            found, right = row[counter], counted[row["id"]][counter]
            sums[row["ledger"], counter] += found
            if found != right:
                yield f"account {name}: {counter} is {found}, and its transfers make {right}"
        yield from _below_zero(name, row)
    for ledger in {ledger for ledger, _ in sums}:
        for what in ("posted", "pending"):
            given, got = sums[ledger, f"debits_{what}"], sums[ledger, f"credits_{what}"]
            if given != got:
                yield f"ledger {ledger}: {given} of {what} debits and {got} of credits"


def _below_zero(name: str, row: sqlite3.Row) -> Iterator[str]:
    given = row["debits_posted"] + row["debits_pending"]
    got = row["credits_posted"] + row["credits_pending"]
    if row["flags"] & _NOT_BEYOND_CREDITS and given > row["credits_posted"]:
        yield f"account {name}: debits of {given} beyond its credits"
    if row["flags"] & _NOT_BEYOND_DEBITS and got > row["debits_posted"]:
        yield f"account {name}: credits of {got} beyond its debits"


def _recount(rows: sqlite3.Connection) -> tuple[dict[bytes, Counter[str]], list[str]]:
    counted: dict[bytes, Counter[str]] = defaultdict(Counter)
    held: dict[bytes, sqlite3.Row] = {}
    wrong: list[str] = []
    for row in rows.execute("SELECT * FROM transfers ORDER BY number"):
        debit, credit = counted[row["debit_account_id"]], counted[row["credit_account_id"]]
        flags, amount = row["flags"], row["amount"]
        if flags & _PENDING:
            held[row["id"]] = row
            debit["debits_pending"] += amount
            credit["credits_pending"] += amount
            continue
        if flags & (_POST | _ENDS_UNPAID):
            hold = held.pop(row["pending_id"], None)
            if hold is None:
                wrong.append(f"transfer {row['id'].hex()} ends a hold that is over, or never was")
                continue
            was = hold["amount"]
            debit["debits_pending"] -= was
            credit["credits_pending"] -= was
        if not flags & _ENDS_UNPAID:
            debit["debits_posted"] += amount
            credit["credits_posted"] += amount
    return counted, wrong
