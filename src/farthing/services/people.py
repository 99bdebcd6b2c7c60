"""People: invited, signed in by passkeys, recovered, signed out. Secrets are kept as hashes."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from farthing.codec import from_base64url, to_base64url
from farthing.core.decisions import Unit
from farthing.core.people import (
    PASSKEYS_MAX,
    AddPasskey,
    InvitePerson,
    LinkPerson,
    MakeRecoveryCodes,
    Passkey,
    Person,
    RemovePasskey,
    Role,
    sign_in_code_hash,
)
from farthing.core.signed_in import (
    Answered,
    Confirmed,
    EndSessions,
    Seen,
    SignIn,
    session_hash,
)
from farthing.errors import Conflict, Unauthenticated
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
from farthing.services.register import Register, Visitor
from farthing.services.secrets import new_recovery_code, new_secret, plain_code

T = TypeVar("T")

LINK_SECONDS = 86_400
RECOVERY_CODES = 8
_ANEW_MAX = 20


async def as_they_stand(work: Callable[[], Awaitable[T]]) -> T:
    """Decide by what somebody has to sign in with, and anew where that was changed meanwhile.

    Raises: Conflict `ways-in-changed` where it goes on being changed.
    """
    for _ in range(_ANEW_MAX - 1):
        try:
            return await work()
        except Conflict as changed:
            if changed.code != "ways-in-changed":
                raise
    return await work()


@dataclass(frozen=True, slots=True)
class Proof:
    """A browser's answer to a challenge: the ticket that came with it, and what was signed."""

    ticket: str
    answer: dict[str, Any]


