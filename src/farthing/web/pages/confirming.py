"""What is done once a passkey has confirmed it."""

from typing import Any

from farthing.errors import Unauthenticated
from farthing.web.pages.approvals import Act
from farthing.web.pages.forms import proof_of
from farthing.web.pages.visit import Visit


async def confirmed(visit: Visit, form: dict[str, str], act: Act, unit: Any) -> Any:
    """Commit a unit that a form's proof confirms, and give its answer.

    Raises: Unauthenticated `passkey-needed`, `bad-passkey`, `bad-challenge`.
    """
    proof = proof_of(form)
    if proof is None:
        raise Unauthenticated("passkey-needed", "confirm this with your passkey")
    people = visit.call.desk.people
    whole = await people.confirmed(visit.site, visit.me, act, proof, unit)
    return (await visit.call.desk.ctx.books.commit_one(whole, visit.me.person.owner)).answer
