"""Mandates: what an owner permits its devices."""

from collections.abc import Callable
from functools import partial

from farthing.clock import parse_time
from farthing.core.agreeing import DeclineMandate
from farthing.core.mandates import MANDATES, Budget, Mandate, RevokeMandate, SetMandate
from farthing.core.owners import OWNERS
from farthing.core.periods import ZoneChange, check_hours, check_per, check_zone
from farthing.core.said import by_key
from farthing.errors import Forbidden, Malformed
from farthing.money import UNITS_MAX, parse_units
from farthing.store.queries import one
from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, list_table, own_row
from farthing.web.api.owners import ANY, OWNER, acting_owner


async def set_mandate(call: Call) -> Reply:
    """Make a mandate."""
    body = call.body(bodies.MandateBody)
    owner = await acting_owner(call, body.owner)
    wanted = await _mandate(call, body, call.desk.ctx.fresh_name("man"), owner)
    unit = SetMandate(wanted, call.asker.sees, call.desk.ctx.fresh(), creates=True)
    return await call.once(unit, _shown(call), status=201)


async def change_mandate(call: Call) -> Reply:
    """Set a mandate anew, whole; what was spent this period still counts.

    Raises: Forbidden `two-people-needed` where one person could approve what two had to.
    """
    body = call.body(bodies.MandateBody)
    before = await own_row(call, MANDATES, call.path["mandate"], "mandate")
    if body.owner not in (None, before.owner):
        raise Forbidden("not-your-owner", "a mandate stays with its owner")
    wanted = await _mandate(call, body, before.id, before.owner)
    unit = SetMandate(wanted, call.asker.sees, call.desk.ctx.fresh(), creates=False)
    return await call.once(unit, _shown(call))


async def _mandate(call: Call, body: bodies.MandateBody, ident: str, owner: str) -> Mandate:
    names = [budget.name for budget in body.budgets]
    if len(set(names)) != len(names) or "" in names:
        raise Malformed("budget-names", "each budget needs a name of its own")
    zone = body.time_zone
    if zone is None:
        record = await call.desk.ctx.database.read(lambda tx: one(tx, OWNERS, owner))
        zone = record.time_zone if record is not None else "UTC"
    return Mandate(
        id=ident,
        owner=owner,
        asset=body.asset,
        name=body.name,
        largest=UNITS_MAX if body.largest is None else parse_units(body.largest),
        budgets=[
            Budget(
                name=budget.name,
                per=check_per(budget.per),
                limit=parse_units(budget.limit),
                payees=budget.payees,
                categories=budget.categories,
            )
            for budget in body.budgets
        ],
        payees=body.payees,
        categories=body.categories,
        hours=[check_hours(span) for span in body.hours],
        zones=[ZoneChange(0, check_zone(zone))],
        expires=0 if body.expires is None else parse_time(body.expires),
        ask_above=None if body.ask_above is None else parse_units(body.ask_above),
        ask_seconds=body.ask_seconds,
        on_timeout=body.on_timeout,
        two_above=None if body.two_above is None else parse_units(body.two_above),
    )


async def list_mandates(call: Call) -> Reply:
    """List mandates."""
    return await list_table(call, MANDATES, "man", _shown(call))


async def show_mandate(call: Call) -> Reply:
    """Show a mandate."""
    found = await own_row(call, MANDATES, call.path["mandate"], "mandate")
    return Reply(_shown(call)(found))


async def revoke_mandate(call: Call) -> Reply:
    """Revoke a mandate, from the next commit on."""
    unit = RevokeMandate(call.path["mandate"], call.asker.sees)
    return await call.once(unit, _shown(call))


async def decline_mandate(call: Call) -> Reply:
    """Let what somebody wants of a mandate be."""
    unit = DeclineMandate(call.path["mandate"], call.asker.sees, by_key(call.asker.name))
    return await call.once(unit, _shown(call))


def _shown(call: Call) -> Callable[[Mandate], answers.MandateAnswer]:
    return partial(shapes.show_mandate, now_ns=call.desk.ctx.clock())


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/mandates",
        "set_mandate",
        "Make a mandate",
        set_mandate,
        scopes=OWNER,
        body=bodies.MandateBody,
        status=201,
        answer=answers.MandateAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/mandates",
        "list_mandates",
        "List mandates",
        list_mandates,
        scopes=ANY,
        query=PAGED,
        answer=answers.Page[answers.MandateAnswer],
    ),
    Endpoint(
        "GET",
        "/v1/mandates/{mandate}",
        "show_mandate",
        "Show a mandate",
        show_mandate,
        scopes=ANY,
        answer=answers.MandateAnswer,
    ),
    Endpoint(
        "PUT",
        "/v1/mandates/{mandate}",
        "change_mandate",
        "Set a mandate anew",
        change_mandate,
        scopes=OWNER,
        body=bodies.MandateBody,
        answer=answers.MandateAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/mandates/{mandate}/revoke",
        "revoke_mandate",
        "Revoke a mandate",
        revoke_mandate,
        scopes=OWNER,
        answer=answers.MandateAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/mandates/{mandate}/decline",
        "decline_mandate",
        "Decline what somebody wants of a mandate",
        decline_mandate,
        scopes=OWNER,
        answer=answers.MandateAnswer,
    ),
]
