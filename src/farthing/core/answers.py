"""The owner's answer to an ask, or the deadline's: everything is checked again before money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from farthing.core.accounts import ACCOUNTS
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.devices import DEVICES
from farthing.core.mandates import MANDATES, Mandate, needs_two
from farthing.core.paying import refused_by_rules
from farthing.core.payments import PAYMENTS, Authorised, Payment, State, waiting_on
from farthing.core.people import PEOPLE, require_person
from farthing.core.records import Read
from farthing.core.refusals import Refusal
from farthing.core.said import DEADLINE, OPERATOR, PERSONAL, By, Said, read_said, write_said
from farthing.core.sessions import is_deposit
from farthing.core.taking import refuse, take
from farthing.errors import Conflict, Forbidden, Missing, present

APPROVED_HOLD_SECONDS = 900
"""How long money stays held after an approval for the device to come back for it."""


@dataclass(frozen=True, slots=True)
class AnswerAsk:
    """Approve or deny a payment that awaits its owner, or apply the deadline's rule.

    Shape: `by` is who says so; whatever a deadline's rule says, nobody does. Where two people have
           to approve, the first one's word leaves it awaiting, and a denial by either ends it.
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
        if self.by.means in PERSONAL:
            _check_person(view, payment, self.by.who, approves=self.answer == "approve")
        if self.answer == "deny":  # Also when it comes late: nothing was taken yet.
            return refuse(view, _heard(view, payment, "deny", self.by), Refusal.DENIED)
        if over:
            return self._lapse(view, payment)
        return self._yes(view, payment)

    def _yes(self, view: View, payment: Payment) -> Plan[Authorised] | Outcome[Authorised]:
        """Approve it; where two people have to, only with the second one's word."""
        mandate = _mandate_of(view, payment)
        if mandate is None or not needs_two(mandate, payment.amount):
            return _approve(view, _heard(view, payment, "approve", self.by))
        if self.by.means not in PERSONAL:
            raise Forbidden("two-people-needed", "two people approve this where they are signed in")
        before = approvers(view, payment)
        if self.by.who in before:
            return Outcome(Authorised(payment, fresh=False))  # The same person is not two.
        heard = _heard(view, payment, "approve", self.by)
        if before:
            return _approve(view, heard)
        first = msgspec.structs.replace(heard, changed_ns=view.now_ns, leaf=view.leaf)
        return waiting_on(view, first, Authorised(first, fresh=False))

    def _late(self, payment: Payment) -> Outcome[Authorised]:
        if not payment.ask:
            raise Conflict("not-awaiting", f"nobody was asked; this is {payment.state.value}")
        denied = payment.state is State.REFUSED
        if self.answer == "lapse" or denied == (self.answer == "deny"):
            return Outcome(Authorised(payment, fresh=False))
        raise Conflict("already-answered", f"this payment is {payment.state.value} already")

    def _lapse(self, view: View, payment: Payment) -> Plan[Authorised] | Outcome[Authorised]:
        mandate = _mandate_of(view, payment)
        # Silence is the word of nobody, so it is not that of two.
        silent = mandate is not None and not needs_two(mandate, payment.amount)
        if mandate is not None and silent and mandate.on_timeout == "allow":
            return _approve(view, _heard(view, payment, "approve", DEADLINE))
        return refuse(view, _heard(view, payment, "deny", DEADLINE), Refusal.ASK_EXPIRED)


def _mandate_of(view: View, payment: Payment) -> Mandate | None:
    device = view.get(DEVICES, payment.device)
    return view.get(MANDATES, device.mandate) if device is not None else None


def _check_person(view: View, payment: Payment, who: str, *, approves: bool) -> None:
    """Refuse who was removed since they sent it, and a ward who approves.

    Raises: Missing `no-such-person`; Forbidden `guardian-needed`.
    """
    person = require_person(view, who)
    if person.owner != payment.owner:
        raise Missing("no-such-payment", "there is no such payment here")
    if approves and person.is_ward:
        raise Forbidden("guardian-needed", "your guardian answers this")


def approvers(view: View, payment: Payment) -> set[str]:
    """Name who has approved a payment that awaits an answer, and may still."""
    said = [one for one in read_said(payment.answers) if one.means in PERSONAL]
    people = {one.who: view.get(PEOPLE, one.who) for one in said if one.answer == "approve"}
    return {who for who, person in people.items() if person is not None and not person.removed_ns}


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
