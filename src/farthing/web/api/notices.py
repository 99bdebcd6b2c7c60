"""What people are told, where, and what became of it."""

from functools import partial

import msgspec

from farthing.clock import write_time_ns
from farthing.codec import from_base64url
from farthing.core.listeners import Address, Listener
from farthing.core.notices import Class, Wish, Wishes
from farthing.core.owners import Scope
from farthing.core.telling import NOTICE_TRIES, NoticeTry
from farthing.errors import Malformed
from farthing.notifiers.signed import written_secret
from farthing.web.api import answers, bodies
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, list_table

_OWNER = (Scope.OWNER,)
_ANY = (Scope.OWNER, Scope.READ)


def _when(time_ns: int) -> str | None:
    return write_time_ns(time_ns) if time_ns else None


def show_address(address: Address) -> answers.AddressAnswer:
    """Write an address without its code."""
    return {
        "id": address.id,
        "person": address.person,
        "way": address.way,
        "place": address.place or None,
        "label": address.label,
        "state": address.state,
        "why": address.why or None,
        "created_at": write_time_ns(address.created_ns),
        "proven_at": _when(address.proven_ns),
        "removed_at": _when(address.removed_ns),
    }


def show_wishes(
    addresses: list[Address], ways: list[str], push_key: str, listener: Listener
) -> answers.WishesAnswer:
    """Write what a person is told."""
    wishes = listener.wishes
    return {
        "person": listener.person,
        "owner": listener.owner,
        "classes": {
            about.value: {"ways": wish.ways, "digest_seconds": wish.digest_seconds}
            for about, wish in wishes.classes.items()
        },
        "quiet": wishes.quiet,
        "time_zone": wishes.zone,
        "language": wishes.language,
        "shows_amounts": wishes.shows_amounts,
        "addresses": [show_address(one) for one in addresses],
        "ways": ways,
        "push_key": push_key or None,
    }


def _show_try(one: NoticeTry) -> answers.NoticeTryAnswer:
    return {
        "id": one.id,
        "notice": one.notice,
        "person": one.person,
        "about": one.about,
        "way": one.way or None,
        "address": one.address or None,
        "events": one.events,
        "attempt": one.attempt,
        "status": one.status or None,
        "fault": one.fault or None,
        "took_ms": one.took_ms,
        "at": write_time_ns(one.time_ns),
    }


def wished(before: Wishes, body: bodies.WishesBody) -> Wishes:
    """Change some of what a person wishes; what the body leaves out stays as it is."""
    told = {about: getattr(body.classes, about.value) for about in Class}
    named = {
        about: Wish(list(wish.ways), wish.digest_seconds)
        for about, wish in told.items()
        if wish is not None
    }
    return Wishes(
        before.classes | named,
        before.quiet if body.quiet is None else list(body.quiet),
        body.time_zone or before.zone,
        body.language or before.language,
        before.shows_amounts if body.shows_amounts is None else body.shows_amounts,
    )


async def show(call: Call) -> Reply:
    """Show what a person is told, and where."""
    notices = call.desk.notices
    listener, addresses = await notices.of(call.path["person"], call.asker.sees)
    return Reply(show_wishes(addresses, list(notices.ways), notices.push_key, listener))


async def change(call: Call) -> Reply:
    """Change what a person is told."""
    body, notices, person = call.body(bodies.WishesBody), call.desk.notices, call.path["person"]
    listener, addresses = await notices.of(person, call.asker.sees)
    unit = notices.wishing(person, call.asker.sees, wished(listener.wishes, body))
    render = partial(show_wishes, addresses, list(notices.ways), notices.push_key)
    return await call.once(unit, render)


async def add_address(call: Call) -> Reply:
    """Take down where a person wants to be told, and send a code there."""
    body = call.body(bodies.AddressBody)
    if (body.way == "push") != (body.keys is not None):
        raise Malformed("malformed-address", "a browser's pushes have keys, and nothing else has")
    keys = "" if body.keys is None else msgspec.json.encode(body.keys).decode()
    made = await call.desk.notices.add(
        call.path["person"], call.asker.sees, body.way, body.place, body.label, keys
    )
    shown = show_address(made)
    if made.way == "webhook":
        shown["secret"] = written_secret(from_base64url(made.keys))
    return Reply(shown, 201)


async def send_code(call: Call) -> Reply:
    """Send another code to an address."""
    made = await call.desk.notices.send_code(call.path["address"], call.asker.sees)
    return Reply(show_address(made))


async def prove(call: Call) -> Reply:
    """Tell notices at an address from now on, by the code that was sent there."""
    body = call.body(bodies.AddressCodeBody)
    made = await call.desk.notices.prove(call.path["address"], call.asker.sees, body.code)
    return Reply(show_address(made))


async def remove_address(call: Call) -> Reply:
    """Tell nothing at an address any more, and forget where it was."""
    made = await call.desk.notices.remove(call.path["address"], call.asker.sees)
    return Reply(show_address(made))


async def list_tries(call: Call) -> Reply:
    """List what people were told, and what became of it, newest first."""
    return await list_table(call, NOTICE_TRIES, "ntr", _show_try)


def _on_address(verb: str, summary: str, handler: object, *, coded: bool = False) -> Endpoint:
    return Endpoint(
        "POST",
        f"/v1/addresses/{{address}}/{verb}",
        f"{verb}_address",
        summary,
        handler,  # type: ignore[arg-type]
        scopes=_OWNER,
        body=bodies.AddressCodeBody if coded else None,
        answer=answers.AddressAnswer,
        told_apart_by="the address",
    )


ENDPOINTS = [
    Endpoint(
        "GET",
        "/v1/people/{person}/notices",
        "show_notices",
        "What a person is told, and where",
        show,
        scopes=_ANY,
        answer=answers.WishesAnswer,
    ),
    Endpoint(
        "PUT",
        "/v1/people/{person}/notices",
        "change_notices",
        "Change what a person is told",
        change,
        scopes=_OWNER,
        body=bodies.WishesBody,
        answer=answers.WishesAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/people/{person}/addresses",
        "add_address",
        "Take down where a person wants to be told",
        add_address,
        scopes=_OWNER,
        body=bodies.AddressBody,
        status=201,
        answer=answers.AddressAnswer,
        told_apart_by="the way and the place",
    ),
    _on_address("code", "Send another code to an address", send_code),
    _on_address("prove", "Show that what is sent there is read", prove, coded=True),
    _on_address("remove", "Tell nothing there any more", remove_address),
    Endpoint(
        "GET",
        "/v1/notices",
        "list_notices",
        "What people were told, and what became of it",
        list_tries,
        scopes=_ANY,
        query=PAGED,
        answer=answers.Page[answers.NoticeTryAnswer],
    ),
]
