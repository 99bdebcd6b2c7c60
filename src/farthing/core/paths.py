"""One spelling for a request's path, so that what is priced is what is served.

A path that two programs could read in two ways is refused instead of repaired: encoded slashes
and dots, their full-width forms, dot segments, empty segments, backslashes, `;` parameters, control
characters, double encoding, invalid UTF-8. What is left has one meaning, and is written in one way.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from farthing.errors import Malformed

PATH_BYTES_MAX = 4096
QUERY_BYTES_MAX = 8192
_KNOWN_BYTES_MAX = 256

_RAW = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*")
SAFE = "/!$&'()*+,=:@-._~"
"""What is written as it is; everything else is percent-encoded."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ENCODED_AGAIN = re.compile(r"%[0-9A-Fa-f]{2}")


class AmbiguousPath(Malformed):
    """A path that could mean one thing here and another behind us."""

    def __init__(self, detail: str) -> None:
        super().__init__("ambiguous-path", detail)


@dataclass(frozen=True, slots=True)
class Path:
    """A path in its one spelling: `text` is decoded, `raw` is percent-encoded ASCII."""

    text: str
    raw: str

    @property
    def segments(self) -> tuple[str, ...]:
        """Give the decoded segments after the leading slash; a trailing slash ends in `""`."""
        return tuple(self.text[1:].split("/"))


def normal_path(raw: bytes) -> Path:
    """Read the path of a request target and write it in its one spelling.

    Raises: AmbiguousPath for whatever could be read in two ways; nothing is repaired.
    Source: RFC 3986, sections 2 and 3.3; docs/reference/price-file.md, "Paths".
    """
    if not raw.startswith(b"/"):
        raise AmbiguousPath("send the path alone, starting with /, not a whole URL")
    if len(raw) > PATH_BYTES_MAX:
        raise AmbiguousPath(f"a path has at most {PATH_BYTES_MAX} bytes")
    return _known(bytes(raw)) if len(raw) <= _KNOWN_BYTES_MAX else _read(raw)


def _read(raw: bytes) -> Path:
    if _RAW.fullmatch(raw) is None:
        raise AmbiguousPath(
            "a path has letters, digits, -._~!$&'()*+,=:@/ and %-encoded bytes; "
            "backslashes, ; and bare % are refused"
        )
    segments = [_segment(part) for part in raw[1:].split(b"/")]
    if "" in segments[:-1]:
        raise AmbiguousPath("a path has no empty segments: write one slash, not two")
    return written("/" + "/".join(segments))


_known = lru_cache(maxsize=2048)(_read)
"""The same for short paths, which are asked for again and again; no refusal is kept."""


def written(text: str) -> Path:
    """Write a decoded path in its one spelling."""
    return Path(text, quote(text, safe=SAFE))


def _segment(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguousPath("a path's encoded bytes are UTF-8") from None
    if not text.isascii():
        _check_forms(text)
    if text in (".", ".."):
        raise AmbiguousPath("a path has no dot segments, encoded or not")
    if any(char in text for char in "/\\;") or _CONTROL.search(text):
        raise AmbiguousPath("a path has no encoded slash, backslash, ; or control character")
    if _ENCODED_AGAIN.search(text):
        raise AmbiguousPath("a path is encoded once, not twice")
    return text


def _check_forms(text: str) -> None:
    """Refuse other forms of what divides a path, such as a full-width slash or dot."""
    flat = unicodedata.normalize("NFKC", text)
    if "/" in flat or "\\" in flat or flat in (".", "..") or _ENCODED_AGAIN.search(flat):
        raise AmbiguousPath("a path has no characters that some servers read as / or .")


def normal_query(raw: bytes) -> str:
    """Read a query as it stands: printable ASCII, passed on byte for byte.

    Raises: Malformed `malformed-query`.
    """
    if len(raw) > QUERY_BYTES_MAX:
        raise Malformed("malformed-query", f"a query has at most {QUERY_BYTES_MAX} bytes")
    if _QUERY.fullmatch(raw) is None:
        raise Malformed("malformed-query", "a query is printable ASCII without spaces and #")
    return raw.decode("ascii")
