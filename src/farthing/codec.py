"""Strict text forms: canonical JSON and base64 that have exactly one spelling per value."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from farthing.errors import Malformed

_URL = re.compile(rb"[A-Za-z0-9_-]*")
_DEPTH_MAX = 32
_TEXT = {str}
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


_encode = msgspec.json.Encoder(order="deterministic").encode


def canonical_json(value: Any) -> bytes:
    """Write RFC 8785 JSON for values of strings, booleans, small integers, lists and objects.

    Source: RFC 8785; names are sorted by UTF-16 code units, and floats are not accepted.
    """
    if isinstance(value, dict) and _is_plain(cast(dict[str, Any], value)):
        return _encode(value)  # Names of ASCII sort alike as code points and as UTF-16.
    return json.dumps(
        _sorted(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def plain_json(members: Mapping[str, str | Mapping[str, str]]) -> bytes:
    """Write RFC 8785 JSON of texts under names of ASCII, without looking at them first."""
    return _encode(members)


def _is_plain(members: dict[str, Any]) -> bool:
    """Tell whether all members are text under names of ASCII, as in all that is signed often."""
    return {*map(type, members.values())} <= _TEXT and "".join(members).isascii()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        names = sorted(members, key=lambda name: name.encode("utf-16-be"))
        return {name: _sorted(members[name]) for name in names}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in cast(list[Any], value)]
    if isinstance(value, float):
        raise TypeError("floats have no place in canonical JSON here")
    return value


def read_json(raw: bytes | str) -> Any:
    """Read JSON strictly: no duplicate names, no NaN, no NUL, bounded depth, valid UTF-8.

    Raises: Malformed `malformed-json`.
    """
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        value = _READER.decode(text)
    except (ValueError, RecursionError) as problem:
        detail = str(problem) if isinstance(problem, _Strict) else "this is not JSON"
        raise Malformed("malformed-json", detail) from None
    if not _is_harmless(text):
        _check(value, 0)
    return value


def _is_harmless(text: str) -> bool:
    """Tell whether this can hold no NUL, no surrogate and no deep nesting, as most cannot."""
    brackets = text.count("{") + text.count("[")
    return text.isascii() and "\\u" not in text and brackets <= _DEPTH_MAX


class _Strict(ValueError):
    """A rule of ours, not of the parser's; its text may be shown."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Strict("a name stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise _Strict(f"{name} is not JSON")


def _small_int(digits: str) -> int:
    if len(digits) > 17:
        raise _Strict("integers of more than 53 bits must be strings")
    return int(digits)


_READER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_small_int
)
"""Made once: making one takes as long as reading a credential."""


def _check(value: Any, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise Malformed("malformed-json", f"nested deeper than {_DEPTH_MAX} levels")
    if isinstance(value, str):
        if "\0" in value:
            raise Malformed("malformed-json", "NUL is not allowed in text")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise Malformed("malformed-json", "lone surrogates are not text")
    elif isinstance(value, dict):
        for name, item in cast(dict[str, Any], value).items():
            _check(name, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            _check(item, depth + 1)


def to_base64url(raw: bytes) -> str:
    """Write base64url without padding."""
    return to_url(raw).decode()


def to_url(raw: bytes) -> bytes:
    """Write base64url without padding, as bytes of ASCII."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL, b"=")


def from_base64url(text: str) -> bytes:
    """Read base64url without padding, in its one canonical spelling.

    Raises: Malformed `malformed-base64`.
    """
    try:
        raw = text.encode("ascii")
        if _URL.fullmatch(raw) is None:
            raise ValueError
        value = from_url(raw)
    except (ValueError, binascii.Error):
        raise Malformed("malformed-base64", "this is not unpadded base64url") from None
    if to_base64url(value) != text:
        raise Malformed("malformed-base64", "this base64url has stray bits at its end")
    return value


def from_url(raw: bytes) -> bytes:
    """Read base64url without padding that is known to be spelled right."""
    return binascii.a2b_base64(raw.translate(_FROM_URL) + b"=" * (-len(raw) % 4))


def to_base64(raw: bytes) -> str:
    """Write standard base64 with padding."""
    return base64.b64encode(raw).decode()


def from_base64(text: str) -> bytes:
    """Read standard base64 with padding, in its one canonical spelling.

    Raises: Malformed `malformed-base64`.
    """
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise Malformed("malformed-base64", "this is not base64") from None
    if to_base64(value) != text:
        raise Malformed("malformed-base64", "this base64 has stray bits at its end")
    return value
