"""The usual hold, decided in one go: as the usual charge is, but its transfers wait.

A lone purchase through the paywall is a hold and its capture, and waits for both.
"""

from farthing.books.at_hand import AtHand
from farthing.clock import NS
from farthing.core.decisions import Outcome, View
from farthing.core.ledger import Ledger
from farthing.core.paying import Authorise
from farthing.core.payments import Authorised, settled

_SECONDS_MAX = 2**32 - 1
"""What a transfer's timeout can hold; the plan says what is wrong with more."""


def hold(
    unit: Authorise, at_hand: AtHand, ledger: Ledger, view: View
) -> Outcome[Authorised] | None:
    """Hold in one go; None, and nothing has moved, where the unit's plan must be asked."""
    seconds = unit.hold_seconds
    sides = at_hand.sides(unit) if 0 < seconds <= _SECONDS_MAX else None
    if sides is None:
        return None
    standing, payee = sides
    moves = at_hand.moves(unit, standing, seconds)
    if moves is None or not ledger.move(moves):
        return None
    held = unit.draft(
        view, standing.device, standing.payer, payee,
        budgets=len(standing.lines), hold_ends_ns=view.now_ns + seconds * NS,
    )  # fmt: skip
    return settled(view, held, Authorised(held, fresh=bool(held.claim)))
