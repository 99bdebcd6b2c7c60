"""What becomes of a hold: captured (all or part), voided, or expired."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from farthing import ids
from farthing.core.accounts import require_unfrozen
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import Kind
from farthing.core.fee_taking import fee_facts, fee_transfers, fees_taken
from farthing.core.fees import Fee, write_fees
from farthing.core.ledger import Transfer, TransferFlags, TransferResult, linked
from farthing.core.payments import PAYMENTS, Payment, Place, State, require_payment, settled
from farthing.core.records import Read
from farthing.core.sessions import is_deposit
from farthing.errors import Conflict, Malformed, ensure

_LEDGER_FIRST_NS = 1_000_000
"""Transfers of one commit differ by nanoseconds; the ledger's own expiry comes first."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Post a hold: all of it, or `units`; the rest is released, and given back to budgets."""

    payment: str
    owner: str | None
    units: int | None = None

    @property
    def reads(self) -> Sequence[Read]:
        """The payment."""
        return [Read(PAYMENTS, self.payment)]

    @property
    def accounts(self) -> Sequence[int]:
        """None ahead: the hold's accounts were used lately."""
        return ()

    def plan(self, view: View) -> Plan[Payment] | Outcome[Payment]:
        """Capture once; again with the same amount is no harm."""
        payment = require_payment(view, self.payment, self.owner)
        units = payment.amount if self.units is None else self.units
        if payment.state is State.CAPTURED:
            if payment.captured == units:
                return Outcome(payment)
            raise Conflict("already-captured", f"{payment.captured} units were captured")
        _require_held(payment)
        if not 0 < units <= payment.amount:
            raise Malformed("capture-too-large", f"the hold is {payment.amount} units")
        if view.now_ns >= payment.hold_ends_ns:
            return _released(view, payment, State.EXPIRED, "")
        require_unfrozen(view, payment.payer, payment.payee)
        fees = fees_taken(view, payment, units) if payment.fees else ()
        chain = capturing_chain(payment, units, fees)

        def then(results: list[list[TransferResult]]) -> Outcome[Payment]:
            if not was_made(results[0]):
                return _ended_otherwise(view, payment, results[0])
            captured = msgspec.structs.replace(
                payment,
                state=State.CAPTURED,
                captured=units,
                changed_ns=view.now_ns,
                leaf=view.leaf,
                fees=write_fees(fees),
            )
            return settled(view, captured, captured, also=fee_facts(captured, fees))

        return Plan(then, chains=[chain])


class Settled(NamedTuple):
    """A payment, and whether it was captured here and now or by somebody before."""

    payment: Payment
    now: bool


@dataclass(frozen=True, slots=True)
class Settle:
    """Capture a hold, or release it where nothing was used, and tell whether it was this call."""

    ending: "Capture | Void"

    @property
    def reads(self) -> Sequence[Read]:
        """The payment."""
        return self.ending.reads

    @property
    def accounts(self) -> Sequence[int]:
        """None ahead."""
        return self.ending.accounts

    def plan(self, view: View) -> Plan[Settled] | Outcome[Settled]:
        """End it once; whoever comes later hears that it was done before."""
        planned = self.ending.plan(view)
        if isinstance(planned, Outcome):
            return _told(planned, now=False)
        then = planned.then

        def told(results: list[list[TransferResult]]) -> Outcome[Settled]:
            done = then(results)
            return _told(done, now=done.answer.state in (State.CAPTURED, State.VOIDED))

        return Plan(told, planned.accounts, planned.chains)


def _told(done: Outcome[Payment], *, now: bool) -> Outcome[Settled]:
    return Outcome(Settled(done.answer, now), done.writes, done.subject, done.statement)


