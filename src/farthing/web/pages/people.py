"""People and their roles, for who looks after the hub: invited, given a link again, removed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from farthing.codec import canonical_json, to_base64url
from farthing.core.owners import OWNERS, OwnerRecord
from farthing.core.people import PEOPLE, Person, RemovePerson, Role
from farthing.errors import Forbidden, Malformed, Missing
from farthing.services.people import LINK_SECONDS, as_they_stand
from farthing.store.database import Tx
from farthing.store.lines import has_lines
from farthing.store.queries import one, page
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import Act, terms_act
from farthing.web.pages.confirming import confirmed
from farthing.web.pages.operating import need_operator
from farthing.web.pages.place import one_line, people_url
from farthing.web.pages.typed import LINE_MAX
from farthing.web.pages.visit import Visit

HERE = "/console/people"
LISTED, _OWNERS = 12, 25
"""So many that the page stays light: each has buttons of its own."""

QUERY = {"before": "Before this person."}
_FIELDS = ("name", "owner", "role", "operator")
_ROLES = (Role.OWNER.value, Role.WARD.value)


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an invitation is for. Shape: `told` are the fields as they were typed."""

    name: str
    owner: OwnerRecord
    roles: list[Role]
    told: dict[str, str]

    def digest(self) -> str:
        """Hash the terms: what is confirmed is these, and no others."""
        return to_base64url(hashlib.sha256(canonical_json(self.told)).digest())


async def people_page(visit: Visit) -> Reply:
    """Show who may sign in, for whom, and in which roles, the newest first.

    Raises: Malformed.
    """
    before = one_line(visit.call.query.get("before", ""), 40)

    def work(tx: Tx) -> tuple[list[Person], dict[str, OwnerRecord], list[OwnerRecord]]:
        people = page(tx, PEOPLE, {}, after=before, limit=LISTED)
        return (
            people,
            tx.fetch(OWNERS, list({p.owner for p in people})),
            page(tx, OWNERS, {}, limit=_OWNERS),
        )

    people, owners, newest = await visit.call.desk.ctx.database.read(work)
    choices = {visit.me.owner.id: visit.me.owner, **{owner.id: owner for owner in newest}}
    older = people[-1].id if len(people) == LISTED else ""
    return visit.page(
        "people.html", people=people, owners=owners, choices=list(choices.values()), older=older
    )


async def check_invitation(visit: Visit, form: dict[str, str]) -> Reply:
    """Read an invitation back, before anybody is let in.

    Raises: Malformed; Missing.
    """
    return visit.page("check_person.html", invited=await _read(visit, form))


async def invite(visit: Visit, form: dict[str, str]) -> Reply:
    """Let somebody sign in, confirmed with a passkey, and show their link, once.

    Raises: Unauthenticated `passkey-needed`; Malformed; Missing.
    """
    invited = await _read(visit, form)
    await _not_their_own(visit, invited.owner.id, invited.roles)
    people = visit.call.desk.people
    unit, code = people.inviting(invited.owner.id, invited.name, invited.roles)
    await confirmed(visit, form, terms_act("invite-person", invited.digest()), unit)
    return _shown(visit, invited.name, code)


async def link_again(visit: Visit, form: dict[str, str]) -> Reply:
    """Make another link for somebody who has lost every passkey, and show it, once.

    Raises: Unauthenticated `passkey-needed`; Missing.
    """
    person = await _person(visit, form.get("person", ""))
    await _not_their_own(visit, person.owner, person.roles)

    async def linked() -> str:
        unit, code = await visit.call.desk.people.linking(person.id)
        await confirmed(visit, form, _about("link-person", person), unit)
        return code

    return _shown(visit, person.name, await as_they_stand(linked))


async def remove(visit: Visit, form: dict[str, str]) -> Reply:
    """Let somebody in no more, from their next request on: confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`; Malformed; Missing.
    """
    person = await _person(visit, form.get("person", ""))
    if person.id == visit.me.person.id:
        raise Malformed("malformed-form", "another operator removes you")
    await confirmed(visit, form, _about("remove-person", person), RemovePerson(person.id))
    return visit.go(HERE)


async def _not_their_own(visit: Visit, owner: str, roles: Sequence[str]) -> None:
    """Refuse who would be a second person themselves: where two approve, neither says who they are.

    Raises: Forbidden `two-people-needed`.
    """
    mine = visit.me.person
    if owner != mine.owner or mine.is_ward or Role.OWNER not in roles:
        return
    if await visit.call.desk.ctx.database.read(lambda tx: has_lines(tx, owner)):
        detail = "you approve for this owner yourself: another operator lets a second one in"
        raise Forbidden("two-people-needed", detail)


async def act_of(visit: Visit, act: str, subject: str) -> Act:
    """Give what a passkey confirms of a person. Raises: Missing."""
    need_operator(visit)
    return _about(act, await _person(visit, subject))


def _about(act: str, person: Person) -> Act:
    return {"act": act, "subject": person.id}


def _shown(visit: Visit, name: str, code: str) -> Reply:
    link = f"{people_url(visit.call.desk.config)}/join#{code}"
    return visit.page("link.html", name=name, link=link, hours=LINK_SECONDS // 3600)


async def _person(visit: Visit, ident: str) -> Person:
    found = await visit.call.desk.ctx.database.read(lambda tx: one(tx, PEOPLE, ident))
    if found is None or found.removed_ns:
        raise Missing("no-such-person", "there is no such person here")
    return found


async def _read(visit: Visit, form: dict[str, str]) -> Invited:
    told = {name: one_line(form.get(name, ""), LINE_MAX) for name in _FIELDS}
    owner = await visit.call.desk.ctx.database.read(lambda tx: one(tx, OWNERS, told["owner"]))
    if owner is None:
        raise Missing("no-such-owner", "there is no such owner here")
    if not told["name"] or told["role"] not in _ROLES:
        raise Malformed("malformed-form", "give a name and a role")
    roles = [Role(told["role"])] + ([Role.OPERATOR] if told["operator"] else [])
    return Invited(told["name"], owner, roles, told)
