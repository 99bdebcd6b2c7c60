"""Taking the money of a payment: it and every budget that covers it, in one chain; or refusing."""

from collections.abc import Sequence
from functools import partial

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import TransferCode
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Kind
from farthing.core.fee_taking import fee_facts, fee_transfers, fees_taken
from farthing.core.fees import Fee, write_fees
from farthing.core.funding import funded, session_facts
from farthing.core.ledger import Account, Transfer, TransferResult, linked
from farthing.core.ledger_checks import LINKED, PENDING
from farthing.core.mandates import BudgetLine, Mandate, adjustment, budget_line, grant
from farthing.core.payments import NEVER_NS, Authorised, Payment, Place, State, settled
from farthing.core.refusals import Refusal
from farthing.core.sessions import is_deposit
from farthing.errors import ensure


def refuse(view: View, payment: Payment, reason: Refusal, detail: str = "") -> Outcome[Authorised]:
    """Record a refusal: a value, not an exception, so that its evidence stays."""
    refused = msgspec.structs.replace(
        payment,
        state=State.REFUSED,
        reason=reason.value + (f":{detail}" if detail else ""),
        changed_ns=view.now_ns,
        leaf=view.leaf,
    )
    return settled(view, refused, Authorised(refused, fresh=False))


def take(view: View, mandate: Mandate, payment: Payment) -> Plan[Authorised]:
    """Hold or capture: each budget that covers the payment, then the money, in one chain."""
    lines = [
        budget_line(mandate, budget, payment.ledger, view.now_ns // NS)
        for budget in mandate.budgets
        if budget.covers(payment.payee, payment.category)
    ]
    number = payment.number
    accounts: list[Account] = []
    chains: list[list[Transfer]] = []
    for i, line in enumerate(lines):
        opened, filling = grant(view, line)
        accounts += [a for a in opened if all(a.id != b.id for b in accounts)]
        if filling:
            chains.append(filling)
        elif (surplus := adjustment(view, line, ids.place(number, Place.LIMIT + i))) is not None:
            chains.append([surplus])  # A hold came back after its limit had been lowered.
    chain, fees = _chain(payment, number, lines), list[Fee]()
    if payment.fees and payment.wants_capture:
        fees = fees_taken(view, payment, payment.amount)
        chain = linked([*chain, *fee_transfers(payment, fees)])
    chains.append(chain)
    return Plan(partial(_taken, view, payment, lines, fees), accounts, chains)


def _chain(payment: Payment, number: int, lines: Sequence[BudgetLine]) -> list[Transfer]:
    """Name the transfers, each linked to the next; flags as plain integers, which are faster."""
    amount = payment.amount
    flags = 0 if payment.wants_capture else PENDING
    timeout = 0 if payment.wants_capture else payment.hold_seconds
    chain = [
        Transfer(
            ids.place(number, Place.HOLD + 1 + i),
            line.available,
            line.spent,
            amount,
            line.ledger,
            TransferCode.BUDGET,
            flags | LINKED,
            timeout=timeout,
            user_data=number,
        )
        for i, line in enumerate(lines)
    ]
    money = Transfer(
        ids.place(number, Place.HOLD),
        ids.number("acc", payment.payer),
        ids.number("acc", payment.payee),
        amount,
        payment.ledger,
        TransferCode.PAYMENT,
        flags,
        timeout=timeout,
        user_data=number,
    )
    return [*chain, money]


def _taken(
    view: View,
    payment: Payment,
    lines: Sequence[BudgetLine],
    fees: Sequence[Fee],
    results: Sequence[Sequence[TransferResult]],
) -> Outcome[Authorised]:
    for i, result in enumerate(results[-1]):
        if result is TransferResult.CREATED or result is TransferResult.LINKED_EVENT_FAILED:
            continue
        if i < len(lines):
            return refuse(view, payment, Refusal.MANDATE_BUDGET, lines[i].name)
        return refuse(view, payment, _money_refusal(result))
    captured = payment.wants_capture
    taken = msgspec.structs.replace(
        payment,
        state=State.CAPTURED if captured else State.HELD,
        captured=payment.amount if captured else 0,
        budgets=len(lines),
        hold_ends_ns=_ends_ns(view, payment),
        changed_ns=view.now_ns,
        leaf=view.leaf,
        fees=write_fees(fees) if fees else payment.fees,
    )
    answer = Authorised(taken, fresh=bool(taken.claim))
    if not is_deposit(taken.resource):
        return settled(view, taken, answer, also=fee_facts(taken, fees) if fees else ())
    session, writes = funded(view, taken)
    kind = Kind.SESSION_OPENED if len(session.deposits) == 1 else Kind.SESSION_TOPPED_UP
    return settled(view, taken, answer, *writes, also=session_facts(session, kind))


def _ends_ns(view: View, payment: Payment) -> int:
    if payment.wants_capture:
        return 0
    if is_deposit(payment.resource):
        return NEVER_NS  # Its session ends it, and a session always ends.
    return view.now_ns + payment.hold_seconds * NS


def _money_refusal(result: TransferResult) -> Refusal:
    if result is TransferResult.EXCEEDS_CREDITS:
        return Refusal.INSUFFICIENT_FUNDS
    if result is TransferResult.DEBIT_ACCOUNT_ALREADY_CLOSED:
        return Refusal.ACCOUNT_FROZEN
    if result is TransferResult.CREDIT_ACCOUNT_ALREADY_CLOSED:
        return Refusal.PAYEE_FROZEN
    ensure(result.name.startswith("OVERFLOWS"), f"a payment can fail like this: {result.name}")
    return Refusal.PAYEE_LIMIT
