"""Owners and their API keys: who may ask for what."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Forbidden, Missing

OPERATOR_OWNER = ""
"""The owner of operator's facts: nobody's events but the operator's."""


class Scope(StrEnum):
    """What a key may do. Each scope stands alone, but the operator may do all."""

    OPERATOR = "operator"
    OWNER = "owner"
    SELLER = "seller"
    READ = "read"
    METRICS = "metrics"


class OwnerRecord(msgspec.Struct, frozen=True):
    """A person or organisation that has accounts, devices and offers."""

    id: str
    name: str
    time_zone: str
    created_ns: int


class KeyRecord(msgspec.Struct, frozen=True):
    """An API key: only the hash of its secret is kept."""

    id: str
    owner: str
    hash: bytes
    scopes: list[str]
    label: str
    created_ns: int
    revoked_ns: int


OWNERS = Table("owners", OwnerRecord, "id", free=("name",))
KEYS = Table("api_keys", KeyRecord, "id", free=("label",))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: an owner's key, a device, or the operator at the hub's own socket."""

    name: str
    owner: str
    scopes: frozenset[str]
    device: str = ""

    def may(self, *scopes: Scope) -> bool:
        """Tell whether any of the scopes, or the operator's, is held."""
        return Scope.OPERATOR in self.scopes or any(scope in self.scopes for scope in scopes)

    def need(self, *scopes: Scope) -> None:
        """Stop who holds none of the scopes.

        Raises: Forbidden `scope-missing`.
        """
        if not self.may(*scopes):
            names = " or ".join(scope.value for scope in scopes) or Scope.OPERATOR.value
            raise Forbidden("scope-missing", f"this needs a key with the scope {names}")

    @property
    def sees(self) -> str | None:
        """The owner whose things may be seen; None for the operator, who sees all."""
        return None if Scope.OPERATOR in self.scopes else self.owner


def secret_hash(secret: str) -> bytes:
    """Hash a key's secret; its 256 random bits make a slow hash needless."""
    return hashlib.sha256(b"farthing-api-key-1\n" + secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class CreateOwner:
    """Make an owner."""

    id: str
    name: str
    time_zone: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[OwnerRecord]:
        """Make it once."""
        if view.get(OWNERS, self.id) is not None:
            raise Conflict("id-taken", "an owner has this id already")
        record = OwnerRecord(self.id, self.name, self.time_zone, view.now_ns)
        fact = Fact(self.id, Kind.OWNER_CREATED, self.id, {})
        return state_change(view, record, [fact], [Write(OWNERS, record)])


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Make an API key for an owner; its secret was shown once by who asked."""

    id: str
    owner: str
    hash: bytes
    scopes: Sequence[Scope]
    label: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[KeyRecord]:
        """Make it once, for an owner that exists."""
        if view.get(OWNERS, self.owner) is None:
            raise Missing("no-such-owner", "there is no such owner here")
        scopes = sorted(scope.value for scope in self.scopes)
        record = KeyRecord(self.id, self.owner, self.hash, scopes, self.label, view.now_ns, 0)
        fact = Fact(self.owner, Kind.KEY_CREATED, self.id, body_of(scopes=" ".join(scopes)))
        return state_change(view, record, [fact], [Write(KEYS, record)])


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """End an API key, from the next request on."""

    id: str
    owner: str | None
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[KeyRecord]:
        """Revoke it; again is no harm."""
        record = view.get(KEYS, self.id)
        if record is None or self.owner not in (None, record.owner):
            raise Missing("no-such-key", "there is no such key here")
        if record.revoked_ns:
            return Outcome(record)
        after = msgspec.structs.replace(record, revoked_ns=view.now_ns)
        fact = Fact(record.owner, Kind.KEY_REVOKED, self.id, {})
        return state_change(view, after, [fact], [Write(KEYS, after)])
