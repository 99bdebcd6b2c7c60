"""Signed messages, as the Standard Webhooks specification has them.

Source: standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from farthing.clock import write_time_ns
from farthing.codec import to_base64
from farthing.core.events import Event
from farthing.core.webhooks import Secret, Webhook

PREFIX = "whsec_"


def written_secret(key: bytes) -> str:
    """Write a secret as its consumer gets it."""
    return PREFIX + to_base64(key)


def message_id(webhook: Webhook, event: int) -> str:
    """Name a message: the same however often it is sent."""
    return f"msg_{webhook.id.partition('_')[2]}_{event}"


def message_body(event: Event) -> bytes:
    """Write what is sent of an event: its kind, when it happened, and what its owner may know."""
    told: dict[str, Any] = {
        "type": event.kind,
        "timestamp": write_time_ns(event.time_ns),
        "data": {"event": str(event.number), "subject": event.subject, **event.body},
    }
    return msgspec.json.encode(told)


def signatures(ident: str, now_s: int, body: bytes, secrets: Sequence[Secret]) -> str:
    """Sign a message with each secret that is still good.

    Units: `now_s` is in Unix seconds.
    """
    content = f"{ident}.{now_s}.".encode() + body
    good = [one.key for one in secrets if not one.until_ns or one.until_ns > now_s * 10**9]
    made = [hmac.digest(key, content, hashlib.sha256) for key in good]
    return " ".join(f"v1,{to_base64(each)}" for each in made)


def signed_headers(
    ident: str, now_s: int, body: bytes, secrets: Sequence[Secret]
) -> list[tuple[str, str]]:
    """Give the headers of a signed message."""
    return [
        ("Content-Type", "application/json"),
        ("User-Agent", "farthing-webhooks/1"),
        ("webhook-id", ident),
        ("webhook-timestamp", str(now_s)),
        ("webhook-signature", signatures(ident, now_s, body, secrets)),
    ]
