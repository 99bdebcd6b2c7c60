"""Payments: what was answered is there, once, and what was refused is not."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
_AT_ONCE = ("pay", "come-back")
_ABOUT_ORDERS = (*_AT_ONCE, "hold", "cancel", "open", "top-up", "capture", "void", "refund")


def payment_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what clients asked and heard with the payments in the books."""
    heard = {line["operation"]: line for line in history if line["what"] == "heard"}
    gone = {line["operation"] for line in history if line["what"] == "gone"}
    stored = {
        (row["device"], row["nonce"]): row for row in rows.execute("SELECT * FROM told_payments")
    }
    wishes: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in history:
        if line["what"] == "signed":
            wishes[line["device"], line["nonce"]].append(line | {"kind": "sign"})
        if line["what"] != "asked":
            continue
        if line["operation"] not in heard and line["operation"] not in gone:
            yield f"operation {line['operation']}: nothing was ever answered"
        if line["kind"] in _ABOUT_ORDERS:
            wishes[line["device"], line["nonce"]].append(line)
        if line["kind"] == "again":
            yield from _again_faults(line, heard)
    for order, row in stored.items():
        if order not in wishes:
            yield f"payment {row['id']}: nobody asked for it"
    for order, about in wishes.items():
        yield from _order_faults(about, heard, stored.get(order))


def _again_faults(wish: Line, heard: dict[int, Line]) -> Iterator[str]:
    """Tell of a request that was answered otherwise when it was sent once more."""
    first, second = heard[wish["of"]], heard.get(wish["operation"])
    if second is None:
        return
    for member in ("status", "payment", "state", "captured", "code"):
        if first.get(member) != second.get(member):
            yield (
                f"operation {wish['of']} was answered {member} {first.get(member)!r},"
                f" and the same request again {second.get(member)!r}"
            )


def _order_faults(
    about: Sequence[Line], heard: dict[int, Line], row: sqlite3.Row | None
) -> Iterator[str]:
    """Hold every answer about one order against what became of it."""
    refunded = gone = 0
    for wish in about:
        if wish["kind"] == "sign":  # What its shop gave back is looked at there.
            gone += 1
            continue
        answer = heard.get(wish["operation"])
        if wish["kind"] == "refund":
            gone += answer is None
            refunded += wish["units"] if answer is not None and answer["status"] == 201 else 0
        if answer is None:
            continue
        for fault in _answer_faults(wish, answer, row):
            yield f"operation {wish['operation']} ({wish['kind']}): {fault}"
    if row is not None and not gone and row["refunded"] != refunded:
        yield f"payment {row['id']}: {row['refunded']} went back, and {refunded} was answered"
    if row is not None and row["amount"] != about[0]["amount"]:
        yield f"payment {row['id']} is of {row['amount']}, and {about[0]['amount']} was signed"


def _answer_faults(wish: Line, answer: Line, row: sqlite3.Row | None) -> Iterator[str]:
    kind, status, state = wish["kind"], answer["status"], answer.get("state", "")
    name = answer["payment"]
    if status in (200, 201, 202):
        if row is None:
            yield f"{name} was answered as {state}, and is lost"
            return
        if name != row["id"] and kind != "refund":
            yield f"{name} was answered, and it is {row['id']} in the books"
    is_paid = (kind in _AT_ONCE and status == 200) or state == "captured"
    if is_paid and row is not None and row["state"] != "captured":
        yield f"{name} was answered as paid, and is {row['state']} in the books"
    if kind in _AT_ONCE and is_paid and row is not None and row["captured"] != wish["amount"]:
        yield f"{name} was answered as paid, and {row['captured']} was taken"
    if kind == "capture" and status == 200 and state == "captured" and row is not None:
        yield from _part_faults(wish, row)
    is_refused = kind in (*_AT_ONCE, "open", "top-up") and status >= 400
    is_over = is_refused or state in ("refused", "voided", "expired")
    if is_over and row is not None and row["captured"]:
        yield f"it was answered {status} {answer.get('code', state)}, and the money was taken"
    if status == 500:
        yield "the hub has a bug"


def _part_faults(wish: Line, row: sqlite3.Row) -> Iterator[str]:
    if row["captured"] != wish["units"]:
        yield f"{wish['units']} was captured by its answer, and {row['captured']} in the books"
