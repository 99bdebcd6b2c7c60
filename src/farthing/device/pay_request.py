"""What `farthing pay` is told on its command line, as a request; written as for curl."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from farthing.errors import Malformed

_FORM = ("content-type", "application/x-www-form-urlencoded")


class PayRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it will be sent."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None


def read_request(
    url: str, method: str | None, headers: Sequence[str], text: Sequence[str], binary: str | None
) -> PayRequest:
    """Read URL, method, header and data options.

    Raises: Malformed `malformed-option` for what cannot be a request.
    """
    if not url.startswith(("http://", "https://")):
        raise Malformed("malformed-option", "give the whole URL, with http:// or https://")
    if text and binary is not None:
        raise Malformed("malformed-option", "use -d or --data-binary, not both")
    fields = [_header(line) for line in headers]
    body = _body(text, binary)
    if body is not None and not any(name.lower() == "content-type" for name, _ in fields):
        fields.append(_FORM)
    chosen = method or ("GET" if body is None else "POST")
    return PayRequest(method=chosen.upper(), url=url, headers=fields, body=body)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise Malformed("malformed-option", f'write headers like -H "Accept: text/csv", not {line}')
    return name.strip(), value.strip()


def _body(text: Sequence[str], binary: str | None) -> bytes | None:
    if binary is not None:
        return _data(binary)
    if not text:
        return None
    # As curl does: several -d are joined by &, and -d @file drops line ends.
    return b"&".join(
        _data(one).replace(b"\r", b"").replace(b"\n", b"") if one.startswith("@") else one.encode()
        for one in text
    )


def _data(told: str) -> bytes:
    if not told.startswith("@"):
        return told.encode()
    if told == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(told[1:]).read_bytes()
    except OSError as fault:
        raise Malformed("malformed-option", f"{told[1:]}: {fault.strerror}") from None
