"""`WWW-Authenticate` and `Authorization` values: several schemes in one field, read strictly.

Source: RFC 9110, sections 5.6 and 11.
"""

import re
from typing import NamedTuple

from farthing.errors import Malformed

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"({_WORD})(?: +|$)(?![ \t]*=)", re.ASCII)
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]++|\\.)*+)")', re.ASCII)
_PIECE = re.compile(r'(?:[^,"]++|"(?:[^"\\]++|\\.)*+")+')
_QUOTABLE = re.compile(r"[\x20-\x7e]*", re.ASCII)


class Part(NamedTuple):
    """One scheme of a field: its name in lower case and as sent, and what follows."""

    scheme: str
    name: str
    pieces: list[str]


def split(value: str) -> list[Part]:
    """Split a field at its commas into schemes with their pieces.

    Raises: Malformed `malformed-header` for an open quote or pieces that belong to no scheme.
    """
    parts: list[Part] = []
    for piece in _pieces(value):
        starts = _SCHEME.match(piece)
        if starts is not None:
            rest = piece[starts.end() :].strip(" \t")
            parts.append(Part(starts[1].lower(), starts[1], [rest] if rest else []))
        elif parts:
            parts[-1].pieces.append(piece)
        else:
            raise Malformed("malformed-header", "a scheme's name comes first")
    return parts


def _pieces(value: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(value):
        if value[place] in ", \t":
            place += 1
            continue
        read = _PIECE.match(value, place)
        if read is None:
            raise Malformed("malformed-header", "a quoted string does not end")
        found.append(read[0].strip(" \t"))
        place = read.end()
        if place < len(value) and value[place] != ",":
            raise Malformed("malformed-header", "a quoted string does not end")
    return found


def parameters(part: Part) -> dict[str, str]:
    """Read a scheme's parameters; names in lower case.

    Raises: Malformed `malformed-header` for another syntax or a name that stands twice.
    """
    found: dict[str, str] = {}
    for piece in part.pieces:
        read = _PARAMETER.fullmatch(piece)
        if read is None:
            raise Malformed("malformed-header", "parameters are written name=value")
        name = read[1].lower()
        if name in found:
            raise Malformed("malformed-header", "a parameter stands twice")
        found[name] = read[2] if read[2] is not None else re.sub(r"\\(.)", r"\1", read[3])
    return found


def quoted(text: str) -> str:
    """Write a quoted string of printable ASCII.

    Raises: Malformed `malformed-header` for any other character.
    """
    if _QUOTABLE.fullmatch(text) is None:
        raise Malformed("malformed-header", "header values are printable ASCII")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mentions(value: str, scheme: str) -> bool:
    """Tell whether a field carries `scheme`, even where the rest of it cannot be read."""
    try:
        return any(part.scheme == scheme for part in split(value))
    except Malformed:
        unread = rf"(?:^|,)[ \t]*{re.escape(scheme)}(?:[ \t,]|$)"
        return re.search(unread, value, re.IGNORECASE) is not None


def without(value: str, scheme: str) -> str:
    """Write a readable field again without one scheme; what is left may be empty.

    Raises: Malformed `malformed-header`.
    """
    kept = (part for part in split(value) if part.scheme != scheme)
    return ", ".join(f"{part.name} {', '.join(part.pieces)}".rstrip() for part in kept)
