"""Signing in by one's organisation, and tying it to who one is here.

A browser leaves by a link and comes back by one: a form that was sent on elsewhere is what the
policy of our pages forbids. What it keeps meanwhile is a ticket in a cookie of its own.
"""

from http.cookies import CookieError, SimpleCookie

from farthing.errors import Missing, Unauthenticated
from farthing.services.organisation import TICKET_SECONDS, Back, Leaving, Organisation
from farthing.services.passkeys import Site
from farthing.web.api.endpoint import Call, Reply
from farthing.web.pages.forms import proof_of, read_form
from farthing.web.pages.place import agent_of, cookie, cookie_name
from farthing.web.pages.visit import Visit
from farthing.web.problems import HttpProblem

_TICKET_MAX, _TOLD_MAX = 256, 4096
_SIGNS_IN, _LINKS = "in.", "tie."
"""What a ticket is kept for, as the cookie begins: the ticket itself is marked for it as well."""


def _organisation(visit: Visit) -> Organisation:
    found = visit.call.desk.organisation
    if found is None:
        raise Missing("no-such-path", "nobody signs in by an organisation here")
    return found


async def leave(visit: Visit) -> Reply:
    """Send a browser to the organisation.

    Raises: Missing; Unavailable `organisation-unreachable`.
    """
    leaving = await _organisation(visit).begin(visit.site.origin)
    return visit.go(leaving.url, [_kept(visit.site, _SIGNS_IN, leaving)])


async def come_back(visit: Visit) -> Reply:
    """Sign in whoever left from this browser; or tie them to who is signed in here.

    Raises: Unauthenticated `bad-challenge`, `organisation-refused`, `bad-id-token`; Forbidden
            `not-invited`; Conflict; Unavailable.
    """
    organisation, kept = _organisation(visit), _ticket(visit.call, visit.site)
    told = visit.call.query
    names = ("state", "code", "error", "iss")
    if any(len(told.get(name, "")) > _TOLD_MAX for name in names):
        raise Unauthenticated("organisation-refused", "this is not how your organisation answers")
    what, _, ticket = kept.partition(".")
    back = Back(ticket, *(told.get(name, "") for name in names))
    if f"{what}." == _LINKS:
        await organisation.link(visit.site.origin, back, visit.me)
        return visit.go("/account", [_forgotten(visit.site)])
    agent = agent_of(visit.call)
    secret = await organisation.sign_in(visit.site.origin, back, agent, visit.secret)
    seconds = visit.call.desk.config.oidc.session_hours * 3600
    return visit.go("/wallet", [cookie(visit.site, secret, seconds), _forgotten(visit.site)])


async def begin_tying(visit: Visit, form: dict[str, str]) -> Reply:
    """Let a person who shows a passkey go on to their organisation, to be tied to it.

    Raises: Unauthenticated `passkey-needed`.
    """
    organisation, proof = _organisation(visit), proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    await visit.call.desk.people.proven(visit.site, visit.me, {"act": "link-organisation"}, proof)
    leaving = await organisation.begin(visit.site.origin, visit.me)
    shown = visit.page("organisation.html", url=leaving.url, name=organisation.name)
    fields = [*shown.headers, _kept(visit.site, _LINKS, leaving)]
    return Reply(shown.body, shown.status, fields, shown.media)


async def untie(visit: Visit, form: dict[str, str]) -> Reply:
    """Sign in by the organisation no more, confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`; Missing `no-such-identity`.
    """
    organisation, proof = _organisation(visit), proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    identity = form.get("subject", "")
    act = {"act": "unlink-organisation", "identity": identity}
    unit = organisation.unlinking(visit.me, identity)
    unit = await visit.call.desk.people.confirmed(visit.site, visit.me, act, proof, unit)
    await organisation.unlink(visit.me, identity, unit)
    return visit.go("/account")


async def leave_for_good(visit: Visit) -> Reply:
    """Send a browser to where one signs out at the organisation as well."""
    url = await _organisation(visit).sign_out_url(visit.site.origin)
    return visit.go(url or "/sign-in")


async def told_out(call: Call) -> Reply:
    """End the sessions of whom the organisation has signed out: it asks, and no browser.

    Raises: Missing; Malformed; HttpProblem `bad-id-token` with 400; Conflict; Unavailable.
    Source: OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8.
    """
    organisation = call.desk.organisation
    if organisation is None:
        raise Missing("no-such-path", "nobody signs in by an organisation here")
    token = read_form(call).get("logout_token", "")
    try:
        await organisation.signed_out(token)
    except Unauthenticated as bad:
        raise HttpProblem(400, bad.code, bad.detail) from None
    return Reply(b"", 200, [(b"cache-control", b"no-store")], "text/plain")


def _name(site: Site) -> str:
    return f"{cookie_name(site)}-organisation"


def _kept(site: Site, what: str, leaving: Leaving) -> tuple[bytes, bytes]:
    return _field(site, what + leaving.ticket, TICKET_SECONDS)


def _forgotten(site: Site) -> tuple[bytes, bytes]:
    return _field(site, "", 0)


def _field(site: Site, value: str, seconds: int) -> tuple[bytes, bytes]:
    secure = "; Secure" if site.origin.startswith("https:") else ""
    # Lax, as the browser comes back by a link of the organisation's.
    kept = f"{_name(site)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    return b"set-cookie", kept.encode()


def _ticket(call: Call, site: Site) -> str:
    try:
        found = SimpleCookie(call.headers.get("cookie", "")).get(_name(site))
    except CookieError:
        found = None
    return found.value if found is not None and len(found.value) <= _TICKET_MAX else ""
