"""What a person is told, and by which way."""

from typing import NotRequired, TypedDict


class WishAnswer(TypedDict):
    """How a class of notices is told."""

    ways: list[str]
    digest_seconds: int


class AddressAnswer(TypedDict):
    """Where a person is told. `state` is unproven, on or removed; `place` then is gone.

    `secret` signs what is sent to a URL; it is in one answer and nowhere else.
    """

    id: str
    person: str
    way: str
    place: str | None
    label: str
    state: str
    why: str | None
    created_at: str
    proven_at: str | None
    removed_at: str | None
    secret: NotRequired[str]


class WishesAnswer(TypedDict):
    """What a person is told, how, when and where.

    `ways` are those that the hub has; `push_key` is its public key for pushes, where it has them.
    """

    person: str
    owner: str
    classes: dict[str, WishAnswer]
    quiet: list[str]
    time_zone: str
    language: str
    shows_amounts: bool
    addresses: list[AddressAnswer]
    ways: list[str]
    push_key: str | None


class NoticeTryAnswer(TypedDict):
    """One try to tell one notice at one address; `fault` says why it was not told."""

    id: str
    notice: str
    person: str
    about: str
    way: str | None
    address: str | None
    events: int
    attempt: int
    status: int | None
    fault: str | None
    took_ms: int
    at: str
