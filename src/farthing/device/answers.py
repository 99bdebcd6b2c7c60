"""What a seller's answer to a credential means: the one place that reads statuses and codes."""

from enum import Enum, auto
from typing import Any, NamedTuple, cast

import httpx

from farthing.device.hub_calls import ANSWER_BYTES_MAX, read_object, text_of
from farthing.device.patience import retry_after

_WAITING = frozenset({429, 502, 503, 504})
_UNREADABLE = "malformed-credential"


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
    """Understand an answer; the body is read only where it is a problem."""
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
    """Read an error's body into the response; one that is too long for a problem stays unread."""
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length[:12]) > ANSWER_BYTES_MAX:
        return b""
    try:
        return await response.aread()
    except (httpx.TransportError, httpx.StreamError, httpx.DecodingError):
        return b""
