"""Paying: the signature is checked, then money and record move in one commit."""

from collections.abc import Sequence
from typing import Any

from farthing.books.base import Done
from farthing.clock import NS
from farthing.codec import from_base64url
from farthing.core.asks import ASKS
from farthing.core.cancelling import Cancel
from farthing.core.chain import Proof
from farthing.core.devices import Device
from farthing.core.idempotency import IDEMPOTENCY, Keyed, idempotency_key
from farthing.core.identity import CERTIFICATES, Certificate
from farthing.core.orders import SignedOrder
from farthing.core.owners import Principal
from farthing.core.paying import UNNAMED, Authorise
from farthing.core.payments import PAYMENTS, Authorised, Payment, State
from farthing.core.receipts import receipt_json, write_receipt
from farthing.core.refunds import GiveBack, Refunded
from farthing.core.refusals import EXPLAINED, Refusal
from farthing.core.settling import Capture, MarkDelivery, Void
from farthing.errors import FarthingError, Missing, present
from farthing.services.claims import Claims
from farthing.services.context import Context
from farthing.services.devices import Directory, Signed, who_signed, who_signed_each
from farthing.services.hub import Authorisation, OnceKey
from farthing.services.verifying import Verifier
from farthing.store.database import Tx
from farthing.store.history import proof_of
from farthing.store.queries import one, payment_by_challenge

_RETRY_SECONDS = 2
_CODES = frozenset(Refusal)

REFUNDED = "refunded"
"""What a seller is told of a captured payment that was given back whole."""


