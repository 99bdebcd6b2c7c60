"""Orders, and what becomes of them."""

from typing import Annotated, Literal

import msgspec

from farthing.core.cases import REASON_CHARACTERS_MAX
from farthing.core.places import PLACE_CHARACTERS_MAX
from farthing.web.api.bodies.base import Body, Ident, Text, Units

Place = Annotated[str, msgspec.Meta(max_length=PLACE_CHARACTERS_MAX, examples=["203.0.113.0/24"])]


class OrderBody(Body, frozen=True, kw_only=True):
    """An order's members, exactly as they are signed."""

    amount: Text
    asset: Text
    device: Text
    expires: Text
    hub: Text
    nonce: Text
    payee: Text
    challenge: Text = ""
    resource: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class PaymentBody(Body, frozen=True, kw_only=True):
    """A signed order, to be paid at once."""

    order: OrderBody
    signature: Text
    category: Text = ""


class SignedBody(Body, frozen=True, kw_only=True):
    """A signed order."""

    order: OrderBody
    signature: Text


class BatchBody(Body, frozen=True, kw_only=True):
    """Orders that are signed one by one; or one `batch` in base64url with its one signature."""

    payments: Annotated[list[SignedBody], msgspec.Meta(max_length=1000)] = []
    batch: Annotated[str, msgspec.Meta(max_length=1_048_576)] = ""
    signature: Text = ""


class CancelBody(Body, frozen=True, kw_only=True):
    """An order that is never to be paid; its device signs that in words of its own."""

    order: OrderBody
    signature: Text


class OnceBody(Body, frozen=True, kw_only=True):
    """A buyer's idempotency key: one payment for it and its content."""

    method: Annotated[str, msgspec.Meta(max_length=10)]
    route: Annotated[str, msgspec.Meta(max_length=4096)]
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    content: Annotated[str, msgspec.Meta(min_length=43, max_length=43)]


class AuthoriseBody(Body, frozen=True, kw_only=True):
    """A signed order that a seller received, and how it wants the money.

    `offer` is the offer in the hub that it is for, if it is for one. `place` is the network that
    the buyer asked from, as the seller saw it: an IPv4 `/24` or an IPv6 `/48`; the hub judges by
    it, and writes it down nowhere.
    """

    order: OrderBody
    signature: Text
    hold_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60
    capture: bool = False
    category: Text = ""
    only_recorded: bool = False
    claim: Annotated[str, msgspec.Meta(max_length=64)] = ""
    once: OnceBody | None = None
    offer: Text = ""
    place: Place = ""


class CaptureBody(Body, frozen=True, kw_only=True):
    """How much of a hold to capture; all of it if left out."""

    units: Units | None = None


class ReasonBody(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Text = ""


class VerdictBody(Body, frozen=True, kw_only=True):
    """What a flagged payment was, and why. `anew` decides once more what was decided."""

    verdict: Literal["fraud", "legitimate", "unclear"]
    reason: Annotated[
        str,
        msgspec.Meta(
            max_length=REASON_CHARACTERS_MAX, pattern=r"\S", examples=["the locker was broken open"]
        ),
    ]
    anew: bool = False


class RefundBody(Body, frozen=True, kw_only=True):
    """How much to give back; all that is left if left out. `id` is `ref_…`, made by you."""

    id: Ident | None = None
    units: Units | None = None
    reason: Text = ""
