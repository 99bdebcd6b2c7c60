"""Pay by `batch-settlement` with a stock x402 client: one deposit, then a voucher per request.

    x402Client().register("farthing:*", FarthingBatch(signer, device, folder, {"USD": 50_000}))

Source: x402 specification v2, scheme `batch-settlement`; docs/reference/methods.md.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from farthing import ids
from farthing.clock import NS, Clock, system_clock
from farthing.codec import canonical_json, from_base64url, read_json, to_base64url
from farthing.core.orders import Order, SignedOrder, order_from_members
from farthing.core.refusals import Refusal
from farthing.core.sessions import Opening, session_ordered, top_up_resource
from farthing.errors import Malformed, Missing, PaymentRefused, present
from farthing.keys import Signer
from farthing.money import parse_units
from farthing.plugs.paying import SCALES, Limits
from farthing.plugs.x402_client import Requirements
from farthing.protocols import names
from farthing.protocols.client import Ask
from farthing.protocols.x402_batch import (
    BatchAsk,
    batch_ask,
    deposit_payload,
    voucher_payload,
)
from farthing.session_files import Kept, SessionFiles

_ORDER_SECONDS = 300
_LEFT_SECONDS = 30
_MORE = ("voucher_needed", "voucher_superseded", "voucher_used")
_OVER = (
    "bad_voucher", "no_such_session", "session_closed", "session_full", "session_over",
    "session_revoked", "voucher_expired", "wrong_session",
)  # fmt: skip
_NOT_HELD = tuple(refusal.value.replace("-", "_") for refusal in Refusal)


class FarthingBatch:
    """The `batch-settlement` scheme on `farthing:*`: opens sessions, and signs their vouchers.

    Units: `deposits` is what is held for a session, in smallest units, by asset code; it is the
           most that is at stake with one seller. When it is used up, as much is held again.
    Shape: `folder` keeps the counters, on disk before each signature; programs and threads of the
           same device may share it.
    """

    scheme: str = names.BATCH

    def __init__(
        self,
        signer: Signer,
        device: str,
        folder: Path,
        deposits: Mapping[str, int],
        *,
        limits: Limits | None = None,
        assets: Mapping[str, int] = SCALES,
        clock: Clock = system_clock,
    ) -> None:
        self._signer, self._device, self._clock = signer, device, clock
        self._files = SessionFiles(folder)
        self._deposits, self._assets = dict(deposits), dict(assets)
        self._limits = limits or Limits()
        self._charged: dict[str, int] = {}
        self._flying: Counter[str] = Counter()
        self._needed: dict[str, int] = {}
        self.scheme_hooks = SimpleNamespace(on_payment_response=self.on_payment_response)

    def find_default_asset(self, asset: str, network: str) -> dict[str, Any] | None:
        """Tell the stock client's spend controls what an asset is."""
        if names.hub_of(network) is None or asset not in self._assets:
            return None
        return {"symbol": asset, "address": asset, "decimals": self._assets[asset]}

    def create_payment_payload(self, requirements: Requirements) -> dict[str, Any]:
        """Promise what one request may cost, from a deposit that is held for its seller.

        Raises: PaymentRefused beyond the limits or the deposit; Malformed for a requirement of
                another kind.
        """
        ask = batch_ask(requirements.model_dump(by_alias=True))
        self._check(ask)
        with self._files.alone():
            return self._payload(ask)

    def _payload(self, ask: BatchAsk) -> dict[str, Any]:
        kept = self._kept(ask) or self._opened(ask)
        units = self._next(kept, ask)
        if units > kept.deposit and not kept.opening:
            kept = self._topped_up(kept, ask)
        signed = _under_way(kept)
        voucher = self._files.number(kept.session, units, self._signer)
        self._flying[kept.session] += ask.amount
        if signed is not None:
            return deposit_payload(signed, voucher)
        return voucher_payload(kept.session, voucher)

    def on_payment_response(self, context: Any) -> Any:
        """Note what was charged, or what to do otherwise; the stock client then tries once more."""
        with self._files.alone():
            return self._heard(context)

    def _heard(self, context: Any) -> Any:
        payload = cast(dict[str, Any], context.payment_payload.payload)
        session = _session_of(payload)
        settled, refused = context.settle_response, context.payment_required
        if settled is not None and settled.success:
            self._note(session, payload, settled.extra or {})
            return None
        error = (settled.error_reason if settled is not None else None) or ""
        error = error or (refused.error if refused is not None else "") or ""
        self._flying.pop(session, None)
        if error in _OVER:
            self._files.forget(session)
        elif error == "order_expired" or error in _NOT_HELD:
            self._take_back(session, payload)
            if error != "order_expired":
                return None
        elif error == "voucher_beyond_deposit":
            self._believe(session, _told(refused, "balance"))
        elif error in _MORE:
            # What was promised last is not enough, whatever became of it: promise on top of it.
            self._charged.pop(session, None)
            self._needed[session] = _told(refused, "requiredCumulativeAmount") or 0
        else:
            return None
        return _recovered()

    def _check(self, ask: BatchAsk) -> None:
        whole = Ask(
            language=names.X402,
            hub=ask.hub,
            payee=ask.payee,
            asset=ask.asset,
            amount=ask.amount,
            resource="",
            lifetime_seconds=ask.timeout_seconds,
            raw=ask.raw,
        )
        fault = self._limits.fault(whole)
        if fault is not None:
            raise PaymentRefused(fault, "this client was not told to sign such a payment")
        if ask.amount > self._deposits.get(ask.asset, 0):
            raise PaymentRefused("above-limit", "one request costs more than the deposit")

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

    def _opened(self, ask: BatchAsk) -> Kept:
        """Sign the order of a new session; it is on disk before it is sent, for a lost answer."""
        opening = Opening(ask.tariff.digest(), ask.lifetime_seconds, ask.grace_seconds, ask.purpose)
        signed = self._order(ask, opening.resource())
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

    def _topped_up(self, kept: Kept, ask: BatchAsk) -> Kept:
        """Sign the order of one deposit more, unless another is under way."""

        def more(now: Kept) -> Kept:
            if now.opening:
                return now
            signed = self._order(ask, top_up_resource(kept.session))
            deposit = now.deposit + signed.order.amount
            return msgspec.structs.replace(now, opening=_written(signed), deposit=deposit)

        return present(self._files.change(kept.session, more), "a deposit more keeps it")

    def _order(self, ask: BatchAsk, resource: str) -> SignedOrder:
        now_ns = self._clock()
        order = Order(
            hub=ask.hub,
            device=self._device,
            payee=ask.payee,
            asset=ask.asset,
            amount=self._deposits[ask.asset],
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

    def _believe(self, session: str, held: int | None) -> None:
        """Take a deposit to be no more than its seller knows of, so that it is topped up next.

        Shape: nothing is changed while one is under way; where nothing is told, that session is
               left to its end, and another one is opened.
        """

        def less(now: Kept) -> Kept | None:
            if now.opening:
                return now
            if held is None:
                return None
            deposit, promised = min(now.deposit, held), min(now.promised, held)
            return msgspec.structs.replace(now, deposit=deposit, promised=promised, ladder=None)

        self._charged.pop(session, None)
        with contextlib.suppress(Missing):
            self._files.change(session, less)

    # Vouchers

    def _next(self, kept: Kept, ask: BatchAsk) -> int:
        """Tell what to promise in all: what was charged, what is under way, and this request.

        Shape: a tariff may cost more to begin than each request does; the seller says so.
        """
        amount = ask.amount
        charged, needed = self._charged.get(kept.session), self._needed.pop(kept.session, 0)
        if charged is None:
            more = amount + int(ask.tariff.opening) + int(ask.tariff.minimum)
            return max(kept.promised + amount, min(needed, kept.promised + more))
        return min(charged + self._flying[kept.session], kept.promised) + amount

    def _note(self, session: str, payload: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
        def held(now: Kept) -> Kept:
            return now if _sent(now, payload) is None else msgspec.structs.replace(now, opening="")

        try:
            kept = present(self._files.change(session, held), "what is held is kept")
        except Missing:
            return  # Another program has found it over.
        state = extra.get("channelState")
        told = cast(dict[str, Any], state).get("chargedCumulativeAmount") if state else None
        if isinstance(told, str):
            self._charged[session] = min(parse_units(told), kept.promised)
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


def _session_of(payload: Mapping[str, Any]) -> str:
    if payload.get("type") == "voucher":
        return str(payload["session"])
    return session_ordered(order_from_members(payload["order"]))


def _told(refused: Any, member: str) -> int | None:
    """Read what a 402 says of how a session stands; None where it does not say."""
    for accepted in refused.accepts if refused is not None else ():
        extra = cast(dict[str, Any], accepted.extra or {})
        state = extra.get("channelState")
        told = cast(dict[str, Any], state).get(member) if state else None
        if isinstance(told, str):
            with contextlib.suppress(Malformed):
                return parse_units(told)
    return None


def _recovered() -> Any:
    """Tell the stock client to try once more; it is imported where it is in use."""
    from x402.schemas import RecoveredResponseResult  # noqa: PLC0415

    return RecoveredResponseResult()
