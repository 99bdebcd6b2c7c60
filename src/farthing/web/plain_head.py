"""Reading the head of a plain request at once, where a client sends the same one every time.

A machine that pays writes the same few fields before each of its bodies, so a head that was read
once is known by its bytes. What is plain is said narrowly: one line and a few fields, each once,
that say nothing about who asks or how the body ends. Any doubt is the parser's to settle, and its
errors to tell.
"""

import re
from typing import NamedTuple

from farthing.errors import Malformed
from farthing.web.asgi import RawHeaders
from farthing.web.incoming import read_envelope

HEAD_BYTES_MAX = 1024
_KEPT = 512

_NAMES = (
    rb"(?i:accept(?:-encoding|-language)?|connection|content-length|content-type|host|user-agent)"
)
_HEAD = re.compile(
    rb"POST (/[A-Za-z0-9/._-]{0,200}) HTTP/1\.1"
    rb"((?:\r\n%b: [!-~](?:[ -~]{0,400}[!-~])?)+)" % _NAMES
)


class PlainHead(NamedTuple):
    """What stands in it. Shape: `fields` and `headers` are the same, names in lower case."""

    path: str
    fields: RawHeaders
    headers: dict[str, str]
    length: int


_known: dict[bytes, PlainHead] = {}
"""Plain heads alone are kept, and so no field that could hold a secret."""


def plain_head(raw: bytes) -> PlainHead | None:
    """Read a head without the empty line at its end; None if it is not plain enough to be sure."""
    known = _known.get(raw)
    if known is None and (known := _read(raw)) is not None:
        if len(_known) >= _KEPT:
            _known.clear()
        _known[raw] = known
    return known


def _read(raw: bytes) -> PlainHead | None:
    found = _HEAD.fullmatch(raw)
    if found is None:
        return None
    lines = [line.partition(b": ") for line in found[2][2:].split(b"\r\n")]
    fields = [(name.lower(), value) for name, _, value in lines]
    known = dict(fields)
    if len(known) != len(fields) or b"content-length" not in known:
        return None
    if known.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    try:
        _, length = read_envelope({}, fields)
    except Malformed:
        return None
    headers = {name.decode(): value.decode() for name, value in fields}
    return PlainHead(found[1].decode(), fields, headers, length or 0)
