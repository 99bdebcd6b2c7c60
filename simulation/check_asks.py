"""Asks: nothing that its owner is asked for is paid unasked, and nothing waits for ever."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
ASK_ABOVE = 40
"""What owners who are asked say to more than this."""

_WAITING = ("ordered", "awaiting", "held")


def ask_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what owners said with what became of what they were asked for."""
    asking = {line["account"] for line in history if line["what"] == "asks"}
    said: dict[str, set[str]] = {"approve": set(), "deny": set()}
    denied = set[str]()
    heard = {line["operation"]: line for line in history if line["what"] == "heard"}
    for line in history:
        if line["what"] == "asked" and line["kind"] in said:
            said[line["kind"]].add(line["of"])
            answer = heard.get(line["operation"], {})
            if line["kind"] == "deny" and answer.get("status") == 200:
                denied.add(line["of"])
    for row in rows.execute("SELECT * FROM told_payments"):
        name, is_asked = row["id"], row["payer"] in asking and row["amount"] > ASK_ABOVE
        if row["state"] in _WAITING:
            yield f"payment {name} is {row['state']} for ever"
        if is_asked and row["captured"] and name not in said["approve"]:
            yield f"payment {name} of {row['amount']} was paid, and its owner was not asked"
        if name in denied and row["captured"]:
            yield f"payment {name} was paid, and its owner had denied it"
