"""The owner's answer to an ask, or the deadline's: everything is checked again before money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from farthing.core.accounts import ACCOUNTS
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.devices import DEVICES
from farthing.core.mandates import MANDATES
from farthing.core.paying import refused_by_rules
from farthing.core.payments import PAYMENTS, Authorised, Payment, State
from farthing.core.records import Read
from farthing.core.refusals import Refusal
from farthing.core.said import DEADLINE, OPERATOR, By, Said, read_said, write_said
from farthing.core.sessions import is_deposit
from farthing.core.taking import refuse, take
from farthing.errors import Conflict, Missing, present

APPROVED_HOLD_SECONDS = 900
"""How long money stays held after an approval for the device to come back for it."""


@dataclass(frozen=True, slots=True)
class AnswerAsk:
    """Approve or deny a payment that awaits its owner, or apply the deadline's rule.

    Shape: `by` is who says so; whatever a deadline's rule says, nobody does.
    """

    payment: str
    owner: str | None
    answer: Literal["approve", "deny", "lapse"]
    by: By = OPERATOR

    @property
    def reads(self) -> Sequence[Read]:
        """The payment."""
        return [Read(PAYMENTS, self.payment)]

    @property
    def accounts(self) -> Sequence[int]:
        """None ahead: answers are rare."""
        return ()

    def plan(self, view: View) -> Plan[Authorised] | Outcome[Authorised]:
        """Decide once; the same answer again is no harm, another one is a conflict."""
        payment = view.get(PAYMENTS, self.payment)
        if payment is None or self.owner not in (None, payment.owner):
            raise Missing("no-such-payment", "there is no such payment here")
        if payment.state is not State.AWAITING:
            return self._late(payment)
        over = view.now_ns >= payment.ask_ends_ns
        if self.answer == "lapse" and not over:
            return Outcome(Authorised(payment, fresh=False))
        if self.answer == "deny":  # Also when it comes late: nothing was taken yet.
            return refuse(view, _heard(view, payment, "deny", self.by), Refusal.DENIED)
        if over:
            return self._lapse(view, payment)
        return _approve(view, _heard(view, payment, "approve", self.by))

    def _late(self, payment: Payment) -> Outcome[Authorised]:
        if not payment.ask:
            raise Conflict("not-awaiting", f"nobody was asked; this is {payment.state.value}")
        denied = payment.state is State.REFUSED
        if self.answer == "lapse" or denied == (self.answer == "deny"):
            return Outcome(Authorised(payment, fresh=False))
        raise Conflict("already-answered", f"this payment is {payment.state.value} already")

    def _lapse(self, view: View, payment: Payment) -> Plan[Authorised] | Outcome[Authorised]:
        device = view.get(DEVICES, payment.device)
        mandate = view.get(MANDATES, device.mandate) if device is not None else None
        if mandate is not None and mandate.on_timeout == "allow":
            return _approve(view, _heard(view, payment, "approve", DEADLINE))
        return refuse(view, _heard(view, payment, "deny", DEADLINE), Refusal.ASK_EXPIRED)


def _heard(view: View, payment: Payment, answer: Literal["approve", "deny"], by: By) -> Payment:
    """Write down who said what, for good."""
    said = Said(answer, by.means, by.who, view.now_ns)
    kept = write_said([*read_said(payment.answers), said])
    return msgspec.structs.replace(payment, answers=kept)


def _approve(view: View, payment: Payment) -> Plan[Authorised] | Outcome[Authorised]:
    device = present(view.get(DEVICES, payment.device), "a payment's device is kept")
    payer = present(view.get(ACCOUNTS, payment.payer), "a payment's payer is kept")
    payee = present(view.get(ACCOUNTS, payment.payee), "a payment's payee is kept")
    if device.revoked_ns:
        return refuse(view, payment, Refusal.MANDATE_REVOKED)
    mandate = present(view.get(MANDATES, device.mandate), "a device always has a mandate")
    refusal = refused_by_rules(view, mandate, payment, payer, payee)
    if refusal is not None:
        return refuse(view, payment, refusal)
    # A hold made now waits for the device to come back; charged at once needs no hold.
    held = msgspec.structs.replace(
        payment, hold_seconds=max(payment.hold_seconds, APPROVED_HOLD_SECONDS)
    )
    return take(view, mandate, payment if is_deposit(payment.resource) else held)
