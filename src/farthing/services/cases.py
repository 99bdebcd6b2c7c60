"""A case as who decides it sees it: its payment, what its device did else, who else paid there."""

from collections.abc import Sequence
from dataclasses import dataclass

from farthing.core.cases import CASES, Case, case_name
from farthing.core.payments import PAYMENTS, Payment
from farthing.errors import present
from farthing.store.cases import flagged_of, of_device, of_payee
from farthing.store.database import Tx
from farthing.store.queries import one

BEFORE, LATER, OTHERS, FLAGGED = 6, 3, 4, 4
"""How many payments are shown of the device before and after, of others, and of others' cases."""


@dataclass(frozen=True, slots=True)
class Related:
    """A payment that has to do with a case's: by the same `device`, or to the same `payee`."""

    payment: Payment
    by: str
    case: Case | None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """All that is known of a case. Shape: `related` are newest first."""

    case: Case
    payment: Payment
    related: Sequence[Related]


def case_file(tx: Tx, ident: str) -> CaseFile | None:
    """Read a case with what has to do with it; None if there is none."""
    case = one(tx, CASES, ident)
    if case is None:
        return None
    payment = present(one(tx, PAYMENTS, case.payment), "a case's payment is kept")
    return CaseFile(case, payment, _related(tx, payment))


def _related(tx: Tx, payment: Payment) -> list[Related]:
    """Find the payments: what was flagged of the payee comes before what was not."""
    mine = of_device(tx, payment, BEFORE, LATER)
    flagged = [
        case.payment
        for case in flagged_of(tx, "payee", payment.payee, 2 * FLAGGED)
        if case.device != payment.device
    ]
    others = list(tx.fetch(PAYMENTS, flagged[:FLAGGED]).values())
    known = {one.id for one in others}
    near = of_payee(tx, payment, OTHERS, OTHERS)
    others += [one for one in near if one.id not in known][:OTHERS]
    found = {**{one.id: ("device", one) for one in mine}, **{o.id: ("payee", o) for o in others}}
    cases = tx.fetch(CASES, [case_name(one) for _, one in found.values()])
    related = [Related(one, by, cases.get(case_name(one))) for by, one in found.values()]
    return sorted(related, key=lambda each: each.payment.id, reverse=True)
