"""People: invited, signed in by passkeys, recovered, signed out. Secrets are kept as hashes."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from farthing.clock import NS
from farthing.codec import from_base64url, to_base64url
from farthing.core.decisions import Unit
from farthing.core.owners import OWNERS, OwnerRecord, Principal, Scope
from farthing.core.people import (
    PASSKEYS,
    PASSKEYS_MAX,
    PEOPLE,
    SIGN_IN_CODES,
    AddPasskey,
    InvitePerson,
    LinkPerson,
    MakeRecoveryCodes,
    Passkey,
    Person,
    RemovePasskey,
    Role,
    SignInCode,
    sign_in_code_hash,
)
from farthing.core.signed_in import (
    SEEN_EVERY_SECONDS,
    SIGNED_IN,
    Answered,
    Confirmed,
    EndSessions,
    Seen,
    SignedIn,
    SignIn,
    session_hash,
)
from farthing.errors import Conflict, Forbidden, Malformed, Unauthenticated, present
from farthing.services.challenges import Challenge, Challenges
from farthing.services.context import Context
from farthing.services.passkeys import (
    NewCredential,
    Site,
    check_creation,
    check_request,
    creation_options,
    credential_id,
    request_options,
)
from farthing.store.database import Tx
from farthing.store.mapping import mapping
from farthing.store.queries import one

T = TypeVar("T")

LINK_SECONDS = 86_400
RECOVERY_CODES = 8
_SECRET_BYTES = 32
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_LETTERS, _CODE_BITS = 20, 256
_SCOPES = {
    Role.OWNER: (Scope.OWNER, Scope.SELLER, Scope.READ),
    Role.OPERATOR: (Scope.OPERATOR,),
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

    def principal(self) -> Principal:
        """Give who asks, as an owner: what pages show is the owner's own."""
        return Principal(self.person.id, self.person.owner, frozenset(_SCOPES[Role.OWNER]))


@dataclass(frozen=True, slots=True)
class Proof:
    """A browser's answer to a challenge: the ticket that came with it, and what was signed."""

    ticket: str
    answer: dict[str, Any]


