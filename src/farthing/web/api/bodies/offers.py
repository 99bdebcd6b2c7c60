"""What is for sale."""

from typing import Annotated, Any, Literal

import msgspec

from farthing.core.sessions import GRACE_SECONDS, GRACE_SECONDS_MAX, LIFETIME_SECONDS_MAX
from farthing.core.usage import LIFETIME_SECONDS
from farthing.money import UNITS_MAX
from farthing.web.api.bodies.base import Body, Ident, Moment, Names, Text, Units


class FeeBody(Body, frozen=True, kw_only=True):
    """What an offer's payee gives to another account of each payment; `ppm` is in millionths."""

    account: Ident
    ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    flat: Units = "0"
    minimum: Units = "0"
    rounding: Literal["down", "up", "half-even"] = "down"
    on_refund: Literal["return", "keep"] = "return"


class MeteredBody(Body, frozen=True, kw_only=True):
    """How an offer is metered: the tariff that its sessions agree to, and what payers are told."""

    tariff: dict[str, Any]
    reserve: Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX)] = 1
    deposit: Units = "0"
    lifetime_seconds: Annotated[int, msgspec.Meta(ge=1, le=LIFETIME_SECONDS_MAX)] = LIFETIME_SECONDS
    grace_seconds: Annotated[int, msgspec.Meta(ge=0, le=GRACE_SECONDS_MAX)] = GRACE_SECONDS


class OfferBody(Body, frozen=True, kw_only=True):
    """A price tag: an `amount`, or how it is `metered`."""

    payee: Ident
    method: Text = "GET"
    path: Text
    asset: Text
    amount: Units | None = None
    description: Text = ""
    category: Text = ""
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    free_for: Names = []
    listed_at: Text = ""
    fee: FeeBody | None = None
    metered: MeteredBody | None = None
