"""People who sign in to the pages: invited, given another link, let in no more."""

from functools import partial

from farthing.core.people import PEOPLE, Person, RemovePerson, Role
from farthing.errors import Malformed
from farthing.services.people import LINK_SECONDS, as_they_stand
from farthing.store.queries import page
from farthing.web.api import answers, bodies
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, cursor_of, limit_of, listed
from farthing.web.api.owners import OPERATOR, acting_owner
from farthing.web.api.shapes import show_person
from farthing.web.pages.place import people_url


async def invite_person(call: Call) -> Reply:
    """Let somebody sign in for an owner; the link is in this answer only."""
    body = call.body(bodies.PersonBody)
    roles = [Role(role) for role in dict.fromkeys(body.roles)]
    if not roles or not body.name.strip():
        raise Malformed("person-incomplete", "give a name and at least one role")
    owner = await acting_owner(call, body.owner)
    unit, code = call.desk.people.inviting(owner, body.name, roles)
    return await call.once(unit, partial(_with_link, _link(call, code)), status=201, secret=True)


async def link_person(call: Call) -> Reply:
    """Give another link to somebody who may have lost every passkey."""

    async def linked() -> Reply:
        unit, code = await call.desk.people.linking(call.path["person"])
        render = partial(_with_link, _link(call, code))
        return await call.once(unit, render, status=201, secret=True)

    return await as_they_stand(linked)


def _link(call: Call, code: str) -> str:
    """Write a link. Shape: the code is behind `#`, where no browser sends it and no log has it."""
    return f"{people_url(call.desk.config)}/join#{code}"


def _with_link(link: str, person: Person) -> answers.LinkAnswer:
    return {**show_person(person), "link": link, "link_seconds": LINK_SECONDS}


async def list_people(call: Call) -> Reply:
    """List people."""
    limit, after = limit_of(call), cursor_of(call, "per")
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, PEOPLE, {}, after=after, limit=limit)
    )
    return listed([show_person(row) for row in rows], limit)


async def remove_person(call: Call) -> Reply:
    """Let somebody in no more, from the next request on."""
    return await call.once(RemovePerson(call.path["person"]), show_person)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/people",
        "invite_person",
        "Let somebody sign in to the pages",
        invite_person,
        scopes=OPERATOR,
        body=bodies.PersonBody,
        status=201,
        answer=answers.LinkAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/people",
        "list_people",
        "List people",
        list_people,
        scopes=OPERATOR,
        query=PAGED,
        answer=answers.Page[answers.PersonAnswer],
    ),
    Endpoint(
        "POST",
        "/v1/people/{person}/links",
        "link_person",
        "Give somebody another link",
        link_person,
        scopes=OPERATOR,
        status=201,
        answer=answers.LinkAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/people/{person}/remove",
        "remove_person",
        "Let somebody in no more",
        remove_person,
        scopes=OPERATOR,
        answer=answers.PersonAnswer,
    ),
]
