"""`Accept-Payment`: which methods and intents a client can pay with, and which it likes better.

Source: draft-httpauth-payment-00, "Client Payment Preferences"; RFC 9110, section 12.4.2.
"""

import re
from typing import NamedTuple

from farthing.errors import Malformed
from farthing.protocols import fields, names
from farthing.protocols.base import Headers

_RANGE = re.compile(
    r"(\*|[a-z]+)/(\*|[A-Za-z0-9-]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII,
)
_CHARACTERS_MAX = 4096


class Range(NamedTuple):
    """One declared range, `*` for any method or intent. Units: `weight` is 0 to 1000."""

    method: str
    intent: str
    weight: int


def read(value: str) -> list[Range]:
    """Read an `Accept-Payment` field.

    Raises: Malformed `malformed-header`.
    """
    if len(value) > _CHARACTERS_MAX:
        raise Malformed("malformed-header", f"Accept-Payment has at most {_CHARACTERS_MAX}")
    found: list[Range] = []
    for piece in value.split(","):
        text = piece.strip(" \t")
        if not text:
            continue
        declared = _RANGE.fullmatch(text)
        if declared is None:
            raise Malformed("malformed-header", "write: Accept-Payment: method/intent;q=0.5")
        found.append(Range(declared[1], declared[2], _weight(declared[3])))
    return found


def _weight(text: str | None) -> int:
    whole, _, part = (text or "1").partition(".")
    return int(whole) * 1000 + int((part + "000")[:3])


def weight(ranges: list[Range], method: str, intent: str) -> int:
    """Give the weight of a method and intent: the most specific range that matches decides."""
    matching = [
        one
        for one in ranges
        if one.method in ("*", method) and one.intent.lower() in ("*", intent.lower())
    ]
    if not matching:
        return 0
    return max(matching, key=lambda one: (one.method != "*", one.intent != "*", one.weight)).weight


def preferred(written: Headers, accept: str) -> Headers:
    """Filter and order the MPP challenges of a 402 as the client prefers; the rest stays.

    Shape: a field that cannot be read, or that leaves no challenge, is ignored: a 402 always
           carries a challenge.
    """
    try:
        ranges = read(accept)
    except Malformed:
        return written
    weighed = [(_offered(value, ranges), (name, value)) for name, value in written if _asks(name)]
    kept = [field for at, field in sorted(weighed, key=lambda pair: -pair[0]) if at]
    if not kept:
        return written
    return kept + [field for field in written if not _asks(field[0])]


def _asks(name: str) -> bool:
    return name.lower() == names.CHALLENGE_FIELD


def _offered(value: str, ranges: list[Range]) -> int:
    """Weigh one challenge; a field of another scheme is not for us to leave out."""
    try:
        [part] = fields.split(value)
        if part.scheme != "payment":
            return 1
        bound = fields.parameters(part)
        return weight(ranges, bound["method"], bound["intent"])
    except (Malformed, KeyError, ValueError):
        return 1
