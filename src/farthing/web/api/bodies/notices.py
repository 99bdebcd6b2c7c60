"""What a person is told, and by which way."""

from typing import Annotated, Literal

import msgspec

from farthing.core.notices import DIGEST_SECONDS_MAX
from farthing.web.api.bodies.base import Body, NameOrNone, Names, Text

Seconds = Annotated[int, msgspec.Meta(ge=0, le=DIGEST_SECONDS_MAX)]
Ways = Annotated[
    list[Literal["push", "email", "sms", "webhook", "apprise"]], msgspec.Meta(max_length=5)
]


class WishBody(Body, frozen=True, kw_only=True):
    """How a class of notices is told: the first of these ways that works; none turns it off."""

    ways: Ways
    digest_seconds: Seconds = 0


class ClassesBody(Body, frozen=True, kw_only=True):
    """What a person is told. A class that is left out stays as it is."""

    security: WishBody | None = None
    money: WishBody | None = None
    account: WishBody | None = None
    summary: WishBody | None = None


class WishesBody(Body, frozen=True, kw_only=True):
    """What a person wants to be told, and when. What is left out stays as it is."""

    classes: ClassesBody = ClassesBody()
    quiet: Names | None = None
    time_zone: Text | None = None
    language: Literal["en", "de"] | None = None
    shows_amounts: bool | None = None


class PushKeysBody(Body, frozen=True, kw_only=True):
    """A browser's keys for its pushes, as its subscription has them."""

    p256dh: Text
    auth: Text


class AddressBody(Body, frozen=True, kw_only=True):
    """Where a person wants to be told: a mailbox, a number, a URL."""

    way: Literal["push", "email", "sms", "webhook", "apprise"]
    place: Annotated[str, msgspec.Meta(max_length=1000, examples=["ada@home.example"])]
    label: NameOrNone = ""
    keys: PushKeysBody | None = None


class AddressCodeBody(Body, frozen=True, kw_only=True):
    """The code that was sent to an address."""

    code: Annotated[str, msgspec.Meta(max_length=20, examples=["042137"])]
