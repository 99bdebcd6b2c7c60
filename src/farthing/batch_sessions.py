"""A payer's sessions by x402 `batch-settlement`: which one to go on with, what to promise next.

A requirement becomes a payload: the voucher for one request, and a signed deposit where none is
held yet or it is used up. An answer says what was charged, or what to do otherwise. Nothing here
sends anything; the counter of each session is raised on disk before its voucher is signed.

Source: x402 specification v2, scheme `batch-settlement`; docs/reference/methods.md.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from farthing import ids
from farthing.clock import NS, Clock, system_clock
from farthing.codec import canonical_json, from_base64url, read_json, to_base64url
from farthing.core.orders import Order, SignedOrder, order_from_members, payment_name
from farthing.core.refusals import Refusal
from farthing.core.sessions import Opening, session_ordered, top_up_resource
from farthing.errors import Missing, present
from farthing.keys import Signer
from farthing.protocols.x402_answers import ChannelState
from farthing.protocols.x402_batch import BatchAsk, deposit_payload, voucher_payload
from farthing.session_files import Kept, SessionFiles

_ORDER_SECONDS = 300
_LEFT_SECONDS = 30
MORE = ("voucher_needed", "voucher_superseded", "voucher_used")
OVER = (
    "bad_voucher", "no_such_session", "session_closed", "session_full", "session_over",
    "session_revoked", "voucher_expired", "wrong_session",
)  # fmt: skip
_NOT_HELD = tuple(refusal.value.replace("-", "_") for refusal in Refusal)


class BatchSessions:
    """One device's sessions, and the payloads that pay with them.

    Shape: programs and threads of the device may share the folder of `files`.
    """

    def __init__(
        self, signer: Signer, device: str, files: SessionFiles, clock: Clock = system_clock
    ) -> None:
        self._signer, self._device, self._files = signer, device, files
        self._clock = clock
        self._charged: dict[str, int] = {}
        self._flying: Counter[str] = Counter()
        self._needed: dict[str, int] = {}
        self._left: set[str] = set()

    def payload(
        self, ask: BatchAsk, deposit: int, tell: Callable[[int], None] = lambda _: None
    ) -> dict[str, Any]:
        """Promise what one request may cost, from a deposit that is held for its seller.

        Units:  `deposit` is what is held where nothing is, or where it is used up.
        Shape:  `tell` hears before anything is signed how much is held anew: 0 for nothing.
        Raises: PaymentRefused beyond the deposit.
        """
        with self._files.alone():
            kept = self._kept(ask)
            needs_more = kept is not None and self._is_used_up(kept, ask)
            tell(deposit if kept is None or needs_more else 0)
            kept = self._opened(ask, deposit) if kept is None else kept
            kept = self._topped_up(kept, ask, deposit) if needs_more else kept
            return self._signed(kept, ask)

    def _is_used_up(self, kept: Kept, ask: BatchAsk) -> bool:
        return not kept.opening and self._next(kept, ask) > kept.deposit

    def _signed(self, kept: Kept, ask: BatchAsk) -> dict[str, Any]:
        units, signed = self._next(kept, ask), _under_way(kept)
        self._needed.pop(kept.session, None)
        if signed is not None:  # What was promised beside it may not have been heard of.
            units = min(units, kept.deposit)
        voucher = self._files.number(kept.session, units, self._signer)
        self._flying[kept.session] += ask.amount
        if signed is not None:
            return deposit_payload(signed, voucher)
        return voucher_payload(kept.session, voucher)

    def opening_order(self, kept: Kept) -> tuple[str, dict[str, str]] | None:
        """Give the order that opens a session while nobody has said that it is open.

        Shape: its payment, and the order as it is written on the wire.
        """
        signed = _under_way(kept)
        if signed is None or signed.order.resource == top_up_resource(kept.session):
            return None
        return payment_name(signed.order), signed.order.members()

    def served(self, payload: Mapping[str, Any], charged: int | None) -> None:
        """Note that a payload was taken, and how much was charged of its session in all."""
        with self._files.alone():
            self._note(session_of(payload), payload, charged)

    def refused(self, payload: Mapping[str, Any], error: str, state: ChannelState) -> bool:
        """Note why a payload was refused, and tell whether another one may do."""
        with self._files.alone():
            return self._heard(session_of(payload), payload, error, state)

    def _heard(
        self, session: str, payload: Mapping[str, Any], error: str, state: ChannelState
    ) -> bool:
        self._flying.pop(session, None)
        if error in OVER:
            self._files.forget(session)
        elif error == "order_expired" or error in _NOT_HELD:
            self._take_back(session, payload)
            return error == "order_expired"
        elif error == "voucher_beyond_deposit":
            return self._believe(session, state.balance)
        elif error in MORE:
            # What was promised last is not enough, whatever became of it: promise on top of it.
            # A deposit that came with it is held: it is looked at first.
            self._note(session, payload, None)
            self._charged.pop(session, None)
            self._needed[session] = state.needed or 0
        else:
            return False
        return True

    # Sessions

    def _kept(self, ask: BatchAsk) -> Kept | None:
        tariff, now_s = to_base64url(ask.tariff.digest()), self._clock() // NS
        for kept in reversed(self._files.all()):
            same = (kept.payee, kept.asset, kept.tariff, kept.purpose) == (
                *(ask.payee, ask.asset),
                *(tariff, ask.purpose),
            )
            if same and kept.ends > now_s + _LEFT_SECONDS:
                return kept
        return None

    def _opened(self, ask: BatchAsk, deposit: int) -> Kept:
        """Sign the order of a new session; it is on disk before it is sent, for a lost answer."""
        opening = Opening(ask.tariff.digest(), ask.lifetime_seconds, ask.grace_seconds, ask.purpose)
        signed = self._order(ask, deposit, opening.resource())
        kept = Kept(
            session=session_ordered(signed.order),
            payee=ask.payee,
            asset=ask.asset,
            tariff=to_base64url(ask.tariff.digest()),
            deposit=signed.order.amount,
            ends=self._clock() // NS + ask.lifetime_seconds,
            opening=_written(signed),
            purpose=ask.purpose,
        )
        self._files.keep(kept)
        return kept

    def _topped_up(self, kept: Kept, ask: BatchAsk, more: int) -> Kept:
        """Sign the order of one deposit more, unless another is under way."""

        def raised(now: Kept) -> Kept:
            if now.opening:
                return now
            signed = self._order(ask, more, top_up_resource(kept.session))
            deposit = now.deposit + signed.order.amount
            return msgspec.structs.replace(now, opening=_written(signed), deposit=deposit)

        return present(self._files.change(kept.session, raised), "a deposit more keeps it")

    def _order(self, ask: BatchAsk, amount: int, resource: str) -> SignedOrder:
        now_ns = self._clock()
        order = Order(
            hub=ask.hub,
            device=self._device,
            payee=ask.payee,
            asset=ask.asset,
            amount=amount,
            nonce=ids.encode(ids.fresh(now_ns // 1_000_000)),
            expires=now_ns // NS + _ORDER_SECONDS,
            resource=resource,
        )
        return SignedOrder(order, self._signer.sign(order.signed_bytes()))

    def _take_back(self, session: str, payload: Mapping[str, Any]) -> None:
        """Forget a deposit that the hub has not held, and never will."""

        def less(now: Kept) -> Kept | None:
            signed = _sent(now, payload)
            if signed is None:
                return now
            left = now.deposit - signed.order.amount
            if not left:
                return None
            promised = min(now.promised, left)
            return msgspec.structs.replace(
                now, opening="", deposit=left, promised=promised, ladder=None
            )

        with contextlib.suppress(Missing):
            self._files.change(session, less)

    def _believe(self, session: str, held: int | None) -> bool:
        """Take a deposit to be no more than its seller knows of, and tell whether to go on.

        Shape: nothing is changed while one is under way; then it is topped up. Where nothing is
               told, that session is left to its end and another one is opened: once for a payee,
               or a seller that never tells could have deposit after deposit held.
        """
        going_on = True

        def less(now: Kept) -> Kept | None:
            nonlocal going_on
            if now.opening:
                return now
            if held is None:
                going_on = now.payee not in self._left
                self._left.add(now.payee)
                return None if going_on else now
            deposit, promised = min(now.deposit, held), min(now.promised, held)
            return msgspec.structs.replace(now, deposit=deposit, promised=promised, ladder=None)

        with contextlib.suppress(Missing):
            self._files.change(session, less)
        if going_on:
            self._charged.pop(session, None)
        return going_on

    # Vouchers

    def _next(self, kept: Kept, ask: BatchAsk) -> int:
        """Tell what to promise in all: what was charged, what is under way, and this request.

        Shape: a tariff may cost more to begin than each request does; the seller says so.
        """
        amount = ask.amount
        charged, needed = self._charged.get(kept.session), self._needed.get(kept.session, 0)
        if charged is None:
            return max(kept.promised + amount, min(needed, kept.promised + ask.most))
        return min(charged + self._flying[kept.session], kept.promised) + amount

    def _note(self, session: str, payload: Mapping[str, Any], charged: int | None) -> None:
        def held(now: Kept) -> Kept:
            return now if _sent(now, payload) is None else msgspec.structs.replace(now, opening="")

        try:
            kept = present(self._files.change(session, held), "what is held is kept")
        except Missing:
            return  # Another program has found it over.
        if charged is not None:
            self._charged[session] = min(charged, kept.promised)
        self._flying.pop(session, None)


def _written(signed: SignedOrder) -> str:
    body = {"order": signed.order.members(), "signature": to_base64url(signed.signature)}
    return canonical_json(body).decode()


def _under_way(kept: Kept) -> SignedOrder | None:
    """Give the order of a deposit that was not answered yet: the same one is sent again."""
    if not kept.opening:
        return None
    body = cast(dict[str, Any], read_json(kept.opening))
    return SignedOrder(order_from_members(body["order"]), from_base64url(body["signature"]))


def _sent(kept: Kept, payload: Mapping[str, Any]) -> SignedOrder | None:
    """Give the order under way if it is what was sent; an answer may come after the next one."""
    signed = _under_way(kept)
    same = signed is not None and payload.get("order") == signed.order.members()
    return signed if same else None


def session_of(payload: Mapping[str, Any]) -> str:
    """Tell of which session a payload is."""
    if payload.get("type") == "voucher":
        return str(payload["session"])
    return session_ordered(order_from_members(payload["order"]))
