"""Owners: budgets are never exceeded, what is revoked stays so, and each account adds up."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from simulation.check_fees import fees_of

Line = dict[str, Any]
BUDGET, _SPENT = 300, 21
"""Every mandate's budget for the day on which the story happens; the code of what it gave."""

_NEW = ("pay", "hold", "open", "top-up", "approve")


def owner_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Tell of owners whose word did not hold."""
    yield from _revoked_faults(history, _decided_by_silence(rows))
    yield from _budget_faults(rows)
    yield from _money_faults(history, rows)


def _decided_by_silence(rows: sqlite3.Connection) -> set[str]:
    """Name the payments whose record says that a deadline answered; who answers later is late."""
    found = rows.execute("SELECT id, answers FROM told_payments WHERE answers LIKE '%deadline%'")
    return {row["id"] for row in found}


def _revoked_faults(history: Sequence[Line], decided: set[str]) -> Iterator[str]:
    """Tell of orders that were first asked for after a revocation was answered, and were paid.

    Shape: an approval of what was decided before is told how it stands, and pays nothing.
    """
    revoked: set[str] = set()
    late: dict[int, str] = {}
    for line in history:
        if line["what"] == "revoked":
            revoked.add(line["device"])
        elif line["what"] == "allowed":
            revoked.discard(line["device"])
            late = {number: device for number, device in late.items() if device != line["device"]}
        elif line["what"] == "asked" and line["kind"] in _NEW:
            if line["device"] not in revoked:
                decided.add(line.get("of", ""))
            elif line.get("of", "") not in decided or line["kind"] != "approve":
                late[line["operation"]] = line["device"]
        elif line["what"] == "heard" and line["operation"] in late and _is_paid(line):
            device = late[line["operation"]]
            yield f"operation {line['operation']} was paid after {device} was revoked"


def _is_paid(line: Line) -> bool:
    return line["status"] == 200 and line.get("state") in ("captured", "held")


def _budget_faults(rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what budgets gave out with their limit, and with what was taken under them."""
    query = "SELECT * FROM accounts JOIN balances USING (timestamp) WHERE code = ?"
    spent = rows.execute(query, (_SPENT,)).fetchall()
    for row in spent:
        given = row["credits_posted"] + row["credits_pending"]
        if given > BUDGET:
            yield f"budget {row['id'].hex()} gave {given} of {BUDGET}"
    [(taken,)] = rows.execute("SELECT coalesce(sum(captured), 0) FROM payments").fetchall()
    given = sum(row["credits_posted"] for row in spent)
    if given != taken:
        yield f"budgets gave {given}, and payments took {taken}"


def _money_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what each account gave and got with its payments and what was put in."""
    kept: Counter[str] = Counter()
    for line in history:
        if line["what"] == "credited":
            kept[line["account"]] += line["units"]
    for row in rows.execute("SELECT * FROM told_payments"):
        kept[row["payer"]] -= row["captured"] - row["refunded"]
        kept[row["payee"]] += row["captured"] - row["refunded"]
        for fee in fees_of(row):
            kept[row["payee"]] -= fee["units"] - fee["returned"]
            kept[fee["account"]] += fee["units"] - fee["returned"]
    balances = {
        row["id"]: row["credits_posted"] - row["debits_posted"]
        for row in rows.execute("SELECT * FROM accounts JOIN balances USING (timestamp)")
    }
    for name, right in kept.items():
        found = balances.get(_number(name), 0)
        if found != right:
            yield f"account {name} has {found}, and its payments make {right}"


def _number(name: str) -> bytes:
    """Read an id's 26 digits of Crockford's base 32 as the bytes that the ledger keeps."""
    value = 0
    for digit in name.partition("_")[2]:
        value = value * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    return value.to_bytes(16, "big")
