"""Authorising an order: replay first, then rules, then the money and every budget in one chain."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, AccountRecord, TransferCode
from farthing.core.asks import ASKS, Ask, ask_key
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.devices import DEVICES, Device
from farthing.core.ledger import Account, Transfer, TransferFlags, TransferResult, linked
from farthing.core.mandates import (
    MANDATES,
    BudgetLine,
    Mandate,
    adjustment,
    budget_line,
    grant,
    must_ask,
    rule_refusal,
)
from farthing.core.orders import (
    LIFETIME_SECONDS_MAX,
    SKEW_SECONDS_MAX,
    SignedOrder,
    payment_id,
)
from farthing.core.payments import PAYMENTS, Authorised, Payment, Place, State, settled
from farthing.core.records import Read, Write
from farthing.core.refusals import Refusal
from farthing.errors import Conflict, Missing, PaymentRefused, Unauthenticated, ensure, present

UNNAMED = "-"
"""The claim of a caller that cannot lose an answer, being in the hub's own process."""


@dataclass(frozen=True, slots=True)
class Authorise:
    """Hold the money of a signed order, or capture it at once; the signature was checked.

    Units: `hold_seconds` is how long a hold may last.
    Shape: `key` is the public key the signature verified under; `device` is the device as it
           was when that was checked, and only a hint of what to read; `only_recorded` answers
           replays and takes nothing new; `claim` names who asks, so that whoever lost the answer
           that let it serve gets that answer again.
    """

    signed: SignedOrder
    key: str
    device: Device
    hub: str
    hold_seconds: int
    capture: bool
    category: str = ""
    only_recorded: bool = False
    claim: str = UNNAMED

    @property
    def reads(self) -> Sequence[Read]:
        """The records of both sides, the mandate, and a payment already made for the nonce."""
        order = self.signed.order
        return (
            Read(DEVICES, order.device),
            Read(MANDATES, self.device.mandate),
            Read(ACCOUNTS, self.device.account),
            Read(ACCOUNTS, order.payee),
            Read(PAYMENTS, ids.name("pay", payment_id(order))),
        )

    @property
    def accounts(self) -> Sequence[int]:
        """Both sides of the money."""
        return (ids.number("acc", self.device.account), ids.number("acc", self.signed.order.payee))

    def plan(self, view: View) -> Plan[Authorised] | Outcome[Authorised]:
        """Answer a replay as before; else judge a new order."""
        order = self.signed.order
        number = payment_id(order)
        existing = view.get(PAYMENTS, ids.name("pay", number))
        if existing is not None:
            return self._again(view, existing)
        if self.only_recorded:
            raise Missing("not-recorded", "this order was never recorded here")
        device = self.admit(view)
        payer, payee = self._sides(view, device)
        mandate = present(view.get(MANDATES, device.mandate), "a device always has a mandate")
        payment = self._payment(view, number, device, payer, payee)
        refusal = refused_by_rules(view, mandate, payment, payer, payee)
        if refusal is not None:
            return refuse(view, payment, refusal)
        if must_ask(mandate, order.amount):
            return self._ask(view, mandate, payment)
        return take(view, mandate, payment)

    def admit(self, view: View) -> Device:
        """Check that this is an order of a device that may order now, whatever it costs.

        Raises: Unauthenticated, PaymentRefused.
        """
        device = self._check_device(view)
        self._check_order(view.now_ns)
        return device

    def _again(self, view: View, existing: Payment) -> Outcome[Authorised]:
        if existing.order_digest != _digest(self.signed) or existing.signing_key != self.key:
            raise Conflict("nonce-used", "this nonce was used for another order")
        return self.answer(view, existing)

    def answer(self, view: View, existing: Payment) -> Outcome[Authorised]:
        """Answer with a payment that was made before, and let one caller serve it."""
        if existing.state is State.HELD and not existing.claim:
            return claim(view, existing, self.claim)
        ours = self.claim != UNNAMED and existing.claim == self.claim
        served = existing.state in (State.HELD, State.CAPTURED)
        return Outcome(Authorised(existing, fresh=ours and served))

    def _check_device(self, view: View) -> Device:
        device = view.get(DEVICES, self.signed.order.device)
        if device is None:
            raise Unauthenticated("unknown-device", "enrol the device first: farthing enrol")
        if device.revoked_ns:
            raise PaymentRefused("device-revoked", "the owner has revoked this device")
        if not any(k.public == self.key and k.signs_at(view.now_ns) for k in device.keys):
            raise Unauthenticated("bad-signature", "the order is not signed by a current key")
        return device

    def _check_order(self, now_ns: int) -> None:
        order, now = self.signed.order, now_ns // NS
        if order.hub != self.hub:
            raise PaymentRefused("wrong-hub", "this order is for another hub")
        if order.expires <= now:
            raise PaymentRefused("order-expired", "ask for a new challenge and sign that")
        made = ids.time_ms(ids.decode(order.nonce)) // 1000
        too_long = order.expires > now + LIFETIME_SECONDS_MAX + SKEW_SECONDS_MAX
        if too_long or not -LIFETIME_SECONDS_MAX <= made - now <= SKEW_SECONDS_MAX:
            raise PaymentRefused(
                "order-time", "an order lives an hour at most; check the device's clock"
            )

    def _sides(self, view: View, device: Device) -> tuple[AccountRecord, AccountRecord]:
        order = self.signed.order
        payer, payee = view.get(ACCOUNTS, device.account), view.get(ACCOUNTS, order.payee)
        if payee is None or payer is None:
            raise PaymentRefused("unknown-payee", "this hub has no such payee account")
        if payer.id == payee.id:
            raise PaymentRefused("same-account", "payer and payee are the same account")
        if not payer.asset == payee.asset == order.asset:
            raise PaymentRefused(
                "asset-mismatch", f"payer, payee and price must all be in {payer.asset}"
            )
        if order.amount == 0:
            raise PaymentRefused("nothing-to-pay", "an amount is at least one unit")
        return payer, payee

    def _payment(
        self, view: View, number: int, device: Device, payer: AccountRecord, payee: AccountRecord
    ) -> Payment:
        order = self.signed.order
        return Payment(
            id=ids.name("pay", number),
            state=State.HELD,
            reason="",
            owner=payer.owner,
            payer=payer.id,
            device=device.id,
            payee_owner=payee.owner,
            payee=payee.id,
            asset=order.asset,
            ledger=payer.ledger,
            amount=order.amount,
            captured=0,
            refunded=0,
            category=self.category,
            resource=order.resource,
            challenge=order.challenge or None,
            nonce=order.nonce,
            order_digest=_digest(self.signed),
            signing_key=self.key,
            expires=order.expires,
            hub=order.hub,
            wants_capture=self.capture,
            hold_seconds=self.hold_seconds,
            claim=self.claim,
            budgets=0,
            hold_ends_ns=0,
            ask_ends_ns=0,
            ask="",
            delivery="",
            created_ns=view.now_ns,
            changed_ns=view.now_ns,
            leaf=view.leaf,
        )

    def _ask(self, view: View, mandate: Mandate, payment: Payment) -> Outcome[Authorised]:
        key = ask_key(payment)
        waiting = view.get(ASKS, key)
        if waiting is not None and waiting.payment:
            first = view.get(PAYMENTS, waiting.payment)
            if first is not None and first.state is State.AWAITING:
                return Outcome(Authorised(first, fresh=False))
            if first is not None and first.state is State.HELD and not first.claim:
                return claim(view, first, self.claim)
        asked = msgspec.structs.replace(
            payment,
            state=State.AWAITING,
            claim="",
            ask=key,
            ask_ends_ns=view.now_ns + mandate.ask_seconds * NS,
        )
        return settled(view, asked, Authorised(asked, fresh=False), Write(ASKS, Ask(key, asked.id)))


