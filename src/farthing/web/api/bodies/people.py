"""Owners, people and keys."""

from typing import Literal

from farthing.web.api.bodies.base import Body, Ident, Name, NameOrNone, Text


class OwnerBody(Body, frozen=True, kw_only=True):
    """A new owner."""

    name: Name
    time_zone: Text = "UTC"


class PersonBody(Body, frozen=True, kw_only=True):
    """Somebody who signs in to the pages for an owner."""

    name: Name
    roles: list[Literal["owner", "operator", "ward"]]
    owner: Ident | None = None


class KeyBody(Body, frozen=True, kw_only=True):
    """A new API key. Only the operator may name another owner."""

    scopes: list[Literal["operator", "owner", "seller", "read", "metrics"]]
    label: NameOrNone = ""
    owner: Ident | None = None
