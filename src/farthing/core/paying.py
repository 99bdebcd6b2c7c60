"""Authorising an order: replay first, then rules, then the owner's word or the money."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, AccountRecord
from farthing.core.asks import ASKS, Ask, ask_key
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.devices import DEVICES, Device
from farthing.core.fee_taking import agreed_fees
from farthing.core.fees import FeeTerms
from farthing.core.flags import telling, write_flag
from farthing.core.funding import deposit_refusal
from farthing.core.judgements import Act, Ordered
from farthing.core.mandates import (
    MANDATES,
    Mandate,
    must_ask,
    rule_refusal,
)
from farthing.core.orders import (
    Order,
    SignedOrder,
    is_timely,
    payment_name,
)
from farthing.core.payments import PAYMENTS, Authorised, Payment, State, settled
from farthing.core.records import Read, Write
from farthing.core.refusals import Refusal
from farthing.core.sessions import is_deposit, opening_of
from farthing.core.taking import refuse, take
from farthing.errors import Conflict, Missing, PaymentRefused, Unauthenticated, present

UNNAMED = "-"
"""The claim of a caller that takes an answer for lost once it is not heard."""


class Authorise(msgspec.Struct, frozen=True):
    """Hold the money of a signed order, or capture it at once; the signature was checked.

    Units: `hold_seconds` is how long a hold may last.
    Shape: `key` is the public key the signature verified under; `device` is the device as it
           was when that was checked, and only a hint of what to read; `only_recorded` answers
           replays and takes nothing new; `claim` names who asks, so that whoever lost the answer
           that let it serve gets that answer again; `serves` is false where nothing is served
           for the payment; `deposit` is true where the order's resource opens or tops up a session;
           `fees` are the hub's, by asset, and `offer` is the one that it is for, as its payee says;
           `place` is the network that the order came from, to judge by; no record has it;
           `name` is the id of the payment that the order becomes.
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
    serves: bool = True
    deposit: bool = False
    fees: Mapping[str, FeeTerms] | None = None
    offer: str = ""
    place: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            msgspec.structs.force_setattr(self, "name", payment_name(self.signed.order))

    @property
    def reads(self) -> Sequence[Read]:
        """The records of both sides, the mandate, and a payment already made for the nonce."""
        order = self.signed.order
        return (
            Read(DEVICES, order.device),
            Read(MANDATES, self.device.mandate),
            Read(ACCOUNTS, self.device.account),
            Read(ACCOUNTS, order.payee),
            Read(PAYMENTS, self.name),
            Read(ASKS, self.name),
        )

    @property
    def accounts(self) -> Sequence[int]:
        """Both sides of the money."""
        return (ids.number("acc", self.device.account), ids.number("acc", self.signed.order.payee))

    def plan(self, view: View) -> Plan[Authorised] | Outcome[Authorised]:
        """Answer a replay as before; else judge a new order."""
        if is_deposit(self.signed.order.resource) != self.deposit:
            # What was signed to be held for vouchers is nobody's to charge, nor the reverse.
            raise PaymentRefused("wrong-purpose", "its resource says what the order is for")
        recorded = self.recorded(view)
        if recorded is not None:
            return self.answer(view, recorded)
        if self.only_recorded:
            raise Missing("not-recorded", "this order was never recorded here")
        device = self.admit(view)
        payer, payee = self.sides(view, device)
        mandate = present(view.get(MANDATES, device.mandate), "a device always has a mandate")
        payment = self.draft(view, device, payer, payee)
        refusal = refused_by_rules(view, mandate, payment, payer, payee)
        if refusal is not None:
            return refuse(view, payment, refusal)
        judgement = view.judge(_ordered(view, mandate, payment, self.place))
        if judgement.would is not Act.ALLOW:
            payment = msgspec.structs.replace(payment, risk=write_flag(judgement))
            return telling(view, self._by(view, mandate, payment, judgement.act), payment)
        return self._by(view, mandate, payment, Act.ALLOW)

    def _by(
        self, view: View, mandate: Mandate, payment: Payment, act: Act
    ) -> Plan[Authorised] | Outcome[Authorised]:
        """Do what was judged, unless the owner wants to be asked anyway."""
        if act is Act.REFUSE:
            return refuse(view, payment, Refusal.RISK_REFUSED)
        if act is Act.ASK or must_ask(mandate, payment.amount):
            return self._ask(view, mandate, payment)
        return take(view, mandate, payment)

    def admit(self, view: View) -> Device:
        """Check that this is an order of a device that may order now, whatever it costs.

        Raises: Unauthenticated, PaymentRefused.
        """
        device = self.check_device(view)
        self._check_order(view.now_ns)
        return device

    def recorded(self, view: View) -> Payment | None:
        """Find the payment of this order, or the equal one that it was answered with.

        Raises: Conflict `nonce-used` where its nonce was used for another order.
        """
        name = self.name
        found = view.get(PAYMENTS, name)
        if found is not None:
            same = found.order_digest == order_digest(self.signed.order) and (
                # A cancel may have been signed with a newer key than the order was.
                found.signing_key == self.key or found.reason == Refusal.CANCELLED
            )
        else:
            equal = view.get(ASKS, name)
            if equal is None:
                return None
            found = present(view.get(PAYMENTS, equal.payment), "an ask's payment is kept")
            same = found.ask == ask_key(self.signed.order, self.serves)
        if not same:
            raise Conflict("nonce-used", "this nonce was used for another order")
        return found

    def answer(self, view: View, existing: Payment) -> Outcome[Authorised]:
        """Answer with a payment that was made before, and let one caller serve it."""
        if self.serves and unserved(view, existing):
            return claim(view, existing, self.claim)
        ours = self.claim != UNNAMED and existing.claim == self.claim
        served = existing.state in (State.HELD, State.CAPTURED)
        return Outcome(Authorised(existing, fresh=ours and served))

    def check_device(self, view: View) -> Device:
        """Check that the device stands, and that the key which signed is one it signs with now.

        Raises: PaymentRefused `device-revoked`; Unauthenticated `bad-signature`.
        """
        device = present(view.get(DEVICES, self.signed.order.device), "a device is kept for good")
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
        if not is_timely(order, ids.time_ms(ids.decode(order.nonce)), now):
            raise PaymentRefused(
                "order-time", "an order lives an hour at most; check the device's clock"
            )

    def sides(self, view: View, device: Device) -> tuple[AccountRecord, AccountRecord]:
        """Find the two accounts, and check that money can pass between them at all.

        Raises: PaymentRefused.
        """
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

    def draft(
        self,
        view: View,
        device: Device,
        payer: AccountRecord,
        payee: AccountRecord,
        *,
        state: State = State.HELD,
        budgets: int = 0,
        hold_ends_ns: int = 0,
    ) -> Payment:
        """Write the payment that this order becomes: before anything is decided of it, or taken."""
        order = self.signed.order
        return Payment(
            id=self.name,
            state=state,
            reason="",
            owner=payer.owner,
            payer=payer.id,
            device=device.id,
            payee_owner=payee.owner,
            payee=payee.id,
            asset=order.asset,
            ledger=payer.ledger,
            amount=order.amount,
            captured=order.amount if state is State.CAPTURED else 0,
            refunded=0,
            category=self.category,
            resource=order.resource,
            challenge=order.challenge or None,
            nonce=order.nonce,
            order_digest=order_digest(self.signed.order),
            signing_key=self.key,
            expires=order.expires,
            hub=order.hub,
            wants_capture=self.capture,
            hold_seconds=self.hold_seconds,
            claim=self.claim,
            budgets=budgets,
            hold_ends_ns=hold_ends_ns,
            ask_ends_ns=0,
            ask="",
            delivery="",
            created_ns=view.now_ns,
            changed_ns=view.now_ns,
            leaf=view.leaf,
            fees=self._fees(view, payee) if self.fees or self.offer else "",
        )

    def _fees(self, view: View, payee: AccountRecord) -> str:
        if self.deposit and opening_of(self.signed.order.resource) is None:
            return ""  # What a top-up adds is under the terms of its session's opening.
        of_hub = self.fees.get(payee.asset) if self.fees else None
        return agreed_fees(view, payee, of_hub, self.offer)

    def _ask(self, view: View, mandate: Mandate, payment: Payment) -> Outcome[Authorised]:
        key = ask_key(payment, self.serves)
        newest = view.get(ASKS, key)
        first = view.get(PAYMENTS, newest.payment) if newest is not None else None
        if first is not None:
            equal = Write(ASKS, Ask(payment.id, first.id))
            if first.state is State.AWAITING:
                return Outcome(Authorised(first, fresh=False), [equal])
            if self.serves and unserved(view, first):
                return claim(view, first, self.claim, equal)
        asked = msgspec.structs.replace(
            payment,
            state=State.AWAITING,
            claim="" if self.serves else self.claim,
            ask=key,
            ask_ends_ns=view.now_ns + mandate.ask_seconds * NS,
        )
        return settled(view, asked, Authorised(asked, fresh=False), Write(ASKS, Ask(key, asked.id)))


