"""What an engine whose money a cluster keeps cannot have alike: its times are in every leaf.

So leaves, and the heads over them, have other bytes there; and with them receipts. All that they
say is compared, and their digests and signatures are left out: of an answer, of an answer that is
kept, and of what is written in base64 inside of one.
"""

import base64
import binascii
import dataclasses
import re
from typing import Any

from farthing.core.chain import Head
from farthing.services.audit import Report
from tests.equal.wire import Answer

_BYTES_OF_HEADS = re.compile(
    rb'(?<="rows":")[\w-]{43}|(?<="root":")[\w-]{43}|(?<="previous":")[\w-]{43}'
    rb'|(?<="digest":")[\w-]{43}|(?<="head":")[0-9a-f]{64}|(?<="path":\[)["\w,-]*'
    rb'|(?<="signature":")[\w-]{86}(?="\}\})'
)
_WRAPPED = re.compile(rb"[\w+/-]{300,}={0,2}")


class OfHeads(bytes):
    """Bytes of a digest that covers a cluster's times."""


def blurred(told: Any) -> Any:
    """Leave out what covers a cluster's times."""
    if isinstance(told, OfHeads):
        return b""
    if isinstance(told, Head):
        return (told.number, told.chain, told.leaves, told.time_ns, told.key)
    if isinstance(told, Report):
        return dataclasses.replace(told, head="")
    if isinstance(told, Answer):
        return Answer(told.status, blurred(told.fields), blurred(told.body))
    if isinstance(told, list | tuple):
        return [blurred(each) for each in told]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(told, str):
        return _blur(told.encode()).decode()
    return _blur(told) if isinstance(told, bytes) else told


def _blur(text: bytes) -> bytes:
    return _WRAPPED.sub(_unwrap, _BYTES_OF_HEADS.sub(b"", text))


def _unwrap(found: re.Match[bytes]) -> bytes:
    wrapped = found[0].rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
    try:
        text = base64.urlsafe_b64decode(wrapped + b"=" * (-len(wrapped) % 4))
    except binascii.Error:
        return found[0]
    return _BYTES_OF_HEADS.sub(b"", text) if text.startswith(b"{") else found[0]
