"""What happened, and where it is sent."""

from typing import Any, NotRequired, TypedDict


class EventAnswer(TypedDict):
    """A fact that happened."""

    id: str
    kind: str
    subject: str
    at: str
    body: dict[str, Any]


class WebhookAnswer(TypedDict):
    """Where events are sent. The secret is in one answer and nowhere else.

    `why` says why it is off: owner, gone or failing.
    """

    id: str
    owner: str
    url: str
    label: str
    kinds: list[str]
    state: str
    why: str | None
    created_at: str
    changed_at: str
    secret: NotRequired[str]


class DeliveryAnswer(TypedDict):
    """One try to send an event; `status` is the answer's code, `fault` why it was no delivery."""

    id: str
    webhook: str
    event: str
    kind: str
    attempt: int
    status: int | None
    fault: str | None
    took_ms: int
    at: str


class ReplayAnswer(TypedDict):
    """What is being sent again."""

    webhook: str
    after: str
    until: str
