"""The shop: a page that was served is paid once, and nobody pays for what failed.

What the shop's handler did for each payment, and what each shopper heard, is held against the
books.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Line = dict[str, Any]
Rows = Mapping[str, sqlite3.Row]
_RERUN = "again"
_CHARGED = "charged"
"""Sold without a hold: a crash may come between the money and the handler."""

_SERVED = (200, 409)
"""Here, or the answer is no longer kept: the money is taken in both cases."""


def shop_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what was bought, served and told with what was paid."""
    payments = {row["id"]: row for row in rows.execute("SELECT * FROM payments")}
    runs = {line["run"]: line for line in history if line["what"] == "ran"}
    left = {line["run"] for line in history if line["what"] == "head"}
    for line in history:
        if line["what"] == "head":
            yield from _head_faults(line, payments)
        elif line["what"] in ("failed", "looked") and line["run"] in left:
            yield from _handler_faults(line)
    yield from _run_faults(history, runs, left, payments)
    yield from _revoked_faults(history)
    yield from _bought_faults(history, runs, left, payments)


def _head_faults(head: Line, payments: Rows) -> Iterator[str]:
    """Tell of an answer that left, though the books do not have its payment."""
    row = payments.get(head["payment"])
    said = f"run {head['run']} answered for {head['payment']}"
    if row is None or row["state"] != "captured":
        yield f"{said}, which is {'lost' if row is None else row['state']}"
    elif not head["proven"]:
        yield f"{said} without a receipt"


def _handler_faults(line: Line) -> Iterator[str]:
    """Tell of a handler whose answer left though it failed, or could not see its payment."""
    name = f"run {line['run']}"
    if line["what"] == "failed" and line["fault"] != "answer-broken":
        yield f"{name}: {line['fault']}, and an answer left"
    if line["what"] == "looked" and line["state"] not in ("held", "captured"):
        yield f"{name} was told that its payment is {line['state']}, and its answer left"


def _run_faults(
    history: Sequence[Line], runs: Mapping[int, Line], left: set[int], payments: Rows
) -> Iterator[str]:
    """Hold the money of each payment against all runs of the handler for it."""
    failed = {line["run"] for line in history if line["what"] == "failed"} - left
    of: dict[str, list[int]] = defaultdict(list)
    for number, run in runs.items():
        of[run["payment"]].append(number)
    for name, numbers in of.items():
        kind = runs[numbers[0]]["kind"]
        answered = left.intersection(numbers)
        if len(answered) > 1 and kind != _RERUN:
            yield f"{name} was paid once, and served {len(answered)} times"
        if kind != _CHARGED and failed.issuperset(numbers) and _kept(payments.get(name)):
            yield f"{name} is paid, and every run of its handler failed"


def _kept(row: sqlite3.Row | None) -> int:
    return 0 if row is None else row["captured"] - row["refunded"]


def _revoked_faults(history: Sequence[Line]) -> Iterator[str]:
    """Tell of orders that were signed after a revocation was answered, and were served."""
    revoked, late = set[str](), dict[str, str]()
    for line in history:
        if line["what"] == "revoked":
            revoked.add(line["device"])
        elif line["what"] == "allowed":
            revoked.discard(line["device"])
            late = {name: device for name, device in late.items() if device != line["device"]}
        elif line["what"] == "signed" and line["device"] in revoked:
            late[line["payment"]] = line["device"]
        elif line["what"] == "ran" and line["payment"] in late:
            yield f"{line['payment']} was served after {late[line['payment']]} was revoked"


def _bought_faults(
    history: Sequence[Line], runs: Mapping[int, Line], left: set[int], payments: Rows
) -> Iterator[str]:
    """Hold what each shopper heard against the orders that its device signed for it."""
    signed: dict[int, list[str]] = defaultdict(list)
    heard = {line["operation"]: line for line in history if line["what"] == "heard"}
    for line in history:
        if line["what"] == "signed":
            signed[line["operation"]].append(line["payment"])
    lost = {line["payment"] for line in history if line["what"] == "lost"}
    served = {(run["payment"], run["page"]) for number, run in runs.items() if number in left}
    for line in history:
        if line["what"] == "asked" and line["kind"] == "buy":
            number, answer = line["operation"], heard.get(line["operation"])
            # What died with the process that had its answer is bought anew by the next one.
            known = [name for name in signed[number] if name not in lost]
            paid = {name: _kept(payments.get(name)) for name in known}
            for fault in _purchase_faults(line, answer, paid):
                yield f"operation {number} (buy): {fault}"
            if answer is not None and answer["status"] == 200:
                page: Line = answer.get("page") or {}
                if page.get("page") != number or (answer["payment"], number) not in served:
                    yield f"operation {number} (buy): it was given another page"


def _purchase_faults(wish: Line, answer: Line | None, paid: Mapping[str, int]) -> Iterator[str]:
    total, price = sum(paid.values()), wish["price"]
    if total > price:
        yield f"a page for {price} was paid with {total}"
    if answer is None:
        return
    if answer["status"] in _SERVED and answer["payment"]:
        if paid.get(answer["payment"]) != price:
            yield f"it was told as paid by {answer['payment']}, and {total} was kept"
    elif total:
        yield f"it was told as unpaid ({answer['code']}), and {total} was kept"