class People:
    """The verbs of people who sign in. Secrets are given once, to who asked for them."""

    def __init__(self, ctx: Context, secrets: Sequence[bytes]) -> None:
        self._ctx = ctx
        self._challenges = Challenges(secrets, ctx.random_bits, ctx.clock)

    def inviting(self, owner: str, name: str, roles: Sequence[Role]) -> tuple[InvitePerson, str]:
        """Give the unit that lets somebody sign in, and the code of their link."""
        code = self._secret()
        kept = sorted(role.value for role in set(roles))
        person = Person(self._ctx.fresh_name("per"), owner, name, kept, 0)
        return InvitePerson(person, sign_in_code_hash(code), LINK_SECONDS), code

    def linking(self, person: str) -> tuple[LinkPerson, str]:
        """Give the unit that makes another link for somebody who may have lost every passkey."""
        code = self._secret()
        return LinkPerson(person, sign_in_code_hash(code), LINK_SECONDS), code

    async def begin_joining(self, site: Site, code: str) -> dict[str, Any]:
        """Give what a browser needs to make a passkey for whom this code is.

        Raises: Forbidden `bad-sign-in-code`.
        """
        _, person = await self._of_code(code)
        return await self._creation(site, person, _joining(code))

    async def join(
        self, site: Site, code: str, proof: Proof, agent: str, before: str = ""
    ) -> tuple[Person, str]:
        """Add a passkey by a code, which is used up, and sign in with it.

        Shape:  the secret of the new session. A recovery code ends every other session: whoever
                lost a passkey may have lost a signed-in browser with it.
        Raises: Forbidden; Unauthenticated; Conflict.
        """
        found, person = await self._of_code(code)
        made, until_ns = self._made(site, proof, _joining(code))
        passkey = Passkey(made.id, person.id, made.public_key, agent, made.sign_count, 0)
        others = await self.sessions(person.id) if found.kind == "recovery" else []
        unit = AddPasskey(passkey, found.hash)
        await self._do(
            self._once(unit, proof, person.id, "join", passkey, made.sign_count, until_ns)
        )
        if others:
            await self._do(EndSessions(person.id, [session.hash for session in others]))
        return person, await self._session(passkey.id, made.sign_count, agent, before)

    def begin_sign_in(self, site: Site) -> dict[str, Any]:
        """Give what a browser needs to sign in with any passkey of this site."""
        challenge = self._challenges.make(_SIGN_IN)
        return _with_ticket(request_options(site, challenge.challenge), challenge)

    async def sign_in(
        self, site: Site, proof: Proof, agent: str, before: str = ""
    ) -> tuple[Person, str]:
        """Sign somebody in, and give the session's new secret.

        Raises: Unauthenticated `bad-passkey`, `bad-challenge`; Conflict `challenge-used`.
        """
        passkey, person = await self._of_passkey(credential_id(proof.answer))
        challenge, until_ns = self._challenges.read(proof.ticket, _SIGN_IN)
        count = check_request(site, challenge, proof.answer, passkey)
        secret = self._secret()
        unit = SignIn(
            passkey.id, session_hash(secret), agent, count, session_hash(before) if before else b""
        )
        await self._do(self._once(unit, proof, person.id, "sign-in", passkey, count, until_ns))
        return person, secret

    async def begin_proof(
        self, site: Site, visitor: Visitor, act: Mapping[str, str]
    ) -> dict[str, Any]:
        """Give what a browser needs to confirm an act with one of the visitor's passkeys."""
        challenge = self._challenges.make(_whole(visitor, act))
        known = await self.passkeys(visitor.person.id)
        return _with_ticket(request_options(site, challenge.challenge, known), challenge)

    async def confirmed(
        self, site: Site, visitor: Visitor, act: Mapping[str, str], proof: Proof, unit: Unit[T]
    ) -> Unit[T]:
        """Give a unit that is done once, by who has just confirmed this very act.

        Raises: Unauthenticated `bad-passkey`, `bad-challenge`.
        """
        passkey, person = await self._of_passkey(credential_id(proof.answer))
        if person.id != visitor.person.id:
            raise Unauthenticated("bad-passkey", "this passkey is not known here")
        challenge, until_ns = self._challenges.read(proof.ticket, _whole(visitor, act))
        count = check_request(site, challenge, proof.answer, passkey)
        return self._once(unit, proof, person.id, act["act"], passkey, count, until_ns)

    async def begin_adding(self, site: Site, visitor: Visitor) -> dict[str, Any]:
        """Give what a browser needs to make one more passkey for the visitor."""
        return await self._creation(site, visitor.person, _adding(visitor))

    async def add(
        self, site: Site, visitor: Visitor, made_by: Proof, confirmed: Proof, label: str
    ) -> Passkey:
        """Add a passkey, confirmed with one that the visitor has.

        Raises: Unauthenticated; Conflict.
        """
        made, _ = self._made(site, made_by, _adding(visitor))
        passkey = Passkey(made.id, visitor.person.id, made.public_key, label, made.sign_count, 0)
        act = {"act": "add-passkey"}
        unit = await self.confirmed(site, visitor, act, confirmed, AddPasskey(passkey))
        return await self._do(unit)

    async def remove_passkey(self, site: Site, visitor: Visitor, ident: str, proof: Proof) -> None:
        """Take one of the visitor's passkeys away, confirmed with any of them."""
        known = await self.passkeys(visitor.person.id)
        others = len([one for one in known if one.id != ident])
        unit = RemovePasskey(ident, visitor.person.id, others)
        act = {"act": "remove-passkey", "passkey": ident}
        await self._do(await self.confirmed(site, visitor, act, proof, unit))
        signed_in = [s.hash for s in await self.sessions(visitor.person.id) if s.passkey == ident]
        await self._do(EndSessions(visitor.person.id, signed_in))

    async def recovery_codes(self, site: Site, visitor: Visitor, proof: Proof) -> list[str]:
        """Make new recovery codes, shown once; older ones are good no more."""
        codes = [self._code() for _ in range(RECOVERY_CODES)]
        older = await self._ctx.database.read(lambda tx: _recovery(tx, visitor.person.id))
        hashes = [sign_in_code_hash(code) for code in codes]
        unit = MakeRecoveryCodes(visitor.person.id, hashes, [code.hash for code in older])
        act = {"act": "recovery-codes"}
        await self._do(await self.confirmed(site, visitor, act, proof, unit))
        return codes

    async def recovery_left(self, person: str) -> int:
        """Count the recovery codes that are still good."""
        return len(await self._ctx.database.read(lambda tx: _recovery(tx, person)))

    async def visitor(self, secret: str) -> Visitor | None:
        """Find who is signed in with this secret; None if nobody is, or no longer."""
        if len(secret) > 2 * _SECRET_BYTES:
            return None
        digest, now_ns = session_hash(secret), self._ctx.clock()

        def work(tx: Tx) -> tuple[SignedIn, Person, Passkey, OwnerRecord] | None:
            session = one(tx, SIGNED_IN, digest)
            person = one(tx, PEOPLE, session.person) if session is not None else None
            if session is None or person is None:
                return None
            passkey = present(one(tx, PASSKEYS, session.passkey), "passkeys are kept")
            owner = present(one(tx, OWNERS, person.owner), "owners are kept")
            return session, person, passkey, owner

        found = await self._ctx.database.read(work)
        if found is None:
            return None
        session, person, passkey, owner = found
        if person.removed_ns or passkey.removed_ns or not session.holds_at(now_ns):
            return None
        if now_ns - session.seen_ns > SEEN_EVERY_SECONDS * NS:
            await self._do(Seen(digest))
        csrf = hmac.digest(secret.encode(), b"farthing-csrf-1", "sha256")
        return Visitor(person, owner, session, to_base64url(csrf))

    async def sign_out(self, visitor: Visitor, sessions: Sequence[bytes]) -> None:
        """End some of the visitor's sessions."""
        await self._do(EndSessions(visitor.person.id, sessions))

    async def sessions(self, person: str) -> list[SignedIn]:
        """List where a person is signed in now, newest first."""
        now_ns = self._ctx.clock()
        found = await self._ctx.database.read(lambda tx: _of_person(tx, SIGNED_IN, person))
        here = [session for session in found if session.holds_at(now_ns)]
        return sorted(here, key=lambda session: session.seen_ns, reverse=True)

    async def passkeys(self, person: str) -> list[Passkey]:
        """List a person's passkeys, oldest first."""
        found = await self._ctx.database.read(lambda tx: _of_person(tx, PASSKEYS, person))
        kept = [passkey for passkey in found if not passkey.removed_ns]
        return sorted(kept, key=lambda passkey: passkey.created_ns)

    async def _creation(self, site: Site, person: Person, act: Mapping[str, str]) -> dict[str, Any]:
        known = await self.passkeys(person.id)
        if len(known) >= PASSKEYS_MAX:
            raise Conflict("too-many-passkeys", "remove a passkey first")
        challenge = self._challenges.make(act)
        options = creation_options(site, person, challenge.challenge, known)
        return _with_ticket(options, challenge)

    def _made(self, site: Site, proof: Proof, act: Mapping[str, str]) -> tuple[NewCredential, int]:
        challenge, until_ns = self._challenges.read(proof.ticket, act)
        return check_creation(site, challenge, proof.answer), until_ns

    async def _session(self, passkey: str, count: int, agent: str, before: str) -> str:
        secret = self._secret()
        ended = session_hash(before) if before else b""
        await self._do(SignIn(passkey, session_hash(secret), agent, count, ended))
        return secret

    async def _of_code(self, code: str) -> tuple[SignInCode, Person]:
        digest, now_ns = sign_in_code_hash(_plain(code)), self._ctx.clock()

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

    async def _of_passkey(self, ident: str) -> tuple[Passkey, Person]:
        def work(tx: Tx) -> tuple[Passkey | None, Person | None]:
            found = one(tx, PASSKEYS, ident)
            return found, None if found is None else one(tx, PEOPLE, found.person)

        passkey, person = await self._ctx.database.read(work)
        if passkey is None or person is None or passkey.removed_ns or person.removed_ns:
            raise Unauthenticated("bad-passkey", "this passkey is not known here")
        return passkey, person

    def _once(
        self,
        unit: Unit[T],
        proof: Proof,
        person: str,
        act: str,
        passkey: Passkey,
        count: int,
        until_ns: int,
    ) -> Unit[T]:
        digest = hashlib.sha256(b"farthing-answered-1\n" + from_base64url(proof.ticket)).digest()
        return Confirmed(unit, Answered(digest, person, act, passkey.id, until_ns), count)

    async def _do(self, unit: Unit[T]) -> T:
        return (await self._ctx.books.commit_one(unit)).answer

    def _secret(self) -> str:
        return to_base64url(self._ctx.random_bits(8 * _SECRET_BYTES).to_bytes(_SECRET_BYTES, "big"))

    def _code(self) -> str:
        number, letters = self._ctx.random_bits(_CODE_BITS), ""
        for _ in range(_CODE_LETTERS):
            number, place = divmod(number, len(_LETTERS))
            letters += _LETTERS[place]
        return "-".join(letters[i : i + 5] for i in range(0, _CODE_LETTERS, 5))


