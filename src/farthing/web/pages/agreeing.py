"""What one of two people wants of a device's limits, and another one agrees to or declines."""

from typing import Any

from farthing.core.agreeing import AgreeToMandate, DeclineMandate, agreement_of, proposed_of
from farthing.core.people import PEOPLE
from farthing.core.said import By, Means
from farthing.errors import Missing, Unauthenticated
from farthing.store.queries import one
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import terms_act
from farthing.web.pages.book import Book, Machine
from farthing.web.pages.forms import proof_of
from farthing.web.pages.mandate_words import sentences
from farthing.web.pages.orders_made import OrdersMade
from farthing.web.pages.visit import Visit


async def waiting(visit: Visit, machine: Machine) -> dict[str, Any]:
    """Give what a device's page shows of a change that waits; `change` is None where none does."""
    ctx = visit.call.desk.ctx
    found = proposed_of(machine.mandate, ctx.clock())
    if found is None:
        return {"change": None}
    person = await ctx.database.read(lambda tx: one(tx, PEOPLE, found.who))
    payees = await OrdersMade(ctx, visit.me.person.owner).payees()
    return {
        "change": found,
        "wants": person.name if person is not None else found.who,
        "wanted": sentences(visit.renderer, found.wanted, payees),
        "agreement": agreement_of(machine.mandate),
    }


async def agree(visit: Visit, form: dict[str, str]) -> Reply:
    """Agree to what another person wants, confirmed with a passkey over exactly that.

    Raises: Unauthenticated `passkey-needed`; Conflict `mandate-changed`; Forbidden.
    """
    machine, proof = await _machine(visit), proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    desk, me, agreement = visit.call.desk, visit.me, form.get("agreement", "")
    change = AgreeToMandate(machine.mandate.id, me.person.id, agreement, desk.ctx.fresh())
    act = terms_act("agree-limits", agreement)
    unit = await desk.people.confirmed(visit.site, me, act, proof, change)
    await desk.ctx.books.commit_one(unit, me.person.owner)
    return visit.go(f"/wallet/devices/{machine.device.id}")


async def decline(visit: Visit, _form: dict[str, str]) -> Reply:
    """Let it be: one tap, for who wants it as well, and for a ward."""
    machine, me = await _machine(visit), visit.me
    unit = DeclineMandate(machine.mandate.id, me.person.owner, By(Means.SESSION, me.person.id))
    await visit.call.desk.ctx.books.commit_one(unit, me.person.owner)
    return visit.go(f"/wallet/devices/{machine.device.id}")


async def _machine(visit: Visit) -> Machine:
    book = Book(visit.call.desk.ctx, visit.me.person.owner)
    machine = await book.machine(visit.call.path["device"])
    if machine is None:
        raise Missing("no-such-device", "there is no such device here")
    return machine
