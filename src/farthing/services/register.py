"""The register of people: who they are, how they sign in, and where they are signed in."""

import hmac
from dataclasses import dataclass
from typing import Any

from farthing.clock import NS
from farthing.codec import to_base64url
from farthing.core.identities import IDENTITIES, Identity
from farthing.core.owners import OWNERS, OwnerRecord, Principal, Scope
from farthing.core.people import (
    PASSKEYS,
    PEOPLE,
    SIGN_IN_CODES,
    Passkey,
    Person,
    Role,
    SignInCode,
    sign_in_code_hash,
)
from farthing.core.signed_in import SEEN_EVERY_SECONDS, SIGNED_IN, Seen, SignedIn, session_hash
from farthing.errors import Forbidden, Missing, Unauthenticated, present
from farthing.services.context import Context
from farthing.services.secrets import SECRET_CHARACTERS_MAX, plain_code
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.queries import one

_SCOPES = {
    Role.OWNER: (Scope.OWNER, Scope.SELLER, Scope.READ),
    Role.OPERATOR: (Scope.OPERATOR,),
    Role.WARD: (Scope.READ,),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, in one browser.

    Shape: `csrf` is what every form of this session has to carry.
    """

    person: Person
    owner: OwnerRecord
    session: SignedIn
    csrf: str

    @property
    def is_operator(self) -> bool:
        """Whether this person looks after the hub as well."""
        return Role.OPERATOR in self.person.roles

    @property
    def is_ward(self) -> bool:
        """Whether a guardian says what is allowed."""
        return self.person.is_ward

    def principal(self) -> Principal:
        """Give who asks, as an owner: what pages show is the owner's own."""
        role = Role.WARD if self.person.is_ward else Role.OWNER
        return Principal(self.person.id, self.person.owner, frozenset(_SCOPES[role]))


@dataclass(frozen=True, slots=True)
class WaysIn:
    """What a person has to sign in with, as it stood at the count `seen`: used and removed too."""

    seen: int
    passkeys: list[Passkey]
    codes: list[SignInCode]

    def others(self, passkey: str) -> int:
        """Count the passkeys beside one."""
        return len([one for one in self.passkeys if not one.removed_ns and one.id != passkey])

    def unused(self, kind: str) -> list[bytes]:
        """Name the codes of a kind that were not used."""
        return [code.hash for code in self.codes if code.kind == kind and not code.used_ns]


class Register:
    """Looks people up."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def visitor(self, secret: str) -> Visitor | None:
        """Find who is signed in with this secret; None if nobody is, or no longer."""
        if len(secret) > SECRET_CHARACTERS_MAX:
            return None
        digest, now_ns = session_hash(secret), self._ctx.clock()

        def work(tx: Tx) -> tuple[SignedIn, Person, Passkey | Identity, OwnerRecord] | None:
            session = one(tx, SIGNED_IN, digest)
            person = one(tx, PEOPLE, session.person) if session is not None else None
            if session is None or person is None:
                return None
            owner = present(one(tx, OWNERS, person.owner), "owners are kept")
            return session, person, _began_by(tx, session), owner

        found = await self._ctx.database.read(work)
        if found is None:
            return None
        session, person, means, owner = found
        if person.removed_ns or means.removed_ns or not session.holds_at(now_ns):
            return None
        if now_ns - session.seen_ns > SEEN_EVERY_SECONDS * NS:
            await self._ctx.books.commit_one(Seen(digest))
        csrf = hmac.digest(secret.encode(), b"farthing-csrf-1", "sha256")
        return Visitor(person, owner, session, to_base64url(csrf))

    async def identities(self, person: str) -> list[Identity]:
        """List by which identities a person signs in."""
        found = await self._ctx.database.read(lambda tx: _of_person(tx, IDENTITIES, person))
        return [one for one in found if not one.removed_ns]

    async def sessions(self, person: str) -> list[SignedIn]:
        """List where a person is signed in now, newest first."""
        now_ns = self._ctx.clock()
        found = await self._ctx.database.read(lambda tx: _of_person(tx, SIGNED_IN, person))
        here = [session for session in found if session.holds_at(now_ns)]
        return sorted(here, key=lambda session: session.seen_ns, reverse=True)

    async def begun(self, person: str) -> list[SignedIn]:
        """List where a person signed in and not out again, also where it ran out by itself."""
        found = await self._ctx.database.read(lambda tx: _of_person(tx, SIGNED_IN, person))
        return [session for session in found if not session.ended_ns]

    async def passkeys(self, person: str) -> list[Passkey]:
        """List a person's passkeys, oldest first."""
        found = await self._ctx.database.read(lambda tx: _of_person(tx, PASSKEYS, person))
        kept = [passkey for passkey in found if not passkey.removed_ns]
        return sorted(kept, key=lambda passkey: passkey.created_ns)

    async def recovery_codes(self, person: str) -> list[SignInCode]:
        """List the recovery codes that are still good."""
        found = await self._ctx.database.read(lambda tx: _of_person(tx, SIGN_IN_CODES, person))
        return [code for code in found if code.kind == "recovery" and not code.used_ns]

    async def ways_in(self, person: str) -> WaysIn:
        """Read at one moment what a person has to sign in with. Raises: Missing."""

        def work(tx: Tx) -> WaysIn | None:
            found = one(tx, PEOPLE, person)
            if found is None:
                return None
            codes = _of_person(tx, SIGN_IN_CODES, person)
            return WaysIn(found.ways_in, _of_person(tx, PASSKEYS, person), codes)

        found = await self._ctx.database.read(work)
        if found is None:
            raise Missing("no-such-person", "there is no such person here")
        return found

    async def of_code(self, code: str) -> tuple[SignInCode, Person]:
        """Find a code that may be used now, and for whom it is.

        Raises: Forbidden `bad-sign-in-code`; Malformed.
        """
        digest, now_ns = sign_in_code_hash(plain_code(code)), self._ctx.clock()

        def work(tx: Tx) -> tuple[SignInCode | None, Person | None]:
            found = one(tx, SIGN_IN_CODES, digest)
            return found, None if found is None else one(tx, PEOPLE, found.person)

        found, person = await self._ctx.database.read(work)
        if (
            found is None
            or person is None
            or person.removed_ns
            or found.used_ns
            or (found.expires_ns and now_ns >= found.expires_ns)
        ):
            raise Forbidden("bad-sign-in-code", "this code is unknown, used or too old")
        return found, person

    async def of_passkey(self, ident: str) -> tuple[Passkey, Person]:
        """Find a passkey that is good, and whose it is.

        Raises: Unauthenticated `bad-passkey`.
        """

        def work(tx: Tx) -> tuple[Passkey | None, Person | None]:
            found = one(tx, PASSKEYS, ident)
            return found, None if found is None else one(tx, PEOPLE, found.person)

        passkey, person = await self._ctx.database.read(work)
        if passkey is None or person is None or passkey.removed_ns or person.removed_ns:
            raise Unauthenticated("bad-passkey", "this passkey is not known here")
        return passkey, person


def _began_by(tx: Tx, session: SignedIn) -> Passkey | Identity:
    """Read what a session began with: it ends when that is taken away."""
    if session.identity:
        return present(one(tx, IDENTITIES, session.identity), "identities are kept")
    return present(one(tx, PASSKEYS, session.passkey), "passkeys are kept")


def _of_person(tx: Tx, table: Any, person: str) -> list[Any]:
    mapped = mapping(table)
    rows = tx.rows(f"{mapped.select} WHERE person = ?", (person,))
    return [mapped.row(row) for row in rows]