_SIGN_IN = {"act": "sign-in"}


def _joining(code: str) -> dict[str, str]:
    return {"act": "join", "code": to_base64url(sign_in_code_hash(_plain(code)))}


def _adding(visitor: Visitor) -> dict[str, str]:
    session = to_base64url(visitor.session.hash)
    return {"act": "new-passkey", "person": visitor.person.id, "session": session}


def _whole(visitor: Visitor, act: Mapping[str, str]) -> dict[str, str]:
    """Bind an act to who confirms it, and to the browser in which they do."""
    session = to_base64url(visitor.session.hash)
    return {**act, "person": visitor.person.id, "session": session}


def _plain(code: str) -> str:
    """Read a code as it was given: a link's has 43 letters, a recovery code is in capitals.

    Raises: Malformed.
    """
    text = code.strip()
    if len(text) > 2 * _SECRET_BYTES or not text.isascii():
        raise Malformed("malformed-sign-in-code", "write the code as it was shown")
    return text.upper() if len(text) < _SECRET_BYTES else text


def _with_ticket(options: dict[str, Any], challenge: Challenge) -> dict[str, Any]:
    return {"options": options, "ticket": challenge.ticket}


def _of_person(tx: Tx, table: Any, person: str) -> list[Any]:
    mapped = mapping(table)
    rows = tx.rows(f"{mapped.select} WHERE person = ?", (person,))
    return [mapped.row(row) for row in rows]


def _recovery(tx: Tx, person: str) -> list[SignInCode]:
    found: list[SignInCode] = _of_person(tx, SIGN_IN_CODES, person)
    return [code for code in found if code.kind == "recovery" and not code.used_ns]
