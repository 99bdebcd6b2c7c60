"""People: who may sign in for an owner, by which passkeys, and by which one-time codes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

from farthing.clock import NS
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.owners import OWNERS
from farthing.core.records import Read, Table, Write
from farthing.errors import Conflict, Forbidden, Missing, Unauthenticated

PASSKEYS_MAX = 20


class Role(StrEnum):
    """What a person may do: all of an owner's matters, or look after the hub as well.

    Shape: a ward, who is nothing else of the owner, sees all of it, denies and freezes; the others
           are its guardians, who say what is allowed.
    """

    OWNER = "owner"
    OPERATOR = "operator"
    WARD = "ward"


class Person(msgspec.Struct, frozen=True):
    """Somebody who signs in for an owner.

    Units: ns; `removed_ns` is 0 while they may. `ways_in` counts how often it was changed what is
           left to sign in with: whoever decides by all of it says at which count they read it.
    """

    id: str
    owner: str
    name: str
    roles: list[str]
    created_ns: int
    removed_ns: int = 0
    ways_in: int = 0

    @property
    def is_ward(self) -> bool:
        """Whether somebody else says what is allowed."""
        return Role.WARD in self.roles and Role.OWNER not in self.roles


class Passkey(msgspec.Struct, frozen=True):
    """A public key that a person's phone, computer or security key keeps the private part of.

    Units: ns.
    Shape: `id` is the credential's, in base64url; `public_key` is as COSE writes it.
    """

    id: str
    person: str
    public_key: bytes
    label: str
    sign_count: int
    created_ns: int
    used_ns: int = 0
    removed_ns: int = 0


class SignInCode(msgspec.Struct, frozen=True):
    """What lets a person add a passkey, once: a link that was made for them, or a recovery code.

    Units: ns; `expires_ns` is 0 for a recovery code, which waits until it is needed.
    Shape: only the code's hash is kept.
    """

    hash: bytes
    person: str
    kind: Literal["link", "recovery"]
    created_ns: int
    expires_ns: int = 0
    used_ns: int = 0


PEOPLE = Table("people", Person, "id", free=("name",))
PASSKEYS = Table("passkeys", Passkey, "id", free=("label", "sign_count", "used_ns"))
SIGN_IN_CODES = Table("sign_in_codes", SignInCode, "hash", free=())


def sign_in_code_hash(code: str) -> bytes:
    """Hash a code; it has random bits enough to make a slow hash needless."""
    return hashlib.sha256(b"farthing-sign-in-code-1\n" + code.encode()).digest()


def require_person(view: View, ident: str) -> Person:
    """Get a person who may still sign in.

    Raises: Missing.
    """
    person = view.get(PEOPLE, ident)
    if person is None or person.removed_ns:
        raise Missing("no-such-person", "there is no such person here")
    return person


def changing(view: View, ident: str, seen: int) -> Person:
    """Get a person whose ways in are as they were read, at the count `seen`, and count one change.

    Raises: Missing; Conflict `ways-in-changed`.
    """
    person = require_person(view, ident)
    if person.ways_in != seen:
        raise Conflict("ways-in-changed", "it was changed meanwhile how they sign in; try again")
    return msgspec.structs.replace(person, ways_in=seen + 1)


@dataclass(frozen=True, slots=True)
class InvitePerson:
    """Let somebody sign in for an owner, by a link that is good once."""

    person: Person
    code: bytes
    seconds: int
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Person]:
        """Make the person and the link together."""
        if view.get(OWNERS, self.person.owner) is None:
            raise Missing("no-such-owner", "there is no such owner here")
        person = msgspec.structs.replace(self.person, created_ns=view.now_ns)
        body = body_of(roles=" ".join(person.roles))
        fact = Fact(person.owner, Kind.PERSON_INVITED, person.id, body)
        link = _link(view, self.code, person.id, self.seconds)
        return state_change(view, person, [fact], [Write(PEOPLE, person), link])


@dataclass(frozen=True, slots=True)
class LinkPerson:
    """Make another link for somebody, who may have lost every passkey.

    Shape: older links, which were found at the count `seen`, are good no more: one of them may be
           what was lost.
    """

    person: str
    code: bytes
    seconds: int
    seen: int
    older: Sequence[bytes] = ()
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Person]:
        """Make the link. Raises: Missing; Conflict `ways-in-changed`."""
        person = changing(view, self.person, self.seen)
        fact = Fact(person.owner, Kind.PERSON_INVITED, person.id, {})
        link = _link(view, self.code, person.id, self.seconds)
        writes = [Write(PEOPLE, person), link, *_spent(view, self.older)]
        return state_change(view, person, [fact], writes)


def _link(view: View, code: bytes, person: str, seconds: int) -> Write:
    made = SignInCode(code, person, "link", view.now_ns, view.now_ns + seconds * NS)
    return Write(SIGN_IN_CODES, made)


@dataclass(frozen=True, slots=True)
class RemovePerson:
    """Let somebody in no more, from the next request on."""

    person: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Person]:
        """Remove them; again is no harm."""
        person = view.get(PEOPLE, self.person)
        if person is None:
            raise Missing("no-such-person", "there is no such person here")
        if person.removed_ns:
            return Outcome(person)
        after = msgspec.structs.replace(person, removed_ns=view.now_ns)
        fact = Fact(person.owner, Kind.PERSON_REMOVED, person.id, {})
        return state_change(view, after, [fact], [Write(PEOPLE, after)])


def usable_code(view: View, code: bytes) -> SignInCode:
    """Get a code that may be used now.

    Raises: Forbidden, the same for one that never was, is used up, or is too old.
    """
    found = view.get(SIGN_IN_CODES, code)
    if found is None or found.used_ns or (found.expires_ns and view.now_ns >= found.expires_ns):
        raise Forbidden("bad-sign-in-code", "this code is unknown, used or too old")
    return found


@dataclass(frozen=True, slots=True)
class AddPasskey:
    """Give a person a passkey: with a code, which is used up, or when they are signed in.

    Shape: `code` is empty where the person has just shown another passkey.
    """

    passkey: Passkey
    code: bytes = b""
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Passkey]:
        """Add it once."""
        person = require_person(view, self.passkey.person)
        if view.get(PASSKEYS, self.passkey.id) is not None:
            raise Conflict("passkey-known", "this passkey is known here already")
        added = msgspec.structs.replace(self.passkey, created_ns=view.now_ns, used_ns=view.now_ns)
        writes, by = [Write(PASSKEYS, added)], "passkey"
        if self.code:
            code = usable_code(view, self.code)
            if code.person != person.id:
                raise Forbidden("bad-sign-in-code", "this code is unknown, used or too old")
            used = msgspec.structs.replace(code, used_ns=view.now_ns)
            writes, by = [*writes, Write(SIGN_IN_CODES, used)], code.kind
        fact = Fact(person.owner, Kind.PASSKEY_ADDED, person.id, body_of(by=by))
        return state_change(view, added, [fact], writes)


@dataclass(frozen=True, slots=True)
class RemovePasskey:
    """Take a passkey away; the last one stays, or nobody could sign in.

    Shape: so many `others` there were at the count `seen`.
    """

    passkey: str
    person: str
    others: int
    seen: int
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Passkey]:
        """Remove it; again is no harm. Raises: Missing; Conflict."""
        found = view.get(PASSKEYS, self.passkey)
        if found is None or found.person != self.person:
            raise Missing("no-such-passkey", "there is no such passkey here")
        if found.removed_ns:
            return Outcome(found)
        person = changing(view, self.person, self.seen)
        if self.others < 1:
            raise Conflict("last-passkey", "add another passkey first")
        after = msgspec.structs.replace(found, removed_ns=view.now_ns)
        fact = Fact(person.owner, Kind.PASSKEY_REMOVED, person.id, {})
        return state_change(view, after, [fact], [Write(PEOPLE, person), Write(PASSKEYS, after)])


@dataclass(frozen=True, slots=True)
class MakeRecoveryCodes:
    """Give a person new recovery codes; older ones, found at the count `seen`, are used up."""

    person: str
    codes: Sequence[bytes]
    seen: int
    older: Sequence[bytes] = ()
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Person]:
        """Write the new ones and spend the old. Raises: Missing; Conflict `ways-in-changed`."""
        person = changing(view, self.person, self.seen)
        made = [SignInCode(code, person.id, "recovery", view.now_ns) for code in self.codes]
        fact = Fact(person.owner, Kind.RECOVERY_CODES_MADE, person.id, {})
        writes = [Write(PEOPLE, person), *(Write(SIGN_IN_CODES, code) for code in made)]
        return state_change(view, person, [fact], [*writes, *_spent(view, self.older)])


def _spent(view: View, codes: Sequence[bytes]) -> list[Write]:
    """Use up what is still good of these codes."""
    found = [view.get(SIGN_IN_CODES, code) for code in codes]
    return [
        Write(SIGN_IN_CODES, msgspec.structs.replace(code, used_ns=view.now_ns))
        for code in found
        if code is not None and not code.used_ns
    ]


def usable_passkey(view: View, ident: str) -> tuple[Passkey, Person]:
    """Get a passkey that may be signed in with now, and whose it is.

    Raises: Unauthenticated.
    """
    passkey = view.get(PASSKEYS, ident)
    person = view.get(PEOPLE, passkey.person) if passkey is not None else None
    if passkey is None or passkey.removed_ns or person is None or person.removed_ns:
        raise Unauthenticated("bad-passkey", "this passkey is not known here")
    return passkey, person
