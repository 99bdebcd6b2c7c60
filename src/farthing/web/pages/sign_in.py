"""Signing in and out: by passkey, by a link that is good once, by a recovery code."""

from farthing import ids
from farthing.core.signed_in import LASTS_SECONDS
from farthing.web.api.endpoint import Reply
from farthing.web.pages.forms import proof_in, read_object, text_in
from farthing.web.pages.place import agent_of, cookie
from farthing.web.pages.visit import Visit

WALLET = "/wallet"


async def front(visit: Visit) -> Reply:
    """Send whoever comes to the wallet, or to where one signs in."""
    return visit.go(WALLET if visit.visitor is not None else "/sign-in")


async def sign_in_page(visit: Visit) -> Reply:
    """Show how to sign in."""
    if visit.visitor is not None:
        return visit.go(WALLET)
    there = visit.call.desk.organisation
    out = "out" in visit.call.query
    return visit.page("sign_in.html", organisation=there.name if there else "", out=out)


async def join_page(visit: Visit) -> Reply:
    """Show how to make a passkey by a link or a recovery code.

    Shape: the link's code is behind `#`, where it is sent to nobody and stands in no log.
    """
    return visit.page("join.html")


async def begin_sign_in(visit: Visit) -> Reply:
    """Give a challenge to sign in with."""
    return visit.told(visit.call.desk.people.begin_sign_in(visit.site))


async def finish_sign_in(visit: Visit) -> Reply:
    """Sign in, and give the browser a new secret."""
    proof = proof_in(read_object(visit.call))
    people, agent = visit.call.desk.people, agent_of(visit.call)
    _, secret = await people.sign_in(visit.site, proof, agent, visit.secret)
    return _let_in(visit, secret)


async def begin_joining(visit: Visit) -> Reply:
    """Give what a passkey is made with, to who shows a code."""
    code = text_in(read_object(visit.call), "code")
    return visit.told(await visit.call.desk.people.begin_joining(visit.site, code))


async def finish_joining(visit: Visit) -> Reply:
    """Add the passkey, use the code up, and sign in."""
    body = read_object(visit.call)
    people, agent = visit.call.desk.people, agent_of(visit.call)
    proof, code = proof_in(body), text_in(body, "code")
    _, secret = await people.join(visit.site, code, proof, agent, visit.secret)
    return _let_in(visit, secret)


def _let_in(visit: Visit, secret: str) -> Reply:
    return visit.told({"go": WALLET}, [cookie(visit.site, secret, LASTS_SECONDS)])


async def sign_out(visit: Visit, form: dict[str, str]) -> Reply:
    """Sign out of this browser, to which nothing is pushed any more.

    Shape: its script says where it is pushed to, which may be of an earlier session.
    """
    if endpoint := form.get("endpoint", ""):
        await visit.call.desk.notices.unsubscribe(visit.me.person.id, endpoint)
    await visit.call.desk.people.sign_out(visit.me, [visit.me.session.hash])
    where = "/sign-in?out=1" if visit.me.session.identity else "/sign-in"
    return visit.go(where, [cookie(visit.site, "", 0)])


async def short(visit: Visit) -> Reply:
    """Send whoever opens the short link of a text message to the payment that is meant.

    Raises: Malformed for what is no payment's.
    """
    ident = f"pay_{visit.call.path['ask']}"
    ids.number("pay", ident)
    return visit.go(f"/wallet/payments/{ident}")
