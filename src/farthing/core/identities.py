"""Identities: who somebody is at their organisation, and which person that is here.

An identity is an issuer and a subject, and never an e-mail address: those change hands. It is kept
as a hash. It is tied to a person by that person, who is signed in and shows a passkey; or by the
operator's settings, which make a person of it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing.clock import NS
from farthing.codec import canonical_json, to_base64url
from farthing.core.decisions import Outcome, View
from farthing.core.events import Fact, Kind
from farthing.core.facts import body_of, state_change
from farthing.core.owners import OWNERS
from farthing.core.people import PEOPLE, Person, require_person
from farthing.core.records import Read, Table, Write
from farthing.core.signed_in import SIGNED_IN, SignedIn, followed
from farthing.errors import Conflict, Forbidden, Missing


class Identity(msgspec.Struct, frozen=True):
    """Somebody at an organisation. Units: ns; `removed_ns` is 0 while they may sign in by it.

    Shape: `id` is `identity_id`; `provisioned` where the settings made the person, whose roles then
           follow the organisation at each sign-in.
    """

    id: str
    person: str
    provisioned: bool
    created_ns: int
    used_ns: int = 0
    removed_ns: int = 0


IDENTITIES = Table("identities", Identity, "id", free=("used_ns",))


def identity_id(issuer: str, subject: str) -> str:
    """Name an identity by both: a subject is an issuer's own word."""
    content = b"farthing-identity-1\n" + canonical_json([issuer, subject])
    return to_base64url(hashlib.sha256(content).digest())


def not_invited() -> Forbidden:
    """Refuse whom nobody has tied to a person here; why is the operator's to see."""
    return Forbidden("not-invited", "your organisation knows you, and this hub does not")


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    """Let a person, who has just shown a passkey, sign in by their organisation as well."""

    identity: str
    person: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Identity]:
        """Tie it once; one that is somebody else's stays theirs."""
        person = require_person(view, self.person)
        before = view.get(IDENTITIES, self.identity)
        if before is not None and not before.removed_ns:
            if before.person != person.id:
                raise Conflict("identity-known", "this is how somebody else signs in here")
            return Outcome(before)
        made = Identity(self.identity, person.id, provisioned=False, created_ns=view.now_ns)
        fact = Fact(person.owner, Kind.IDENTITY_LINKED, person.id, body_of(by="passkey"))
        return state_change(view, made, [fact], [Write(IDENTITIES, made)])


@dataclass(frozen=True, slots=True)
class UnlinkIdentity:
    """Let a person sign in by their organisation no more; who came by it alone stays out."""

    identity: str
    person: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Identity]:
        """Untie it; again is no harm."""
        person = require_person(view, self.person)
        before = view.get(IDENTITIES, self.identity)
        if before is None or before.person != person.id:
            raise Missing("no-such-identity", "this is not how you sign in here")
        if before.removed_ns:
            return Outcome(before)
        after = msgspec.structs.replace(before, removed_ns=view.now_ns)
        fact = Fact(person.owner, Kind.IDENTITY_UNLINKED, person.id, {})
        return state_change(view, after, [fact], [Write(IDENTITIES, after)])


@dataclass(frozen=True, slots=True)
class SignInByIdentity:
    """Sign somebody in whom their organisation vouches for: a new secret, as by passkey.

    Units: the session lasts `seconds` at most.
    Shape: `allowed` is the person whom the settings make of them, with the roles that they have
           now; None where the settings make nobody. `before` is the browser's session, which ends.
    """

    identity: str
    allowed: Person | None
    hash: bytes
    agent: str
    seconds: int
    before: bytes = b""
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Person]:
        """Find or make the person, and write the session.

        Raises: Forbidden `not-invited`.
        """
        known = view.get(IDENTITIES, self.identity)
        writes: list[Write] = []
        facts: list[Fact] = []
        if known is None:
            person, identity = self._make(view, writes, facts)
        else:
            person, identity = self._known(view, known, writes, facts)
        used = msgspec.structs.replace(identity, used_ns=view.now_ns)
        writes.append(Write(IDENTITIES, used))
        session = SignedIn(
            self.hash, person.id, "", self.agent, view.now_ns, view.now_ns,
            view.now_ns + self.seconds * NS, identity=identity.id,
        )  # fmt: skip
        left = followed(view, self.before, session)
        writes += [Write(SIGNED_IN, session), *left.writes]
        facts.append(Fact(person.owner, Kind.PERSON_SIGNED_IN, person.id, {"agent": self.agent}))
        facts += left.facts
        return state_change(view, person, facts, writes)

    def _make(self, view: View, writes: list[Write], facts: list[Fact]) -> tuple[Person, Identity]:
        if self.allowed is None or view.get(OWNERS, self.allowed.owner) is None:
            raise not_invited()
        person = msgspec.structs.replace(self.allowed, created_ns=view.now_ns)
        body = body_of(roles=" ".join(person.roles))
        writes.append(Write(PEOPLE, person))
        facts.append(Fact(person.owner, Kind.PERSON_PROVISIONED, person.id, body))
        return person, Identity(self.identity, person.id, True, view.now_ns)

    def _known(
        self, view: View, known: Identity, writes: list[Write], facts: list[Fact]
    ) -> tuple[Person, Identity]:
        person = view.get(PEOPLE, known.person)
        if person is None or person.removed_ns or known.removed_ns:
            raise not_invited()
        if not known.provisioned:
            return person, known
        if self.allowed is None or self.allowed.owner != person.owner:
            raise not_invited()  # The organisation lets them in no more.
        if self.allowed.roles != person.roles:
            person = msgspec.structs.replace(person, roles=self.allowed.roles)
            writes.append(Write(PEOPLE, person))
            body = body_of(roles=" ".join(person.roles))
            facts.append(Fact(person.owner, Kind.PERSON_PROVISIONED, person.id, body))
        return person, known
