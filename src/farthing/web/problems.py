"""Every refusal over HTTP is an RFC 9457 problem with a stable code."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from farthing.errors import FarthingError
from farthing.web.asgi import RawHeaders, Send, raw_headers

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

MPP_PROBLEMS = "https://paymentauth.org/problems/"
MPP_CODES = frozenset(
    {
        "payment-required",
        "payment-insufficient",
        "payment-expired",
        "verification-failed",
        "method-unsupported",
        "malformed-credential",
        "invalid-challenge",
    }
)
"""Codes of the public registry of payment problems, whose type URIs clients know."""

_MPP_NAMES = {code: code for code in MPP_CODES} | {"order-expired": "payment-expired"}


class HttpProblem(FarthingError):
    """A refusal that exists only over HTTP, with the status that says it best."""

    def __init__(self, status: int, code: str, detail: str = "", **more: Any) -> None:
        super().__init__(code, detail, **more)
        self.answer_status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: RawHeaders = field(default_factory=list[tuple[bytes, bytes]])
    body: bytes = b""

    @property
    def size(self) -> int:
        """Count the bytes it takes to keep this answer."""
        return len(self.body) + sum(len(name) + len(value) + 64 for name, value in self.headers)


def status_of(error: FarthingError) -> int:
    """Give the HTTP status of an error."""
    return int(getattr(error, "answer_status", error.status))


def problem_answer(error: FarthingError, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """Write an error as a problem, with `headers` before its own.

    Shape:  429, 503 and 504 carry `Retry-After`; a detail of an internal fault is not shown; no
            problem is kept by a cache.
    """
    status = status_of(error)
    body = error.problem() | {"status": status}
    if isinstance(error, HttpProblem):
        body["title"] = HTTPStatus(status).phrase
    if error.code in _MPP_NAMES:
        body["type"] = MPP_PROBLEMS + _MPP_NAMES[error.code]
    if status == 500:
        body.pop("detail", None)
    fields = list(headers)
    if status in (429, 503, 504) and not any(name.lower() == "retry-after" for name, _ in fields):
        fields.append(("retry-after", str(error.more.get("retry_after", RETRY_AFTER_SECONDS))))
    raw = json.dumps(body, ensure_ascii=False).encode()
    fields += [
        ("content-type", MEDIA_TYPE),
        ("content-length", str(len(raw))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ]
    return Answer(status, raw_headers(fields), raw)


async def send_answer(send: Send, answer: Answer, *, head: bool = False) -> None:
    """Send a whole answer; after HEAD without its body."""
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)}
    )
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
