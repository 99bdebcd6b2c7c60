"""Asks: nothing that its owner is asked for is paid unasked, nothing waits for ever, and each ends
once: approved, denied, or by its deadline as its owner said, with money that follows from that.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

Line = dict[str, Any]
ASK_ABOVE = 40
"""What owners who are asked say to more than this."""

TWO_ABOVE = 50
"""Above this two people have to approve, where an owner says so; here nobody is a person."""

_WAITING = ("ordered", "awaiting", "held")
_ENDINGS = {"denied": "deny", "ask-expired": "deny"}
"""Reasons that only an answer gives."""


def ask_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Compare what owners said with what became of what they were asked for."""
    asking = {line["account"]: line for line in history if line["what"] == "asks"}
    said, told = _said(history)
    for row in rows.execute("SELECT * FROM told_payments"):
        name, owner = row["id"], asking.get(row["payer"])
        if row["state"] in _WAITING:
            yield f"payment {name} is {row['state']} for ever"
        silent = owner is not None and owner["silence"] == "allow"
        is_asked = owner is not None and row["amount"] > ASK_ABOVE
        if is_asked and row["captured"] and not silent and "approve" not in said[name]:
            yield f"payment {name} of {row['amount']} was paid, and its owner was not asked"
        for fault in _answer_faults(row, owner, told[name]):
            yield f"payment {name} {fault}"


def _said(history: Sequence[Line]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Give what was said to each payment, and what of it the hub answered that it had heard."""
    said, told = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    heard = {line["operation"]: line for line in history if line["what"] == "heard"}
    for line in history:
        if line["what"] == "asked" and line["kind"] in ("approve", "deny"):
            said[line["of"]].add(line["kind"])
            answer = heard.get(line["operation"], {})
            # Too late, or refused otherwise meanwhile: then it is told how the payment stands.
            counts = (line["kind"] == "deny") == (answer.get("reason") in _ENDINGS)
            if answer.get("status") == 200 and counts:
                told[line["of"]].add(line["kind"])
    return said, told


def _answer_faults(row: sqlite3.Row, owner: Line | None, told: set[str]) -> Iterator[str]:
    """Hold the one answer that its record keeps against what was heard and what became of it."""
    answers: list[Line] = json.loads(row["answers"]) if row["answers"] else []
    if len(told) > 1:
        yield "was approved and denied, as its owner was told"
    if len(answers) > 1:
        yield f"was answered {len(answers)} times"
    if not answers:
        if told or row["reason"] in _ENDINGS:
            yield f"ended {row['reason']} without an answer on record"
        return
    yes, means = answers[-1]["answer"] == "approve", answers[-1]["means"]
    if told and told != {answers[-1]["answer"]}:
        yield f"was answered otherwise than its owner was told: {answers[-1]['answer']}"
    if not yes and (row["state"] != "refused" or row["captured"]):
        yield f"was paid, and its owner had denied it: {row['state']}"
    if yes and row["reason"] in _ENDINGS:
        yield f"was approved, and is {row['reason']}"
    yield from _whose_faults(row, owner, means, answers[-1]["at_ns"], yes=yes)


def _whose_faults(
    row: sqlite3.Row, owner: Line | None, means: str, at_ns: int, *, yes: bool
) -> Iterator[str]:
    silent = means == "deadline"
    two = owner is not None and owner["two"] and row["amount"] > TWO_ABOVE
    if two and yes:
        yield "takes two people, and nobody approved it"
    if silent and at_ns < row["ask_ends_ns"]:
        yield "was ended by a deadline before that was over"
    if not silent and yes and at_ns >= row["ask_ends_ns"]:
        yield "was approved after its deadline"
    if silent and yes and (owner is None or owner["silence"] != "allow"):
        yield "was paid by silence, and its owner had not allowed that"
    if silent and not yes and not two and owner is not None and owner["silence"] == "allow":
        yield "was refused by silence, and its owner had allowed it"
