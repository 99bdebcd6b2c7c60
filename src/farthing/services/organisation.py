"""Signing in by one's organisation: OpenID Connect, authorization code with PKCE.

What belongs together (state, nonce, PKCE's verifier) follows from a ticket that the browser keeps
in a cookie; so whoever comes back is the browser that left, and nothing is written before that.
The ticket counts once: it is written as answered in the commit that signs in.

Source: OpenID Connect Core 1.0; RFC 7636 (PKCE); RFC 9207 (`iss`); RFC 9700.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from farthing.clock import NS
from farthing.codec import from_base64url, to_base64url
from farthing.core.decisions import Unit
from farthing.core.identities import (
    IDENTITIES,
    LinkIdentity,
    SignInByIdentity,
    UnlinkIdentity,
    identity_id,
)
from farthing.core.people import Person, Role
from farthing.core.signed_in import Answered, Confirmed, EndSessions, session_hash
from farthing.errors import Unauthenticated
from farthing.services.challenges import SECONDS, Challenges
from farthing.services.context import Context
from farthing.services.id_tokens import AGE_SECONDS_MAX, SKEW_SECONDS
from farthing.services.provider import Provider
from farthing.services.register import Register, Visitor
from farthing.services.secrets import new_secret
from farthing.settings import OidcSettings
from farthing.store.queries import one

T = TypeVar("T")

TICKET_SECONDS = SECONDS
_PLACE = "/sign-in/organisation/back"
_NAME_MAX = 60
_GROUPS_MAX = 1000


class Leaving(NamedTuple):
    """Where a browser is sent, and the ticket that it keeps meanwhile."""

    url: str
    ticket: str


class Back(NamedTuple):
    """What a browser brings back. Shape: `issuer` is empty where the provider does not name it."""

    ticket: str
    state: str
    code: str
    error: str
    issuer: str


class Organisation:
    """The verbs of who signs in by their organisation."""

    def __init__(
        self,
        ctx: Context,
        settings: OidcSettings,
        provider: Provider,
        secrets: Sequence[bytes],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._ctx, self._settings, self._provider = ctx, settings, provider
        self._register, self.close = Register(ctx), close
        self._challenges = Challenges(secrets, ctx.random_bits, ctx.clock)
        self._key = hmac.digest(secrets[0], b"farthing-organisation-1", "sha256")

    @property
    def name(self) -> str:
        """What the organisation is called on the page where one signs in."""
        return self._settings.name or self._provider.issuer.partition("//")[2]

    async def begin(self, origin: str, visitor: Visitor | None = None) -> Leaving:
        """Send a browser to the provider; with a visitor, to tie who comes back to them.

        Raises: Unavailable `organisation-unreachable`.
        """
        made = self._challenges.make(self._act(visitor))
        drawn = self._drawn(made.challenge)
        verifier = hashlib.sha256(drawn["verifier"].encode()).digest()
        given = {
            "redirect_uri": origin + _PLACE,
            "scope": self._settings.scopes,
            "state": drawn["state"],
            "nonce": drawn["nonce"],
            "code_challenge": to_base64url(verifier),
            "code_challenge_method": "S256",
        }
        if visitor is not None:
            given["prompt"] = "login"  # Whoever is signed in there by chance is not asked for.
        return Leaving(await self._provider.sign_in_url(given), made.ticket)

    async def sign_in(self, origin: str, back: Back, agent: str, before: str) -> str:
        """Sign in whoever came back, and give the session's new secret.

        Raises: Unauthenticated; Forbidden `not-invited`; Conflict `challenge-used`; Unavailable.
        """
        claims, until_ns = await self._claims(origin, back, self._act(None))
        secret = new_secret(self._ctx.random_bits)
        unit = SignInByIdentity(
            self._identity(claims),
            self._allowed(claims),
            session_hash(secret),
            agent,
            self._settings.session_hours * 3600,
            session_hash(before) if before else b"",
        )
        await self._do(self._once(unit, back.ticket, "", until_ns))
        return secret

    async def link(self, origin: str, back: Back, visitor: Visitor) -> None:
        """Tie whoever came back to the visitor, who showed a passkey before they left.

        Raises: as `sign_in`; Conflict `identity-known`.
        """
        claims, until_ns = await self._claims(origin, back, self._act(visitor))
        unit = LinkIdentity(self._identity(claims), visitor.person.id)
        await self._do(self._once(unit, back.ticket, visitor.person.id, until_ns))

    async def unlink(self, visitor: Visitor, identity: str, confirmed: Unit[Any]) -> None:
        """Untie an identity, and end the sessions that began by it."""
        await self._do(confirmed)
        found = await self._register.begun(visitor.person.id)
        ended = [session.hash for session in found if session.identity == identity]
        await self._do(EndSessions(visitor.person.id, ended))

    def unlinking(self, visitor: Visitor, identity: str) -> UnlinkIdentity:
        """Give the unit that unties an identity."""
        return UnlinkIdentity(identity, visitor.person.id)

    async def signed_out(self, token: str) -> None:
        """End the sessions that began by whom the provider has signed out; a token counts once.

        Shape:  who is not here, or signed in nowhere, is signed out already.
        Raises: Unauthenticated `bad-id-token`; Conflict `challenge-used`; Unavailable.
        """
        claims = await self._provider.signed_out(token)
        identity = self._identity(claims)
        known = await self._ctx.database.read(lambda tx: one(tx, IDENTITIES, identity))
        if known is None:
            return
        sessions = await self._register.begun(known.person)
        ended = [each.hash for each in sessions if each.identity == identity]
        name = hashlib.sha256(b"farthing-signed-out-1\n" + claims["jti"].encode()).digest()
        until_ns = self._ctx.clock() + (AGE_SECONDS_MAX + 2 * SKEW_SECONDS) * NS
        answered = Answered(name, known.person, "organisation-out", "", until_ns)
        await self._do(Confirmed(EndSessions(known.person, ended), answered, 0))

    async def sign_out_url(self, origin: str) -> str:
        """Write where one signs out at the organisation as well; empty where there is no such."""
        return await self._provider.sign_out_url(f"{origin}/sign-in")

    async def _claims(
        self, origin: str, back: Back, act: Mapping[str, str]
    ) -> tuple[dict[str, Any], int]:
        """Check that the browser that left has come back, and read whom it brings."""
        challenge, until_ns = self._challenges.read(back.ticket, act)
        drawn = self._drawn(challenge)
        if not hmac.compare_digest(back.state.encode(), drawn["state"].encode()):
            raise Unauthenticated("bad-challenge", "this was begun in another browser")
        named = bool(back.issuer) or await self._provider.names_itself()
        if named and back.issuer != self._provider.issuer:
            raise Unauthenticated("organisation-refused", "somebody else answered")
        if back.error or not back.code:
            raise Unauthenticated("organisation-refused", "your organisation did not sign you in")
        told = (back.code, drawn["verifier"], origin + _PLACE, drawn["nonce"])
        return await self._provider.claims(*told), until_ns

    def _act(self, visitor: Visitor | None) -> dict[str, str]:
        act = {"act": "organisation", "issuer": self._provider.issuer}
        if visitor is None:
            return act
        session = to_base64url(visitor.session.hash)
        return act | {"act": "link-organisation", "person": visitor.person.id, "session": session}

    def _drawn(self, challenge: bytes) -> dict[str, str]:
        """Draw what one request needs from its ticket: nobody else can, and it is kept nowhere."""
        return {
            name: to_base64url(hmac.digest(self._key, name.encode() + challenge, "sha256"))
            for name in ("state", "nonce", "verifier")
        }

    def _identity(self, claims: Mapping[str, Any]) -> str:
        return identity_id(claims["iss"], claims["sub"])

    def _allowed(self, claims: Mapping[str, Any]) -> Person | None:
        """Say whom the settings make of somebody: a person of the owner, with these roles."""
        settings = self._settings
        roles = roles_of(settings, claims) if settings.owner else []
        if not roles:
            return None
        told = claims.get("name")
        name = told if isinstance(told, str) and told.isprintable() else ""
        ident = self._ctx.fresh_name("per")
        return Person(ident, settings.owner, name.strip()[:_NAME_MAX] or "?", roles, 0)

    def _once(self, unit: Unit[T], ticket: str, person: str, until_ns: int) -> Unit[T]:
        digest = hashlib.sha256(b"farthing-answered-1\n" + from_base64url(ticket)).digest()
        return Confirmed(unit, Answered(digest, person, "organisation", "", until_ns), 0)

    async def _do(self, unit: Unit[T]) -> T:
        return (await self._ctx.books.commit_one(unit)).answer


def roles_of(settings: OidcSettings, claims: Mapping[str, Any]) -> list[str]:
    """Say which roles the settings give somebody; none where they are not let in.

    Shape: a domain counts only of an address that the organisation has verified. With `roles`,
           groups say which; without, whoever has such an address is an `owner`.
    """
    if settings.domains and not _of_domain(settings.domains, claims):
        return []
    if not settings.roles:
        return [Role.OWNER.value] if settings.domains else []
    told = claims.get(settings.groups_claim)
    groups = [told] if isinstance(told, str) else told
    if not isinstance(groups, list):
        return []
    listed = cast(list[Any], groups)[:_GROUPS_MAX]
    named = {one for one in listed if isinstance(one, str)}
    return sorted({role for group, role in settings.roles.items() if group in named})


def _of_domain(domains: Sequence[str], claims: Mapping[str, Any]) -> bool:
    address = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(address, str):
        return False
    _, at, domain = address.rpartition("@")
    return bool(at) and domain.lower() in {one.lower() for one in domains}
