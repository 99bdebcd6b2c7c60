"""Sessions: each ends, and takes exactly what the highest voucher promised that was accepted."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]


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
        # One that counted, and was lost on its way back, is refused again once the session is over.
        is_unsure = answer is None or (answer["status"] != 200 and line["operation"] in repeated)
        if is_unsure or (answer is not None and answer["status"] == 200):
            kept = unsure if is_unsure else accepted
            kept[line["session"]] = max(kept[line["session"]], line["units"])
    found = {row["id"]: row for row in rows.execute("SELECT * FROM sessions")}
    for name in accepted:
        if name not in found:
            yield f"session {name} took vouchers, and is lost"
    for name, row in found.items():
        yield from _faults(row, accepted[name], unsure[name])


def _faults(row: sqlite3.Row, accepted: int, unsure: int) -> Iterator[str]:
    name, taken = row["id"], row["captured"]
    if row["state"] != "closed" or row["unsettled"]:
        yield f"session {name} does not end: it is {row['state']}, {row['unsettled']} unsettled"
    elif taken != accepted and not accepted < taken <= unsure:
        yield f"session {name} took {taken}, and vouchers of {accepted} were accepted"
    if taken > row["deposit"]:
        yield f"session {name} took {taken} of a deposit of {row['deposit']}"