def _digest(signed: SignedOrder) -> bytes:
    return hashlib.sha256(signed.order.signed_bytes()).digest()


def claim(view: View, payment: Payment, by: str) -> Outcome[Authorised]:
    """Let one caller serve an approved payment that is held for it."""
    claimed = msgspec.structs.replace(payment, claim=by, changed_ns=view.now_ns, leaf=view.leaf)
    return settled(view, claimed, Authorised(claimed, fresh=True))


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


def refused_by_rules(
    view: View, mandate: Mandate, payment: Payment, payer: AccountRecord, payee: AccountRecord
) -> Refusal | None:
    """Check everything that is not a balance, in the order of precedence."""
    if payer.state != "open":
        return Refusal.ACCOUNT_FROZEN
    if payee.state != "open":
        return Refusal.PAYEE_FROZEN
    now = view.now_ns // NS
    return rule_refusal(mandate, payment.payee, payment.category, payment.amount, now)


def take(view: View, mandate: Mandate, payment: Payment) -> Plan[Authorised]:
    """Hold or capture: each budget that covers the payment, then the money, in one chain."""
    lines = [
        budget_line(mandate, budget, payment.ledger, view.now_ns // NS)
        for budget in mandate.budgets
        if budget.covers(payment.payee, payment.category)
    ]
    accounts: list[Account] = []
    chains: list[list[Transfer]] = []
    for i, line in enumerate(lines):
        opened, filling = grant(view, line)
        accounts += [a for a in opened if all(a.id != b.id for b in accounts)]
        if filling:
            chains.append(filling)
        elif (
            surplus := adjustment(view, line, ids.place(payment.number, Place.LIMIT + i))
        ) is not None:
            chains.append([surplus])  # A hold came back after its limit had been lowered.
    chains.append(linked(_chain(payment, lines)))

    def then(results: list[list[TransferResult]]) -> Outcome[Authorised]:
        return _taken(view, payment, lines, results[-1])

    return Plan(then, accounts, chains)


def _chain(payment: Payment, lines: Sequence[BudgetLine]) -> list[Transfer]:
    flags = TransferFlags.NONE if payment.wants_capture else TransferFlags.PENDING
    timeout = 0 if payment.wants_capture else payment.hold_seconds
    number = payment.number
    chain = [
        Transfer(
            ids.place(number, Place.HOLD + 1 + i),
            line.available,
            line.spent,
            payment.amount,
            line.ledger,
            TransferCode.BUDGET,
            flags,
            timeout=timeout,
            user_data=number,
        )
        for i, line in enumerate(lines)
    ]
    money = Transfer(
        ids.place(number, Place.HOLD),
        ids.number("acc", payment.payer),
        ids.number("acc", payment.payee),
        payment.amount,
        payment.ledger,
        TransferCode.PAYMENT,
        flags,
        timeout=timeout,
        user_data=number,
    )
    return [*chain, money]


def _taken(
    view: View, payment: Payment, lines: Sequence[BudgetLine], results: Sequence[TransferResult]
) -> Outcome[Authorised]:
    for i, result in enumerate(results):
        if result in (TransferResult.CREATED, TransferResult.LINKED_EVENT_FAILED):
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
        hold_ends_ns=0 if captured else view.now_ns + payment.hold_seconds * NS,
        changed_ns=view.now_ns,
        leaf=view.leaf,
    )
    return settled(view, taken, Authorised(taken, fresh=bool(taken.claim)))


def _money_refusal(result: TransferResult) -> Refusal:
    if result is TransferResult.EXCEEDS_CREDITS:
        return Refusal.INSUFFICIENT_FUNDS
    if result is TransferResult.DEBIT_ACCOUNT_ALREADY_CLOSED:
        return Refusal.ACCOUNT_FROZEN
    if result is TransferResult.CREDIT_ACCOUNT_ALREADY_CLOSED:
        return Refusal.PAYEE_FROZEN
    ensure(result.name.startswith("OVERFLOWS"), f"a payment can fail like this: {result.name}")
    return Refusal.PAYEE_LIMIT