class People:
    """The verbs of people who sign in. Secrets are given once, to who asked for them."""

    def __init__(self, ctx: Context, secrets: Sequence[bytes]) -> None:
        self._ctx, self.register = ctx, Register(ctx)
        self._challenges = Challenges(secrets, ctx.random_bits, ctx.clock)

    def inviting(self, owner: str, name: str, roles: Sequence[Role]) -> tuple[InvitePerson, str]:
        """Give the unit that lets somebody sign in, and the code of their link."""
        code = new_secret(self._ctx.random_bits)
        kept = sorted(role.value for role in set(roles))
        person = Person(self._ctx.fresh_name("per"), owner, name, kept, 0)
        return InvitePerson(person, sign_in_code_hash(code), LINK_SECONDS), code

    async def linking(self, person: str) -> tuple[LinkPerson, str]:
        """Give the unit that makes another link for somebody who may have lost every passkey.

        Shape: it is decided by what is known now; see `as_they_stand`.
        """
        code = new_secret(self._ctx.random_bits)
        known = await self.register.ways_in(person)
        older = known.unused("link")
        return LinkPerson(person, sign_in_code_hash(code), LINK_SECONDS, known.seen, older), code

    async def begin_joining(self, site: Site, code: str) -> dict[str, Any]:
        """Give what a browser needs to make a passkey for whom this code is.

        Raises: Forbidden `bad-sign-in-code`.
        """
        _, person = await self.register.of_code(code)
        return await self._creation(site, person, _joining(code))

    async def join(
        self, site: Site, code: str, proof: Proof, agent: str, before: str = ""
    ) -> tuple[Person, str]:
        """Add a passkey by a code, which is used up, and sign in with it.

        Shape:  the secret of the new session. Every other session ends: whoever lost a passkey may
                have lost a signed-in browser with it.
        Raises: Forbidden; Unauthenticated; Conflict.
        """
        found, person = await self.register.of_code(code)
        made, until_ns = self._made(site, proof, _joining(code))
        passkey = Passkey(made.id, person.id, made.public_key, agent, made.sign_count, 0)
        others = await self.register.begun(person.id)
        if others:  # Before the code is used up: a hub that dies in between leaves nobody in.
            await self._do(EndSessions(person.id, [session.hash for session in others]))
        unit = AddPasskey(passkey, found.hash)
        await self._do(
            self._once(unit, proof, person.id, "join", passkey, made.sign_count, until_ns)
        )
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
        passkey, person = await self.register.of_passkey(credential_id(proof.answer))
        challenge, until_ns = self._challenges.read(proof.ticket, _SIGN_IN)
        count = check_request(site, challenge, proof.answer, passkey)
        secret = new_secret(self._ctx.random_bits)
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
        known = await self.register.passkeys(visitor.person.id)
        return _with_ticket(request_options(site, challenge.challenge, known), challenge)

    async def confirmed(
        self, site: Site, visitor: Visitor, act: Mapping[str, str], proof: Proof, unit: Unit[T]
    ) -> Unit[T]:
        """Give a unit that is done once, by who has just confirmed this very act.

        Raises: Unauthenticated `bad-passkey`, `bad-challenge`.
        """
        passkey, person = await self.register.of_passkey(credential_id(proof.answer))
        if person.id != visitor.person.id:
            raise Unauthenticated("bad-passkey", "this passkey is not known here")
        challenge, until_ns = self._challenges.read(proof.ticket, _whole(visitor, act))
        count = check_request(site, challenge, proof.answer, passkey)
        return self._once(unit, proof, person.id, act["act"], passkey, count, until_ns)

    async def proven(
        self, site: Site, visitor: Visitor, act: Mapping[str, str], proof: Proof
    ) -> None:
        """See that the visitor has just confirmed an act; it counts once.

        Raises: as `confirmed`; Conflict `challenge-used`.
        """
        await self._do(await self.confirmed(site, visitor, act, proof, Seen(visitor.session.hash)))

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
        """Take one of the visitor's passkeys away, confirmed with any of them.

        Raises: Missing; Conflict `last-passkey`; Unauthenticated.
        """
        act = {"act": "remove-passkey", "passkey": ident}

        async def removed() -> None:
            known = await self.register.ways_in(visitor.person.id)
            unit = RemovePasskey(ident, visitor.person.id, known.others(ident), known.seen)
            await self._do(await self.confirmed(site, visitor, act, proof, unit))

        await as_they_stand(removed)
        signed_in = [
            s.hash for s in await self.register.begun(visitor.person.id) if s.passkey == ident
        ]
        await self._do(EndSessions(visitor.person.id, signed_in))

    async def recovery_codes(self, site: Site, visitor: Visitor, proof: Proof) -> list[str]:
        """Make new recovery codes, shown once; older ones are good no more."""
        codes = [new_recovery_code(self._ctx.random_bits) for _ in range(RECOVERY_CODES)]
        hashes = [sign_in_code_hash(code) for code in codes]

        async def made() -> None:
            known = await self.register.ways_in(visitor.person.id)
            older = known.unused("recovery")
            unit = MakeRecoveryCodes(visitor.person.id, hashes, known.seen, older)
            act = {"act": "recovery-codes"}
            await self._do(await self.confirmed(site, visitor, act, proof, unit))

        await as_they_stand(made)
        return codes

    async def sign_out(self, visitor: Visitor, sessions: Sequence[bytes]) -> None:
        """End some of the visitor's sessions."""
        await self._do(EndSessions(visitor.person.id, sessions))

    async def _creation(self, site: Site, person: Person, act: Mapping[str, str]) -> dict[str, Any]:
        known = await self.register.passkeys(person.id)
        if len(known) >= PASSKEYS_MAX:
            raise Conflict("too-many-passkeys", "remove a passkey first")
        challenge = self._challenges.make(act)
        options = creation_options(site, person, challenge.challenge, known)
        return _with_ticket(options, challenge)

    def _made(self, site: Site, proof: Proof, act: Mapping[str, str]) -> tuple[NewCredential, int]:
        challenge, until_ns = self._challenges.read(proof.ticket, act)
        return check_creation(site, challenge, proof.answer), until_ns

    async def _session(self, passkey: str, count: int, agent: str, before: str) -> str:
        secret = new_secret(self._ctx.random_bits)
        ended = session_hash(before) if before else b""
        await self._do(SignIn(passkey, session_hash(secret), agent, count, ended))
        return secret

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


_SIGN_IN = {"act": "sign-in"}


def _joining(code: str) -> dict[str, str]:
    return {"act": "join", "code": to_base64url(sign_in_code_hash(plain_code(code)))}


def _adding(visitor: Visitor) -> dict[str, str]:
    session = to_base64url(visitor.session.hash)
    return {"act": "new-passkey", "person": visitor.person.id, "session": session}


def _whole(visitor: Visitor, act: Mapping[str, str]) -> dict[str, str]:
    """Bind an act to who confirms it, and to the browser in which they do."""
    session = to_base64url(visitor.session.hash)
    return {**act, "person": visitor.person.id, "session": session}


def _with_ticket(options: dict[str, Any], challenge: Challenge) -> dict[str, Any]:
    return {"options": options, "ticket": challenge.ticket}
