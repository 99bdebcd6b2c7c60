"""Who owns what here, and who they are."""

from typing import NotRequired, TypedDict


class OwnerAnswer(TypedDict):
    """An owner."""

    id: str
    name: str
    time_zone: str
    created_at: str


class PersonAnswer(TypedDict):
    """Somebody who signs in to the pages for an owner."""

    id: str
    owner: str
    name: str
    roles: list[str]
    created_at: str
    removed_at: str | None


class LinkAnswer(PersonAnswer):
    """A link that lets a person make a passkey, once; it is in this answer and nowhere else."""

    link: str
    link_seconds: int


class KeyAnswer(TypedDict):
    """An API key; its secret is in the answer that made it and nowhere else."""

    id: str
    owner: str
    scopes: list[str]
    label: str
    created_at: str
    revoked_at: str | None
    secret: NotRequired[str]
