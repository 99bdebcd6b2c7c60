"""One's own account here: passkeys, recovery codes, and where one is signed in."""

from farthing.codec import from_base64url, to_base64url
from farthing.errors import Unauthenticated
from farthing.web.api.endpoint import Reply
from farthing.web.pages.forms import proof_in, proof_of, read_object
from farthing.web.pages.place import agent_of
from farthing.web.pages.visit import Visit


async def account_page(visit: Visit) -> Reply:
    """Show passkeys, recovery codes and sessions."""
    return await _page(visit)


async def _page(visit: Visit, codes: list[str] | None = None) -> Reply:
    people, person = visit.call.desk.people, visit.me.person.id
    there = visit.call.desk.organisation
    return visit.page(
        "account.html",
        passkeys=await people.register.passkeys(person),
        sessions=[(to_base64url(one.hash), one) for one in await people.register.sessions(person)],
        left=len(await people.register.recovery_codes(person)),
        codes=codes or [],
        organisation=there.name if there else "",
        identities=await people.register.identities(person) if there else [],
    )


async def end_session(visit: Visit, form: dict[str, str]) -> Reply:
    """Sign out of one browser."""
    await visit.call.desk.people.sign_out(visit.me, [from_base64url(form.get("session", ""))])
    return visit.go("/account")


async def end_others(visit: Visit, _form: dict[str, str]) -> Reply:
    """Sign out of every other browser."""
    people, mine = visit.call.desk.people, visit.me.session.hash
    found = await people.register.begun(visit.me.person.id)
    await people.sign_out(visit.me, [one.hash for one in found if one.hash != mine])
    return visit.go("/account")


async def make_codes(visit: Visit, form: dict[str, str]) -> Reply:
    """Make recovery codes and show them, once.

    Raises: Unauthenticated `passkey-needed`.
    """
    proof = proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    codes = await visit.call.desk.people.recovery_codes(visit.site, visit.me, proof)
    return await _page(visit, codes)


async def remove_passkey(visit: Visit, form: dict[str, str]) -> Reply:
    """Take a passkey away.

    Raises: Unauthenticated `passkey-needed`.
    """
    proof = proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    ident = form.get("subject", "")
    await visit.call.desk.people.remove_passkey(visit.site, visit.me, ident, proof)
    return visit.go("/account")


async def begin_passkey(visit: Visit) -> Reply:
    """Give what one more passkey is made with."""
    return visit.told(await visit.call.desk.people.begin_adding(visit.site, visit.me))


async def add_passkey(visit: Visit) -> Reply:
    """Add one more passkey, confirmed with one that is known."""
    body = read_object(visit.call)
    made, confirmed = proof_in(body, "made"), proof_in(body, "confirmed")
    people, label = visit.call.desk.people, agent_of(visit.call)
    await people.add(visit.site, visit.me, made, confirmed, label)
    return visit.told({"go": "/account"})
