"""What `farthing pay` is told on its command line, as a request; written as for curl."""

from collections.abc import Sequence

import msgspec

from farthing.errors import Malformed
from farthing.terminal.typed import header_fields, typed_file, typed_method, without_userinfo

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
    without_userinfo(url)
    if text and binary is not None:
        raise Malformed("malformed-option", "use -d or --data-binary, not both")
    fields = header_fields(headers)
    body = _body(text, binary)
    if body is not None and not any(name.lower() == "content-type" for name, _ in fields):
        fields.append(_FORM)
    chosen = typed_method(method) if method else ("GET" if body is None else "POST")
    return PayRequest(method=chosen, url=url, headers=fields, body=body)


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
    return typed_file(told[1:]) if told.startswith("@") else told.encode()
