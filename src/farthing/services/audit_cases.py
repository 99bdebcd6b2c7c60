"""Cases, compared with the payments that they are of: each flagged payment has one."""

from collections.abc import Iterator, Sequence
from itertools import islice

from farthing.core.audit_faults import broken
from farthing.core.cases import CASES, Case, Standing, opened
from farthing.core.payments import PAYMENTS, Payment
from farthing.store import audit_rows as rows
from farthing.store.database import Tx


def check_cases(tx: Tx, flagged: int) -> None:
    """Check that each case is of a flagged payment, as it says, and that none is missing.

    Shape:  what was said of a case is compared with its statements elsewhere.
    Raises: Broken.
    """
    cases, found = rows.records(tx, CASES, "case"), 0
    while page := list(islice(cases, rows.PAGE)):
        payments = tx.fetch(PAYMENTS, [case.payment for case in page])
        for case, wrong in _faults(page, payments):
            raise broken("case", wrong, name=case.id)
        found += len(page)
    if found != flagged:
        raise broken("cases", f"{flagged} payments are flagged, {found} have a case")


def _faults(cases: Sequence[Case], payments: dict[str, Payment]) -> Iterator[tuple[Case, str]]:
    for case in cases:
        payment = payments.get(case.payment)
        if payment is None or not payment.risk:
            yield case, "its payment is not flagged"
        elif _born(case) != _born(opened(payment)):
            yield case, "its payment says otherwise"
        elif case.state is Standing.OPEN and case != opened(payment):
            yield case, "it is open, and something was said of it"


def _born(case: Case) -> tuple[object, ...]:
    """Give what of a case stays as its payment has it."""
    return case.id, case.payment, case.owner, case.device, case.payee, case.opened_ns
