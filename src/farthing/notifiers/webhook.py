"""Notices to a program of somebody's own: signed, as the Standard Webhooks specification has it.

Source: standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

from collections.abc import Awaitable, Callable

import msgspec

from farthing.clock import NS, Clock, write_time_ns
from farthing.codec import from_base64url
from farthing.core.webhooks import Secret
from farthing.notifiers.base import Notice, Post, Posted
from farthing.notifiers.outside import Networks, check_url
from farthing.notifiers.signed import signed_headers


def message_of(notice: Notice, now_ns: int) -> bytes:
    """Write a notice as a message: its kind, when it is told, and what it says."""
    text = notice.text
    told = {
        "id": notice.ident,
        "about": notice.about,
        "lang": notice.language,
        "title": text.title,
        "body": text.body,
        "why": text.why,
        "url": notice.open_url,
        "stop_url": notice.stop_url,
        "subject": notice.subject,
    }
    return msgspec.json.encode(
        {"type": f"notice.{notice.about}", "timestamp": write_time_ns(now_ns), "data": told}
    )


class PersonsWebhook:
    """A signed request as a way of telling somebody."""

    def __init__(
        self,
        post: Post,
        networks: Networks,
        clock: Clock,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._post, self._networks, self._clock, self._close = post, networks, clock, close

    def check(self, place: str, keys: str) -> None:  # noqa: ARG002
        """Look at a URL before it is kept. Raises: Malformed."""
        check_url(place, self._networks)

    async def tell(self, place: str, keys: str, notice: Notice) -> Posted:
        """Send it once; the id is the same however often."""
        now_ns = self._clock()
        body = message_of(notice, now_ns)
        ident = "msg_" + notice.ident.replace(".", "_")
        secrets = [Secret(from_base64url(keys))]
        headers = signed_headers(ident, now_ns // NS, body, secrets)
        return await self._post(place, headers, body)

    async def close(self) -> None:
        """Let go of what posts."""
        await self._close()
