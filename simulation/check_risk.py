"""Risk: an order is judged by what its device ordered just before, and a judgement is kept to.

How many orders came within the last minute is counted here once more, from the books' own times;
of those that came in the same nanosecond, nobody knows from outside which was first.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
_NS = 10**9
_SLICE, _SLICES = 10, 6
"""Seconds, and how many of them are looked back on, the running one included."""

_REFUSED = "risk-refused"


def risk_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what was judged with what came before, and with what became of it."""
    told = next((line for line in history if line["what"] == "judges"), None)
    approved = {
        line["of"] for line in history if line["what"] == "asked" and line["kind"] == "approve"
    }
    lets = {line["account"] for line in history if line.get("silence") == "allow"}
    moved = {row["id"] for row in rows.execute("SELECT id FROM transfers")}
    of_devices: dict[str, list[sqlite3.Row]] = defaultdict(list)
    for row in rows.execute("SELECT * FROM told_payments ORDER BY created_ns"):
        of_devices[row["device"]].append(row)
        flag = json.loads(row["risk"]) if row["risk"] else None
        if row["payer"] in lets:  # Silence is a yes there: check_asks.py.
            approved.add(row["id"])
        for fault in _kept_to(row, flag, approved, moved):
            yield f"payment {row['id']}: {fault}"
        if told is None and flag is not None:
            yield f"payment {row['id']} was judged, where nobody judges"
    if told is not None:
        for orders in of_devices.values():
            yield from _judged_faults(orders, told)


def _kept_to(row: sqlite3.Row, flag: Any, approved: set[str], moved: set[bytes]) -> Iterator[str]:
    """Tell of a judgement that nobody kept to."""
    act = flag["act"] if flag else "allow"
    is_refused = row["state"] == "refused" and row["reason"] == _REFUSED
    if is_refused != (act == "refuse"):
        yield f"its judgement is {act}, and it is {row['state']} {row['reason']}"
    if is_refused and (row["captured"] or any(_of(row, place) in moved for place in range(256))):
        yield "its judgement refused it, and money moved"
    if act == "ask" and row["captured"] and row["id"] not in approved:
        yield "its owner was to be asked, and it was paid unasked"


def _of(row: sqlite3.Row, place: int) -> bytes:
    """Give the id of a transfer of a payment: its own, with the place in its chain at the end."""
    number = 0
    for letter in row["id"].removeprefix("pay_"):
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(letter)
    return (number | place).to_bytes(16, "big")


def _judged_faults(orders: Sequence[sqlite3.Row], told: Line) -> Iterator[str]:
    most, act = told["most"], told["act"]
    times = [row["created_ns"] for row in orders]
    for row in orders:
        created = row["created_ns"]
        seconds = created // _NS
        since = (seconds - seconds % _SLICE - (_SLICES - 1) * _SLICE) * _NS
        least = sum(since <= one < created for one in times)
        at_most = sum(since <= one <= created for one in times) - 1
        flag = json.loads(row["risk"]) if row["risk"] else None
        is_by_mandate = row["state"] == "refused" and row["reason"] != _REFUSED
        if flag is not None and flag["act"] != act:
            yield f"payment {row['id']}: its judgement is {flag['act']}, and {act} is configured"
        if flag is None and least >= most and not is_by_mandate:
            yield f"payment {row['id']}: {least} orders came before it, and nobody judged it"
        if flag is not None and at_most < most:
            yield f"payment {row['id']}: only {at_most} orders came before it, and it was judged"
