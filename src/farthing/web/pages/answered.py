"""Who answered an ask, as a page tells it: by name, where there is one."""

from typing import NamedTuple

from farthing.core.owners import KEYS
from farthing.core.payments import Payment
from farthing.core.people import PEOPLE
from farthing.core.said import Means, Said, read_said
from farthing.store.database import Tx
from farthing.web.pages.visit import Visit


class Told(NamedTuple):
    """One answer, and the name of who gave it: a person's, a key's label, or an id."""

    said: Said
    name: str


async def answered(visit: Visit, payment: Payment) -> list[Told]:
    """Read who answered, for the payer's owner; nobody else is told."""
    said = read_said(payment.answers)
    if not said or payment.owner != visit.me.person.owner:
        return []

    def work(tx: Tx) -> dict[str, str]:
        people = tx.fetch(PEOPLE, [one.who for one in said if one.means is not Means.KEY])
        keys = tx.fetch(KEYS, [one.who for one in said if one.means is Means.KEY])
        names = {ident: person.name for ident, person in people.items()}
        return names | {ident: key.label for ident, key in keys.items()}

    names = await visit.call.desk.ctx.database.read(work)
    return [Told(one, names.get(one.who) or one.who) for one in said]
