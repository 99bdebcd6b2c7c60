"""Where events are sent."""

from typing import Annotated

import msgspec

from farthing.core.webhooks import OVERLAP_SECONDS
from farthing.web.api.bodies.base import Body, Ident, NameOrNone, Names

Url = Annotated[str, msgspec.Meta(max_length=1000, examples=["https://shop.example/paid"])]
EventNumber = Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,17})$", examples=["4096"])]


class WebhookBody(Body, frozen=True, kw_only=True):
    """Where events are sent; `kinds` are such as `payment.captured`, or `payment.*`.

    Without any, all are sent.
    """

    url: Url
    kinds: Names = []
    label: NameOrNone = ""
    owner: Ident | None = None


class RotateWebhookBody(Body, frozen=True, kw_only=True):
    """For how long the last secret signs as well."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = OVERLAP_SECONDS


class ReplayBody(Body, frozen=True, kw_only=True):
    """Which events are sent again: those after one, up to another or to the newest."""

    after: EventNumber = "0"
    until: EventNumber | None = None
