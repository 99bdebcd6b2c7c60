"""Sessions: each ends, and takes exactly what the highest voucher promised that was accepted."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
_TOO_EARLY = ("voucher-beyond-deposit", "bad-tick", "account-frozen")
"""Before a top-up, before the voucher with its ladder, before its account is open again."""


def session_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what was promised and accepted with what was taken."""
    heard = {line["operation"]: line for line in history if line["what"] == "heard"}
    repeated = {line["operation"] for line in history if line["what"] == "unheard"}
    accepted: dict[str, int] = defaultdict(int)
    unsure: dict[str, int] = defaultdict(int)
    for line in history:
        if line["what"] != "asked" or line["kind"] != "draw":
            continue
        answer = heard.get(line["operation"])
        # One that counted, and was lost on its way back, is refused again once the session is over;
        # and a copy of one that was refused too early may come when it is right.
        is_unsure = answer is None or (
            answer["status"] != 200
            and (line["operation"] in repeated or answer.get("code") in _TOO_EARLY)
        )
        if is_unsure or (answer is not None and answer["status"] == 200):
            kept = unsure if is_unsure else accepted
            kept[line["session"]] = max(kept[line["session"]], line["units"])
    found = {row["id"]: row for row in rows.execute("SELECT * FROM sessions")}
    for name in accepted:
        if name not in found:
            yield f"session {name} took vouchers, and is lost"
    for name, row in found.items():
        yield from _faults(row, accepted[name], unsure[name])
    yield from _deposit_faults(history, heard, found, rows)


def _deposit_faults(
    history: Sequence[Line],
    heard: dict[int, Line],
    found: dict[str, sqlite3.Row],
    rows: sqlite3.Connection,
) -> Iterator[str]:
    """Compare what was held for sessions with what their deposits come to."""
    amounts = {row["id"]: row["amount"] for row in rows.execute("SELECT id, amount FROM payments")}
    deposits = {name: json.loads(row["deposits"]) for name, row in found.items()}
    for name, row in found.items():
        right = sum(amounts[deposit] for deposit in deposits[name])
        if row["deposit"] != right:
            yield f"session {name} has {row['deposit']}, and its deposits are of {right}"
    for line in history:
        if line["what"] == "asked" and line["kind"] == "top-up":
            answer = heard.get(line["operation"], {})
            is_held = answer.get("status") == 200
            if is_held and answer["payment"] not in deposits.get(line["session"], []):
                yield f"session {line['session']} was topped up by {answer['payment']}, and lost it"


def _faults(row: sqlite3.Row, accepted: int, unsure: int) -> Iterator[str]:
    name, taken = row["id"], row["captured"]
    if row["state"] != "closed" or row["unsettled"]:
        yield f"session {name} does not end: it is {row['state']}, {row['unsettled']} unsettled"
    elif taken != accepted and not accepted < taken <= unsure:
        yield f"session {name} took {taken}, and vouchers of {accepted} were accepted"
    if taken > row["deposit"]:
        yield f"session {name} took {taken} of a deposit of {row['deposit']}"
