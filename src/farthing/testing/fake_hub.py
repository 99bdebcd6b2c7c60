"""A strict hub in memory, for the tests of whatever sells: real signatures, real refusals.

It takes each payment once, holds before it captures, never lets an account go below zero, and
can be told to be down, slow, or to lose its replies.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from farthing import ids, keys
from farthing.clock import NS, Clock, write_time
from farthing.core.orders import SignedOrder, payment_name
from farthing.errors import (
    Conflict,
    Missing,
    OutcomeUnknown,
    PaymentRefused,
    Unauthenticated,
    Unavailable,
)
from farthing.services.hub import Authorisation, OnceKey

_TOOK_NOTHING = ("refused", "denied", "voided", "expired")


class Taken(msgspec.Struct, kw_only=True):
    """A payment as the fake remembers it."""

    id: str
    state: str
    signed: SignedOrder
    wants_capture: bool
    claimed: bool = False
    captured: int = 0
    hold_ends_ns: int = 0
    reason: str = ""
    broken: str = ""
    category: str = ""


class FakeHub:
    """The hub of a test.

    Units: `balances` counts what each device can spend and each payee got; `slow_seconds` delays
           every verb; `ask_above` makes larger payments wait for `approve` or `deny`.
    """

    def __init__(self, hub_id: str, clock: Clock) -> None:
        self.hub_id = hub_id
        self.clock = clock
        self.devices: dict[str, str] = {}
        self.balances: dict[str, int] = {}
        self.payments: dict[str, Taken] = {}
        self.calls: list[str] = []
        self.ask_above: int | None = None
        self.slow_seconds = 0.0
        self._keys: dict[tuple[str, ...], tuple[str, str]] = {}
        self._down: dict[str, int] = {}
        self._deaf: dict[str, int] = {}

    def enrol(self, signer: keys.Signer, units: int) -> str:
        """Make a device with a key and some money."""
        device = ids.name("dev", ids.fresh(self.clock() // 1_000_000))
        self.devices[device] = keys.check_public_key(signer.public)
        self.balances[device] = units
        return device

    def fail(self, verb: str, times: int = 1) -> None:
        """Be busy the next times `verb` is called: nothing happens."""
        self._down[verb] = times

    def lose_replies(self, verb: str, times: int = 1) -> None:
        """Do what the next calls of `verb` ask, and answer nothing."""
        self._deaf[verb] = times

    def approve(self, payment: str) -> None:
        """Let the owner say yes."""
        taken = self._found(payment)
        self._take(taken)

    def deny(self, payment: str) -> None:
        """Let the owner say no."""
        self._found(payment).state = "denied"

    async def authorise(
        self,
        signed: SignedOrder,
        *,
        hold_seconds: int,
        capture: bool,
        category: str = "",
        once: OnceKey | None = None,
        offer: str = "",  # noqa: ARG002 - as every hub is asked
        serves_safely: bool = False,  # noqa: ARG002 - as every hub is asked
        place: str = "",  # noqa: ARG002 - as every hub is asked
    ) -> Authorisation:
        """Hold or charge, once per order, and once per key if there is one.

        Shape: no offers are kept here, so none has a fee.
        """
        return await self._do(
            "authorise",
            lambda: self._under_key(
                signed, once, lambda: self._authorise(signed, hold_seconds, capture, category)
            ),
        )

    def _under_key(
        self, signed: SignedOrder, once: OnceKey | None, act: Callable[[], Authorisation]
    ) -> Authorisation:
        if once is None:
            return act()
        order = signed.order
        self._check_proof(signed)
        scope = (order.device, order.payee, once.method, once.route, once.key)
        content, first = self._keys.get(scope, (once.content, ""))
        if content != once.content:
            raise Conflict("idempotency-key-reused", "this key was used with another request")
        own = payment_name(order)
        if first and own not in self.payments and self._found(first).state not in _TOOK_NOTHING:
            self._check_order(signed)
            return self._serve(self._found(first))
        answer = act()
        self._keys.setdefault(scope, (content, answer.payment))
        if self._found(self._keys[scope][1]).state in _TOOK_NOTHING:
            self._keys[scope] = (content, answer.payment)
        return answer

    async def recorded(self, signed: SignedOrder) -> Authorisation | None:
        """Judge an order only if it is recorded already."""
        payment = payment_name(signed.order)
        if payment not in self.payments:
            return None
        return await self._do("recorded", lambda: self._authorise(signed, 0, False, ""))

    async def capture(self, payment: str, units: int | None = None) -> Authorisation:
        """Post a hold."""

        def post() -> Authorisation:
            taken = self._found(payment)
            order = taken.signed.order
            if taken.state == "held":
                taken.state, taken.captured = "captured", order.amount if units is None else units
                self._pay(order.payee, taken.captured)
                self._pay(order.device, order.amount - taken.captured)
            elif taken.state != "captured":
                raise Conflict("not-held", f"this payment is {taken.state}")
            return self._told(taken)

        return await self._do("capture", post)

    async def void(self, payment: str, reason: str) -> Authorisation:
        """Release a hold."""

        def give() -> Authorisation:
            taken = self._found(payment)
            if taken.state == "held":
                taken.state, taken.reason = "voided", reason
                self._pay(taken.signed.order.device, taken.signed.order.amount)
            elif taken.state not in ("voided", "expired"):
                raise Conflict("not-held", f"this payment is {taken.state}")
            return self._told(taken)

        return await self._do("void", give)

    async def refund(self, payment: str, units: int | None, reason: str) -> Authorisation:
        """Give captured money back; the whole of it makes the payment `refunded`."""

        def give() -> Authorisation:
            taken = self._found(payment)
            if taken.state == "captured":
                back = taken.captured if units is None else min(units, taken.captured)
                taken.captured, taken.reason = taken.captured - back, reason
                taken.state = "captured" if taken.captured else "refunded"
                self._pay(taken.signed.order.payee, -back)
                self._pay(taken.signed.order.device, back)
            elif taken.state != "refunded":
                raise Conflict("not-captured", f"this payment is {taken.state}")
            return self._told(taken)

        return await self._do("refund", give)

    async def delivery_incomplete(self, payment: str, reason: str) -> None:
        """Record that an answer broke off."""
        self.calls.append("delivery_incomplete")
        self._found(payment).broken = reason

    async def _do(self, verb: str, act: Callable[[], Authorisation]) -> Authorisation:
        self.calls.append(verb)
        await asyncio.sleep(self.slow_seconds)
        if self._count(self._down, verb):
            raise Unavailable("hub-busy", "try again")
        self._expire()
        answer = act()
        if self._count(self._deaf, verb):
            raise OutcomeUnknown("outcome-unknown", "the reply was lost")
        return answer

    @staticmethod
    def _count(counts: dict[str, int], verb: str) -> bool:
        left = counts.get(verb, 0)
        counts[verb] = max(0, left - 1)
        return left > 0

    def _authorise(
        self, signed: SignedOrder, hold_seconds: int, capture: bool, category: str
    ) -> Authorisation:
        order = signed.order
        self._check_proof(signed)
        payment = payment_name(order)
        taken = self.payments.get(payment)
        if taken is None:
            taken = self._new(payment, signed, hold_seconds, capture, category)
        elif taken.signed.order != order:
            raise Conflict("nonce-used", "this nonce was used for another order")
        return self._serve(taken)

    def _serve(self, taken: Taken) -> Authorisation:
        fresh = not taken.claimed and taken.state in ("held", "captured")
        taken.claimed = taken.claimed or fresh
        return self._told(taken, fresh=fresh)

    def _check_proof(self, signed: SignedOrder) -> None:
        public = self.devices.get(signed.order.device, "")
        if not public or not keys.verify(public, signed.signature, signed.order.signed_bytes()):
            raise Unauthenticated("bad-signature", "the order is not signed by its device")

    def _new(
        self, payment: str, signed: SignedOrder, hold_seconds: int, capture: bool, category: str
    ) -> Taken:
        order = signed.order
        self._check_order(signed)
        taken = Taken(
            id=payment,
            state="awaiting",
            signed=signed,
            wants_capture=capture,
            category=category,
            hold_ends_ns=self.clock() + hold_seconds * NS,
        )
        self.payments[payment] = taken
        if self.ask_above is None or order.amount <= self.ask_above:
            self._take(taken)
        return taken

    def _check_order(self, signed: SignedOrder) -> None:
        if signed.order.hub != self.hub_id:
            raise PaymentRefused("wrong-hub", "this order is for another hub")
        if signed.order.expires <= self.clock() // NS:
            raise PaymentRefused("order-expired", "ask for a new challenge and sign that")

    def _take(self, taken: Taken) -> None:
        order = taken.signed.order
        if self.balances.get(order.device, 0) < order.amount:
            taken.state, taken.reason = "refused", "insufficient-funds"
            return
        self._pay(order.device, -order.amount)
        taken.state = "held"
        if taken.wants_capture:
            taken.state, taken.captured = "captured", order.amount
            self._pay(order.payee, order.amount)

    def _pay(self, account: str, units: int) -> None:
        self.balances[account] = self.balances.get(account, 0) + units

    def _expire(self) -> None:
        for taken in self.payments.values():
            if taken.state == "held" and taken.hold_ends_ns <= self.clock():
                taken.state = "expired"
                self._pay(taken.signed.order.device, taken.signed.order.amount)

    def _found(self, payment: str) -> Taken:
        taken = self.payments.get(payment)
        if taken is None:
            raise Missing("no-such-payment", "there is no such payment")
        return taken

    def _told(self, taken: Taken, *, fresh: bool = False) -> Authorisation:
        order = taken.signed.order
        receipt: dict[str, Any] | None = None
        if taken.state in ("captured", "refunded"):
            receipt = self._receipt(taken)
        return Authorisation(
            payment=taken.id,
            state=taken.state,
            fresh=fresh,
            reason=taken.reason if taken.state == "refused" else "",
            payer=order.device,
            units=order.amount,
            asset=order.asset,
            receipt=receipt,
        )

    def _receipt(self, taken: Taken) -> dict[str, Any]:
        """Write a receipt in its usual shape, signed by nobody."""
        order = taken.signed.order
        statement = {
            "amount": str(order.amount),
            "asset": order.asset,
            "captured": str(taken.captured),
            "device": order.device,
            "hub": order.hub,
            "kind": "payment",
            "payee": order.payee,
            "payer": order.device,
            "payment": taken.id,
            "state": taken.state,
        }
        return {"statement": statement, "proof": {"head": {"committed_at": self._now()}}}

    def _now(self) -> str:
        return write_time(self.clock() // NS)
