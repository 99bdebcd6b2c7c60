"""Devices, and what they may spend."""

from typing import Annotated, Literal

import msgspec

from farthing.core.mandates import BUDGETS_MAX
from farthing.web.api.bodies.base import Body, Ident, Moment, NameOrNone, Names, Text, Units


class BudgetBody(Body, frozen=True, kw_only=True):
    """A limit per period: `day`, `week`, `month`, or a length such as `15m`."""

    name: NameOrNone
    per: Text
    limit: Units
    payees: Names = []
    categories: Names = []


class MandateBody(Body, frozen=True, kw_only=True):
    """What a device may spend. Empty lists allow everything."""

    asset: Text
    name: NameOrNone = ""
    largest: Units | None = None
    budgets: Annotated[list[BudgetBody], msgspec.Meta(max_length=BUDGETS_MAX)] = []
    payees: Names = []
    categories: Names = []
    hours: Names = []
    time_zone: Text | None = None
    expires: Moment | None = None
    ask_above: Units | None = None
    two_above: Units | None = None
    ask_seconds: Annotated[int, msgspec.Meta(ge=10, le=604_800)] = 900
    on_timeout: Literal["refuse", "allow"] = "refuse"
    owner: Ident | None = None


class InvitationBody(Body, frozen=True, kw_only=True):
    """An invitation for a device: what it will spend from, and under which mandate."""

    account: Ident
    mandate: Ident
    name: NameOrNone = ""
    seconds: Annotated[int, msgspec.Meta(ge=30, le=86_400)] = 600


class EnrolBody(Body, frozen=True, kw_only=True):
    """A device takes up its invitation."""

    code: Text
    public_key: Text
    signature: Text


class RotateBody(Body, frozen=True, kw_only=True):
    """A device names its next key; both keys sign."""

    public_key: Text
    signature_old: Text
    signature_new: Text
    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = 3600


class AssignBody(Body, frozen=True, kw_only=True):
    """The mandate a device is put under."""

    mandate: Ident