class Payments:
    """The hub's payment verbs. `by` is the seller's owner id, or None for the hub itself."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._directory = Directory(ctx)
        self.verifier = Verifier(ctx.verifiers, lambda: ctx.books.writes_here)

    async def authorise(
        self,
        signed: SignedOrder,
        *,
        hold_seconds: int,
        capture: bool,
        category: str = "",
        only_recorded: bool = False,
        claim: str = UNNAMED,
        keyed: tuple[bytes, bytes] = (b"", b""),
        serves: bool = True,
        bearer: str = "",
        offer: str = "",
        place: str = "",
        ahead: bool = False,
    ) -> Done[Authorised]:
        """Check the signature, the mandate and the money; hold it, or charge at once.

        Shape:  `keyed` is an idempotency key of the device's and the hash of what it asked;
                `serves` is false where nothing is served for the payment; `bearer` is who brings
                the order, whose signatures wait in one line; `offer` is the one that the order is
                for, as its payee says; `place` is where it came from, as who took it saw;
                `ahead` where the hold may be durable only when it ends.
        Raises: Unauthenticated, PaymentRefused (nothing recorded), Conflict, Unavailable.
        """
        with self._ctx.watch.step("authorise") as step:
            step.part("verify")
            device, key = await self.who_ordered(signed, bearer)
            unit = Authorise(
                signed,
                key,
                device,
                self._ctx.identity.hub,
                hold_seconds,
                capture,
                category,
                only_recorded,
                claim,
                serves,
                fees=self._ctx.fees,
                offer=offer,
                place=place,
            )
            key_of, content = keyed
            step.part("commit")
            whole = Keyed(unit, key_of, content) if key_of else unit
            if ahead:
                return await self._ctx.books.commit_ahead(whole, _is_served_now, device.owner)
            return await self._ctx.books.commit_one(whole, device.owner)

    async def check_signature(self, signed: SignedOrder, bearer: str = "") -> None:
        """Check that an order is signed by its device, and nothing else.

        Raises: Unauthenticated, Unavailable.
        """
        with self._ctx.watch.step("verify"):
            await self.who_ordered(signed, bearer)

    async def cancel(self, cancelled: SignedOrder, bearer: str = "") -> Done[Authorised]:
        """Refuse an order for good, unless its money is held or taken already.

        Shape:  the signature is the device's over `order.cancel_bytes()`.
        Raises: Unauthenticated, PaymentRefused (nothing recorded), Conflict, Unavailable.
        """
        with self._ctx.watch.step("cancel") as step:
            step.part("verify")
            order, signature = cancelled.order, cancelled.signature
            device, key = await self.who(order.device, signature, order.cancel_bytes(), bearer)
            hub = self._ctx.identity.hub
            unit = Authorise(cancelled, key, device, hub, 0, capture=True, serves=False)
            step.part("commit")
            return await self._ctx.books.commit_one(Cancel(unit), device.owner)

    async def who_ordered(self, signed: SignedOrder, bearer: str) -> tuple[Device, str]:
        """Find the device that signed an order, and its key.

        Raises: Unauthenticated, Unavailable.
        """
        order = signed.order
        return await self.who(order.device, signed.signature, order.signed_bytes(), bearer)

    async def who(
        self, device: str, signature: bytes, message: bytes, bearer: str
    ) -> tuple[Device, str]:
        """Find the device that signed a message, and its key.

        Raises: Unauthenticated, Unavailable.
        """
        signed = Signed(device, signature, message)
        return await who_signed(self._directory, self.verifier, signed, bearer)

    async def who_ordered_each(
        self, orders: Sequence[SignedOrder], bearer: str
    ) -> list[tuple[Device, str] | FarthingError]:
        """Find the device that signed each order, and its key, all side by side."""
        signed = [
            Signed(one.order.device, one.signature, one.order.signed_bytes()) for one in orders
        ]
        return await who_signed_each(self._directory, self.verifier, signed, bearer)

    async def capture(self, payment: str, units: int | None, by: str | None) -> Done[Payment]:
        """Post a hold, all of it or `units`."""
        with self._ctx.watch.step("capture"):
            return await self._ctx.books.commit_one(Capture(payment, by, units), by or "")

    async def void(self, payment: str, reason: str, by: str | None) -> Done[Payment]:
        """Release a hold."""
        with self._ctx.watch.step("void"):
            return await self._ctx.books.commit_one(Void(payment, by, reason), by or "")

    async def refund(
        self, refund: str, payment: str, units: int | None, reason: str, by: str | None
    ) -> Done[Refunded]:
        """Give captured money back."""
        with self._ctx.watch.step("refund"):
            return await self._ctx.books.commit_one(
                GiveBack(refund, payment, by, units, reason), by or ""
            )

    async def mark_delivery(self, payment: str, reason: str, by: str | None) -> None:
        """Record that an answer broke off after it was paid."""
        unit = MarkDelivery(payment, by, f"incomplete: {reason}"[:100])
        await self._ctx.books.commit_one(unit, by or "")

    async def find(self, ident: str) -> Payment:
        """Get a payment by its id, or by that of an order it has answered as its equal.

        Raises: Missing.
        """

        def work(tx: Tx) -> Payment | None:
            equal = one(tx, ASKS, ident)
            return one(tx, PAYMENTS, equal.payment if equal is not None else ident)

        return self._seen(await self._ctx.database.read(work))

    async def find_by_challenge(self, challenge: str, asker: Principal) -> Payment:
        """Get the payment that answered a challenge, of those that the asker may see."""
        owner, device = asker.sees, asker.device
        return self._seen(
            await self._ctx.database.read(
                lambda tx: payment_by_challenge(tx, challenge, owner, device)
            )
        )

    async def find_by_key(self, principal: str, method: str, route: str, key: str) -> Payment:
        """Get the payment that was made under an idempotency key."""
        scoped = idempotency_key(principal, method, route, key)
        kept = await self._ctx.database.read(lambda tx: one(tx, IDEMPOTENCY, scoped))
        return await self.find(kept.payment if kept is not None else "")

    def _seen(self, payment: Payment | None) -> Payment:
        if payment is None:
            raise Missing("no-such-payment", "there is no such payment here")
        return payment

    async def receipt(
        self, payment: Payment, done: Done[Any] | None = None
    ) -> dict[str, Any] | None:
        """Write the receipt of a payment's newest statement."""
        proof = await self._proof(payment, done)
        if proof is None:
            return None
        return write_receipt(proof, await self._certificate(proof.head.key))

    async def receipt_json(self, payment: Payment, done: Done[Any]) -> bytes:
        """Write the receipt of what was just committed as JSON text; `null` if there is none."""
        proof = await self._proof(payment, done)
        if proof is None:
            return b"null"
        return receipt_json(proof, await self._certificate(proof.head.key))

    async def _proof(self, payment: Payment, done: Done[Any] | None) -> Proof | None:
        if done is not None and done.proof is not None:
            return done.proof
        return await self._ctx.database.read(lambda tx: proof_of(tx, payment.leaf))

    async def _certificate(self, key: str) -> Certificate:
        """Get a signing key's certificate; another process may have added it since we began."""
        known = self._ctx.identity.certificates
        if key not in known:
            found = await self._ctx.database.read(lambda tx: one(tx, CERTIFICATES, key))
            known[key] = present(found, "a key that signed a head was admitted before")
        return known[key]


def _is_served_now(answer: Authorised) -> bool:
    """Tell whether a handler runs now, at whose head this hold ends."""
    return answer.fresh and answer.payment.state is State.HELD


