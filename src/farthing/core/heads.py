"""A signed head as one line of text, for the second place where heads are kept."""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from farthing.codec import from_base64url, plain_json, read_json, to_base64url
from farthing.core.chain import Head, head_bytes
from farthing.errors import Malformed
from farthing.money import parse_units

_MEMBERS = {
    "chain", "digest", "key", "leaves", "number", "previous", "root", "signature", "time",
}  # fmt: skip


def head_line(head: Head) -> bytes:
    """Write a head as a line of canonical JSON that verifies by itself."""
    members = {
        "chain": head.chain,
        "digest": to_base64url(head.digest),
        "key": head.key,
        "leaves": str(head.leaves),
        "number": str(head.number),
        "previous": to_base64url(head.previous),
        "root": to_base64url(head.root),
        "signature": to_base64url(head.signature),
        "time": str(head.time_ns),
    }
    return plain_json(members) + b"\n"


def read_head_line(line: bytes) -> Head:
    """Read a head from its line.

    Raises: Malformed `malformed-head`, also when the digest is not that of the content.
    """
    try:
        return _head(read_json(line))
    except (Malformed, KeyError, TypeError, AttributeError) as fault:
        raise Malformed("malformed-head", f"this line is no head: {fault}") from None


def _head(members: Any) -> Head:
    if set(members) != _MEMBERS:
        raise Malformed("malformed-head", "a head has other members")
    text: dict[str, str] = dict(members)
    number, leaves, time_ns = (parse_units(text[name]) for name in ("number", "leaves", "time"))
    raw = {name: from_base64url(text[name]) for name in ("digest", "previous", "root", "signature")}
    message = head_bytes(text["chain"], number, raw["previous"], raw["root"], leaves, time_ns)
    if hashlib.sha256(message).digest() != raw["digest"]:
        raise Malformed("malformed-head", "its digest is not that of its content")
    return Head(
        number=number,
        chain=text["chain"],
        previous=raw["previous"],
        root=raw["root"],
        leaves=leaves,
        time_ns=time_ns,
        digest=raw["digest"],
        key=text["key"],
        signature=raw["signature"],
    )


def lost_heads(heads: Sequence[Head], stored: dict[int, bytes]) -> list[Head]:
    """List the heads after which the books went on without them: the last of each lost run.

    Shape: `heads` in the order they were noted; `stored` the books' digests by number.
    """
    lost = [stored.get(head.number) != head.digest for head in heads]
    return [
        head for i, head in enumerate(heads) if lost[i] and (i + 1 == len(heads) or not lost[i + 1])
    ]


def misplaced_head(heads: Sequence[Head], stored: dict[int, bytes], writers: int) -> Head | None:
    """Find a head of these books that cannot have been noted where it stands.

    Shape: each process notes its heads in order, so with that many `writers` no more heads can
           follow each other downwards. Heads that the books lost are left out: after them the
           numbers begin anew.
    """
    seen: set[int] = set()
    ends: list[int] = []
    for head in heads:
        if stored.get(head.number) != head.digest:
            continue
        # The longest run downwards that ends here, by patience: negated, so that it ascends.
        place = bisect_left(ends, -head.number)
        if head.number in seen or place >= writers:
            return head
        seen.add(head.number)
        ends[place : place + 1] = [-head.number]
    return None