@dataclass(frozen=True, slots=True)
class Void:
    """Release a hold: nothing was taken, and budgets get everything back."""

    payment: str
    owner: str | None
    reason: str = ""

    @property
    def reads(self) -> Sequence[Read]:
        """The payment."""
        return [Read(PAYMENTS, self.payment)]

    @property
    def accounts(self) -> Sequence[int]:
        """None ahead."""
        return ()

    def plan(self, view: View) -> Plan[Payment] | Outcome[Payment]:
        """Void once; again is no harm."""
        payment = require_payment(view, self.payment, self.owner)
        if payment.state in (State.VOIDED, State.EXPIRED):
            return Outcome(payment)
        _require_held(payment)
        chain = ending_chain(payment, TransferFlags.VOID_PENDING, Place.VOID, 0)

        def then(results: list[list[TransferResult]]) -> Outcome[Payment]:
            if not was_made(results[0]):
                return _ended_otherwise(view, payment, results[0])
            return _released(view, payment, State.VOIDED, self.reason)

        return Plan(then, chains=[chain])


@dataclass(frozen=True, slots=True)
class Expire:
    """Record that the ledger has released a hold whose time was over."""

    payment: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Payment]:
        """Expire it if the book's time says so."""
        payment = require_payment(view, self.payment, None)
        over = view.now_ns >= payment.hold_ends_ns + _LEDGER_FIRST_NS
        if payment.state is not State.HELD or not over:
            return Outcome(payment)
        return _released(view, payment, State.EXPIRED, "")


@dataclass(frozen=True, slots=True)
class MarkDelivery:
    """Record that an answer broke off after it was paid."""

    payment: str
    owner: str | None
    delivery: str
    reads: Sequence[Read] = ()
    accounts: Sequence[int] = ()

    def plan(self, view: View) -> Outcome[Payment]:
        """Write it down once."""
        payment = require_payment(view, self.payment, self.owner)
        if payment.delivery:
            return Outcome(payment)
        if payment.state is not State.CAPTURED:
            raise Conflict("not-captured", f"this payment is {payment.state.value}")
        marked = msgspec.structs.replace(
            payment, delivery=self.delivery, changed_ns=view.now_ns, leaf=view.leaf
        )
        return settled(view, marked, marked, kind=Kind.PAYMENT_DELIVERY_INCOMPLETE)


def _require_held(payment: Payment) -> None:
    if is_deposit(payment.resource):
        raise Conflict("session-deposit", "this hold is a session's; close the session")
    if payment.state is not State.HELD:
        raise Conflict("not-held", f"this payment is {payment.state.value}")


def ending_chain(payment: Payment, flag: TransferFlags, place: int, units: int) -> list[Transfer]:
    """End a hold and its budgets' in one chain: post `units` of them, or void them."""
    number = payment.number
    lines = range(payment.budgets, -1, -1)  # Budgets before money, as they were held.
    return linked(
        [
            Transfer(
                ids.place(number, place + i),
                0,
                0,
                units,
                0,
                0,
                flag,
                pending_id=ids.place(number, Place.HOLD + i),
                user_data=number,
            )
            for i in lines
        ]
    )


def capturing_chain(payment: Payment, units: int, fees: Sequence[Fee]) -> list[Transfer]:
    """Post `units` of a hold and its budgets', and then take the fees of it, in one chain."""
    chain = ending_chain(payment, TransferFlags.POST_PENDING, Place.CAPTURE, units)
    return linked([*chain, *fee_transfers(payment, fees)]) if fees else chain


def was_made(results: Sequence[TransferResult]) -> bool:
    """Tell whether a whole chain was made."""
    return all(result is TransferResult.CREATED for result in results)


def _ended_otherwise(
    view: View, payment: Payment, results: Sequence[TransferResult]
) -> Outcome[Payment]:
    expired = TransferResult.PENDING_TRANSFER_EXPIRED
    if expired in results:
        return _released(view, payment, State.EXPIRED, "")
    ensure(False, f"a hold ends in a known way: {[r.name for r in results]}")
    raise AssertionError


def _released(view: View, payment: Payment, state: State, reason: str) -> Outcome[Payment]:
    released = msgspec.structs.replace(
        payment, state=state, reason=reason[:100], changed_ns=view.now_ns, leaf=view.leaf
    )
    return settled(view, released, released)
