"""The usual capture, decided in one go: all of a hold that stands, between accounts that are open.

What it looks at are the payment and its holds, which the books keep in memory while they are
young. Whatever is unusual is left to the plan, before anything has moved: a part of a hold, a
session's deposit, fees, a hold that has ended or run out, a frozen account.
"""

import msgspec

from farthing.books.memory import Working
from farthing.core.decisions import Outcome, View
from farthing.core.ledger import Ending, Ledger, Transfer
from farthing.core.ledger_checks import LINKED, POST
from farthing.core.payments import PAYMENTS, Payment, Place, State, settled
from farthing.core.sessions import is_deposit
from farthing.core.settling import Capture


def capture(unit: Capture, working: Working, ledger: Ledger, view: View) -> Outcome[Payment] | None:
    """Capture in one go; None, and nothing has moved, where the unit's plan must be asked."""
    payment = working.record(PAYMENTS, unit.payment)
    if (
        payment is None
        or not _is_plain(unit, payment, view.now_ns)
        or not ledger.post_held(_endings(payment, ledger))
    ):
        return None
    captured = msgspec.structs.replace(
        payment, state=State.CAPTURED, captured=payment.amount, changed_ns=view.now_ns,
        leaf=view.leaf,
    )  # fmt: skip
    return settled(view, captured, captured)


def _is_plain(unit: Capture, payment: Payment, now_ns: int) -> bool:
    """Tell whether nothing but the ledger could stand against this capture."""
    return (
        unit.owner in (None, payment.payee_owner)
        and unit.units in (None, payment.amount)
        and payment.state is State.HELD
        and now_ns < payment.hold_ends_ns
        and not payment.fees
        and not is_deposit(payment.resource)
    )


def _endings(payment: Payment, ledger: Ledger) -> list[Ending]:
    """Name what posts each hold, budgets before the money, as they were held."""
    number, amount, now_ns = payment.number, payment.amount, ledger.now_ns
    endings: list[Ending] = []
    for i in range(payment.budgets, -1, -1):
        ident = number | Place.HOLD + i
        held = ledger.transfer(ident)
        if held is None:
            return []
        row = Transfer(
            number | Place.CAPTURE + i, held.debit_account_id, held.credit_account_id, amount,
            held.ledger, held.code, POST | LINKED if i else POST, ident, number, 0, now_ns,
        )  # fmt: skip
        endings.append((row, held))
        now_ns += 1
    return endings
