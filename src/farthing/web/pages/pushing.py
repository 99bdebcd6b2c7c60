"""Pushes to a browser: subscribed by a page's script, answered by its service worker.

What the service worker gets and sends is told in docs/reference/pushes.md.
"""

import msgspec

from farthing.core.pushes import session_name
from farthing.errors import Conflict, Malformed, Unauthenticated
from farthing.web.api.endpoint import Reply
from farthing.web.pages.book import Book
from farthing.web.pages.forms import read_object, text_in
from farthing.web.pages.place import agent_of
from farthing.web.pages.visit import Visit

_URL_MAX = 1000


async def push_key(visit: Visit) -> Reply:
    """Give the key that a browser subscribes with.

    Raises: Conflict `way-off`.
    """
    key = visit.call.desk.notices.push_key
    if not key:
        raise Conflict("way-off", "this hub sends no pushes")
    return visit.told({"key": key})


async def subscribe(visit: Visit) -> Reply:
    """Push notices to this browser from now on, until one signs out of it."""
    place, keys = _subscription(visit)
    me = visit.me.person
    session = session_name(visit.me.session.hash)
    made = await visit.call.desk.notices.add(
        me.id, me.owner, "push", place, agent_of(visit.call), keys, session
    )
    return visit.told({"address": made.id})


async def unsubscribe(visit: Visit) -> Reply:
    """Push nothing to this browser any more."""
    place = text_in(read_object(visit.call), "endpoint")
    await visit.call.desk.notices.unsubscribe(visit.me.person.id, place)
    return visit.told({"address": None})


async def answer(visit: Visit) -> Reply:
    """Answer an ask from its notice, in a browser where one is signed in.

    Shape:  the ticket in the notice stands for the mark of a form: no other page has it.
    Raises: Unauthenticated `passkey-needed`, and what `Notices.answer` does.
    """
    body = read_object(visit.call)
    ticket, said = text_in(body, "ticket"), text_in(body, "answer")
    if said == "approve" and visit.me.session.identity:
        line = await Book(visit.call.desk.ctx, visit.me.person.owner).line(ticket.partition(".")[0])
        if line is not None and line.two:  # Whom an organisation let in is no second one so.
            raise Unauthenticated("passkey-needed", "open the page and look at it there")
    payment = await visit.call.desk.notices.answer(visit.me.person, ticket, said)
    return visit.told({"payment": payment.id, "state": payment.state.value})


async def renew(visit: Visit) -> Reply:
    """Push to a browser at the new place that its push service has given it, and not at the old.

    Shape: a service worker asks, which has no mark; that it is ours, its origin says.
    """
    place, keys = _subscription(visit)
    old, me = read_object(visit.call).get("old"), visit.me.person
    notices, session = visit.call.desk.notices, session_name(visit.me.session.hash)
    made = await notices.add(me.id, me.owner, "push", place, agent_of(visit.call), keys, session)
    if isinstance(old, str) and old != place:
        await notices.unsubscribe(me.id, old)
    return visit.told({"address": made.id})


async def shown(visit: Visit) -> Reply:
    """Note that a pushed notice was shown, where somebody is signed in or not.

    Shape:  the ticket that came with the notice proves it; only that browser could read it.
    Raises: Forbidden `bad-ticket`; Malformed.
    """
    await visit.call.desk.notices.showing.note(text_in(read_object(visit.call), "ticket"))
    return visit.told({"shown": True})


def _subscription(visit: Visit) -> tuple[str, str]:
    """Read what `PushSubscription.toJSON` gives. Raises: Malformed."""
    body = read_object(visit.call)
    place, keys = text_in(body, "endpoint"), body.get("keys")
    if len(place) > _URL_MAX or not isinstance(keys, dict):
        raise Malformed("malformed-push-keys", "send the browser's subscription as it is")
    named = {name: text_in(keys, name) for name in ("p256dh", "auth")}  # pyright: ignore[reportUnknownArgumentType]
    return place, msgspec.json.encode(named).decode()
