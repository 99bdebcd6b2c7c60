"""Payments: what was answered is there, once, and what was refused is not."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
_PAID = ("captured",)


def payment_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what clients asked and heard with the payments in the books."""
    asked = {line["operation"]: line for line in history if line["what"] == "asked"}
    heard = {line["operation"]: line for line in history if line["what"] == "heard"}
    stored = {(row["device"], row["nonce"]): row for row in rows.execute("SELECT * FROM payments")}
    for operation, wish in asked.items():
        if wish["kind"] != "pay":
            continue
        row = stored.pop((wish["device"], wish["nonce"]), None)
        answer = heard.get(operation)
        if answer is None:
            yield f"operation {operation}: nothing was ever answered"
            continue
        for fault in _answer_faults(wish, answer, row):
            yield f"operation {operation}: {fault}"
    for row in stored.values():
        yield f"payment {row['id']}: nobody asked for it"
    yield from _money_faults(history, rows)


def _answer_faults(wish: Line, answer: Line, row: sqlite3.Row | None) -> Iterator[str]:
    if answer["status"] == 200:
        if row is None:
            yield f"{answer['payment']} was answered as paid, and is lost"
        elif (row["id"], row["state"], row["captured"]) != (
            answer["payment"], "captured", wish["amount"],
        ):  # fmt: skip
            yield f"{answer['payment']} was answered as paid, and is {row['state']} in the books"
    elif row is not None and row["captured"]:
        yield f"it was answered {answer['status']} {answer['code']}, and the money was taken"


def _money_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what each account gave and got with its payments and what was put in."""
    gave: dict[str, int] = {}
    got = {line["account"]: line["units"] for line in history if line["what"] == "credited"}
    for row in rows.execute("SELECT payer, payee, captured, refunded FROM payments"):
        kept = row["captured"] - row["refunded"]
        gave[row["payer"]] = gave.get(row["payer"], 0) + kept
        got[row["payee"]] = got.get(row["payee"], 0) + kept
    numbers = {row["id"]: row for row in rows.execute("SELECT * FROM account_records")}
    balances = {
        row["id"]: row["credits_posted"] - row["debits_posted"]
        for row in rows.execute("SELECT * FROM accounts JOIN balances USING (timestamp)")
    }
    for name in {*gave, *got}:
        right = got.get(name, 0) - gave.get(name, 0)
        found = balances.get(_number(name), 0)
        if name not in numbers or found != right:
            yield f"account {name} has {found}, and its payments make {right}"


def _number(name: str) -> bytes:
    """Read an id's 26 digits of Crockford's base 32 as the bytes that the ledger keeps."""
    value = 0
    for digit in name.partition("_")[2]:
        value = value * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    return value.to_bytes(16, "big")
