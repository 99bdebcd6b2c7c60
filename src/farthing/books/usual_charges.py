"""The usual charge, decided in one go: everything stands, nobody is asked, the money is there.

Nearly every unit of a busy commit is one. What its device's records allow was worked out before
(`core/standing.py`), so its transfers are checked and made here straight away; its record, its
statement and its events are made as its plan makes them. Whatever is unusual is left to the plan,
before anything has moved. Both ways leave the same rows: `tests/books/test_usual_charges.py`
compares them.
"""

from farthing.books.at_hand import AtHand
from farthing.core.decisions import Outcome, View
from farthing.core.ledger import Ledger
from farthing.core.paying import Authorise
from farthing.core.payments import Authorised, State, settled


def charge(
    unit: Authorise, at_hand: AtHand, ledger: Ledger, view: View
) -> Outcome[Authorised] | None:
    """Charge in one go; None, and nothing has moved, where the unit's plan must be asked."""
    sides = at_hand.sides(unit)
    if sides is None:
        return None
    standing, payee = sides
    moves = at_hand.moves(unit, standing)
    if moves is None or not ledger.move(moves):
        return None
    captured = unit.draft(
        view, standing.device, standing.payer, payee,
        state=State.CAPTURED, budgets=len(standing.lines),
    )  # fmt: skip
    return settled(view, captured, Authorised(captured, fresh=bool(captured.claim)))