def _ordered(view: View, mandate: Mandate, payment: Payment, place: str) -> Ordered:
    at = view.now_ns // NS
    return Ordered(payment.device, payment.payee, payment.amount, at, mandate.zone, place)


def order_digest(order: Order) -> bytes:
    """Hash what a device signs for an order: the same for every key of the device."""
    return hashlib.sha256(order.signed_bytes()).digest()


def unserved(view: View, payment: Payment) -> bool:
    """Tell whether a payment was approved, and nobody has come to serve it yet."""
    if payment.claim or payment.refunded:
        return False
    held = payment.state is State.HELD and view.now_ns < payment.hold_ends_ns
    return held or payment.state is State.CAPTURED


def claim(view: View, payment: Payment, by: str, *more: Write) -> Outcome[Authorised]:
    """Let one caller serve an approved payment."""
    claimed = msgspec.structs.replace(payment, claim=by, changed_ns=view.now_ns, leaf=view.leaf)
    return settled(view, claimed, Authorised(claimed, fresh=True), *more)


def refused_by_rules(
    view: View, mandate: Mandate, payment: Payment, payer: AccountRecord, payee: AccountRecord
) -> Refusal | None:
    """Check everything that is not a balance, in the order of precedence."""
    if payer.state != "open":
        return Refusal.ACCOUNT_FROZEN
    if payee.state != "open":
        return Refusal.PAYEE_FROZEN
    now = view.now_ns // NS
    refusal = rule_refusal(mandate, payment.payee, payment.category, payment.amount, now)
    if refusal is None and is_deposit(payment.resource):
        return deposit_refusal(view, payment)
    return refusal
