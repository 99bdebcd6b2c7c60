"""The history: heads follow each other, leaves stand under them, and receipts are in it.

Written from docs/explanation/history.md and what-a-receipt-proves.md, for itself.
"""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

Line = dict[str, Any]
_LEAF, _NODE, _ROOT = b"\x00farthing-leaf-1", b"\x01farthing-node-1", b"\x02farthing-root-1"
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def history_faults(history: Sequence[Line], rows: sqlite3.Connection) -> Iterator[str]:
    """Walk the chain of heads, then hold every receipt that was heard against it."""
    heads: dict[int, bytes] = {}
    yield from _chain_faults(rows, heads)
    verified: set[bytes] = set()
    for line in history:
        receipt = line.get("receipt")
        if line["what"] == "heard" and receipt:
            for fault in _receipt_faults(receipt, heads, verified):
                yield f"operation {line['operation']}: its receipt does not hold: {fault}"


def _chain_faults(rows: sqlite3.Connection, heads: dict[int, bytes]) -> Iterator[str]:
    leaves: dict[int, list[bytes]] = {}
    for row in rows.execute("SELECT * FROM leaves ORDER BY number"):
        statement = _stated(row["subject"], row["statement"])
        if _leaf(statement, row["rows_digest"]) != row["digest"]:
            yield f"leaf {row['number']} has another digest than its content"
        leaves.setdefault(row["commit_number"], []).append(row["digest"])
    previous, time_ns = bytes(32), 0
    for place, row in enumerate(rows.execute("SELECT * FROM commits ORDER BY number"), 1):
        own = leaves.pop(row["number"], [])
        if (row["number"], row["previous"]) != (place, previous):
            yield f"head {row['number']} does not follow the one before it"
        if len(own) != row["leaves"] or _root(own) != row["root"]:
            yield f"head {row['number']} has another root than its leaves"
        if row["time_ns"] < time_ns:
            yield f"head {row['number']} is older than the one before it"
        heads[place] = previous = row["digest"]
        time_ns = row["time_ns"]
    if leaves:
        yield f"{len(leaves)} commits have leaves and no head"


def _stated(subject: bytes, kept: bytes) -> bytes:
    """Read a payment's statement, which is kept without what all of them say."""
    if kept[:1] != b"\x01":
        return kept
    device, payee, payer = (_id(kept[place : place + 16]) for place in (1, 17, 33))
    amount, captured, refunded, asset, state = kept[133:].decode().split(",")
    said = {
        "amount": amount, "asset": asset, "captured": captured, "device": f"dev_{device}",
        "hub": base64.b32encode(kept[49:69]).decode().lower(), "kind": "payment", "money": "test",
        "order": _text(kept[69:101]), "payee": f"acc_{payee}", "payer": f"acc_{payer}",
        "payment": f"pay_{_id(subject)}", "reason": "", "record": _text(kept[101:133]),
        "refunded": refunded, "state": state,
    }  # fmt: skip
    return _canonical(said)


def _id(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    return "".join(_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _receipt_faults(
    receipt: dict[str, Any], heads: dict[int, bytes], verified: set[bytes]
) -> Iterator[str]:
    proof, head = receipt["proof"], receipt["proof"]["head"]
    leaf = _leaf(_canonical(receipt["statement"]), _bytes(proof["rows"]))
    path = [_bytes(node) for node in proof["path"]]
    if _climb(leaf, int(proof["index"]), int(head["leaves"]), path) != _bytes(head["root"]):
        yield "its path leads elsewhere than to its head's root"
    members = {
        name: head[name] for name in ("chain", "leaves", "number", "previous", "root", "time")
    }
    message = b"farthing-head-1\n" + _canonical(members)
    digest = hashlib.sha256(message).digest()
    if heads.get(int(head["number"])) != digest:
        yield f"head {head['number']} is another one in the books"
    if digest not in verified and not _is_signed(head["key"], message, head["signature"]):
        yield "its head is not signed"
    verified.add(digest)


def _is_signed(key: str, message: bytes, signature: str) -> bool:
    try:
        VerifyKey(_bytes(key.partition(":")[2])).verify(message, _bytes(signature))
    except BadSignatureError:
        return False
    return True


def _leaf(statement: bytes, rows_digest: bytes) -> bytes:
    return hashlib.sha256(_LEAF + hashlib.sha256(statement).digest() + rows_digest).digest()


def _root(leaves: list[bytes]) -> bytes:
    level = leaves
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(_NODE + one + two).digest() for one, two in pairs] + odd
    return _bound(level[0], len(leaves)) if leaves else b""


def _bound(top: bytes, count: int) -> bytes:
    return hashlib.sha256(_ROOT + count.to_bytes(8, "big") + top).digest()


def _climb(node: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    width, left = count, iter(path)
    while width > 1:
        if index ^ 1 < width:
            other = next(left, b"")
            node = hashlib.sha256(_NODE + (other + node if index % 2 else node + other)).digest()
        index, width = index // 2, (width + 1) // 2
    return _bound(node, count)


def _canonical(members: dict[str, Any]) -> bytes:
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
