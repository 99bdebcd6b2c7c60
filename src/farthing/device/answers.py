"""What a seller's answer to a credential means: the one place that reads statuses and codes."""

import zlib
from enum import Enum, auto
from typing import Any, NamedTuple, cast

import httpx

from farthing.device.hub_calls import ANSWER_BYTES_MAX, read_object, text_of
from farthing.device.patience import retry_after
from farthing.device.peeked import Peeked

_WAITING = frozenset({429, 502, 503, 504})
_UNREADABLE = "malformed-credential"
_ZLIB_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Meaning(Enum):
    """What to do next."""

    ANSWERED = auto()  # What was asked for, or a plain error that cost nothing.
    WAIT = auto()  # Busy, or still at work: the same credential again.
    AWAITING_OWNER = auto()
    REFUSED = auto()
    ALREADY_PAID = auto()
    TROUBLE = auto()  # The seller failed: ask the hub whether money was taken.


class Verdict(NamedTuple):
    """A meaning with its code and detail, when to come back, and the receipt of a 409."""

    meaning: Meaning
    code: str = ""
    detail: str = ""
    retry_after_seconds: float = 0.0
    receipt: dict[str, Any] | None = None


async def read_answer(response: httpx.Response, now_ns: int) -> Verdict:
    """Understand an answer; the body is looked at only where it may be a problem."""
    status = response.status_code
    if status < 400:
        return Verdict(Meaning.ANSWERED)
    problem = read_object(await bounded_body(response))
    code = text_of(problem, "code") or text_of(problem, "error")
    detail = text_of(problem, "detail")
    wait = retry_after(response.headers.get("retry-after", ""), now_ns)
    told = problem.get("receipt")
    receipt = cast(dict[str, Any], told) if isinstance(told, dict) else None
    return Verdict(_meaning(status, code, wait), code, detail, wait, receipt)


def _meaning(status: int, code: str, wait: float) -> Meaning:
    if status == 402 or (status == 400 and code == _UNREADABLE):
        return Meaning.REFUSED
    if status == 403 and code == "awaiting-owner":
        return Meaning.AWAITING_OWNER
    if status == 409 and code == "already-paid":
        return Meaning.ALREADY_PAID
    if status in _WAITING or (status == 409 and (wait > 0 or code == "payment-in-progress")):
        return Meaning.WAIT
    return Meaning.TROUBLE if status >= 500 else Meaning.ANSWERED


async def bounded_body(response: httpx.Response) -> bytes:
    """Read an error's body as far as a problem can reach; nothing of a longer or broken one.

    Shape: whoever reads the response after this gets all of it, as it came.
    """
    body = Peeked(cast(httpx.AsyncByteStream, response.stream))
    response.stream = body
    raw = await body.peek(ANSWER_BYTES_MAX)
    return _unpacked(raw, response.headers.get("content-encoding", "identity"))


def _unpacked(raw: bytes, coding: str) -> bytes:
    """Undo a compression, as far as a problem can reach; nothing of what is longer or broken."""
    if coding == "identity":
        return raw
    if coding not in _ZLIB_WINDOWS:
        return b""
    unpacker = zlib.decompressobj(_ZLIB_WINDOWS[coding])
    try:
        plain = unpacker.decompress(raw, ANSWER_BYTES_MAX)
    except zlib.error:
        return b""
    return plain if unpacker.eof else b""