def scoped(signed: SignedOrder, once: OnceKey | None) -> tuple[bytes, bytes]:
    """Scope a buyer's key to the order's device and payee: no seller meets another one's keys.

    Shape:  the scoped key, empty if there is none, and the hash of what is asked.
    Raises: Malformed.
    """
    if once is None:
        return b"", b""
    order = signed.order
    who = f"{order.device} pays {order.payee}"
    key = idempotency_key(who, once.method, once.route, once.key)
    return key, from_base64url(once.content)


def shown_state(payment: Payment, now_ns: int) -> State:
    """Give the state as it is now: the ledger releases a hold on time, its record follows."""
    if payment.state is State.HELD and now_ns >= payment.hold_ends_ns:
        return State.EXPIRED
    return payment.state


def split_reason(reason: str, *, named: bool = False) -> tuple[str, str]:
    """Split a recorded reason into its code and what it means.

    Shape: `named` gives the name of what stood against it, which is for the payer's side alone.
    """
    code, _, name = reason.partition(":")
    if code not in _CODES:
        return reason, ""
    text = EXPLAINED[Refusal(code)]
    return code, f"{text} ({name})" if name and named else text


class EmbeddedHub:
    """The hub as a paywall in the same process sees it."""

    def __init__(self, payments: Payments, ctx: Context, by: str | None = None) -> None:
        self._payments, self._ctx, self._by = payments, ctx, by
        self._claims = Claims()

    async def authorise(
        self,
        signed: SignedOrder,
        *,
        hold_seconds: int,
        capture: bool,
        category: str = "",
        once: OnceKey | None = None,
        offer: str = "",
        serves_safely: bool = False,
        place: str = "",
    ) -> Authorisation:
        """Check an order, and hold its money or charge at once."""
        with self._claims.of(signed) as claim:
            done = await self._payments.authorise(
                signed,
                hold_seconds=hold_seconds,
                capture=capture,
                category=category,
                claim=claim,
                keyed=scoped(signed, once),
                offer=offer,
                place=place,
                ahead=serves_safely and not capture,
            )
        payment, fresh = done.answer
        return await self._authorisation(payment, done, fresh=fresh)

    async def recorded(self, signed: SignedOrder) -> Authorisation | None:
        """Judge an order only if it is recorded already; None if it is not."""
        try:
            with self._claims.of(signed) as claim:
                done = await self._payments.authorise(
                    signed, hold_seconds=1, capture=False, only_recorded=True, claim=claim
                )
        except Missing:
            return None
        payment, fresh = done.answer
        return await self._authorisation(payment, done, fresh=fresh)

    async def capture(self, payment: str, units: int | None = None) -> Authorisation:
        """Post a hold; the answer carries the receipt."""
        done = await self._payments.capture(payment, units, self._by)
        return await self._authorisation(done.answer, done)

    async def void(self, payment: str, reason: str) -> Authorisation:
        """Release a hold."""
        done = await self._payments.void(payment, reason, self._by)
        return await self._authorisation(done.answer, done)

    async def refund(self, payment: str, units: int | None, reason: str) -> Authorisation:
        """Give captured money back."""
        refund = self._ctx.fresh_name("ref")
        done = await self._payments.refund(refund, payment, units, reason, self._by)
        return await self._authorisation(done.answer.payment, done)

    async def delivery_incomplete(self, payment: str, reason: str) -> None:
        """Record that an answer broke off after it was paid."""
        await self._payments.mark_delivery(payment, reason, self._by)

    async def _authorisation(
        self, payment: Payment, done: Done[Any], *, fresh: bool = False
    ) -> Authorisation:
        receipt = None
        if payment.state in (State.CAPTURED, State.VOIDED):
            receipt = await self._payments.receipt(payment, done)
        return authorisation(payment, self._ctx.clock(), receipt, fresh=fresh)


def authorisation(
    payment: Payment, now_ns: int, receipt: dict[str, Any] | None, *, fresh: bool
) -> Authorisation:
    """Tell a seller what became of an order."""
    state = shown_state(payment, now_ns).value
    if payment.captured and payment.refunded == payment.captured:
        state = REFUNDED
    reason, detail = split_reason(payment.reason)
    retry = 0
    if payment.state is State.AWAITING:
        left = max(0, payment.ask_ends_ns - now_ns) // NS
        retry = min(_RETRY_SECONDS, left + 1)
    return Authorisation(
        payment=payment.id,
        state=state,
        fresh=fresh,
        reason=reason,
        detail=detail,
        payer=payment.payer,
        units=payment.captured or payment.amount,
        asset=payment.asset,
        retry_after_seconds=retry,
        receipt=receipt,
    )
