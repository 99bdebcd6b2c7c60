"""The hub as an x402 facilitator: a stock x402 seller sells for hub money by pointing here.

An authenticated `/verify` holds the money of one nonce for the requirements' own time, and
`/settle` captures that hold, so nothing can be raced between the two. An anonymous `/verify`
checks form, signature and time, and says so: it is no oracle for balances.

Source: x402 specification v2, section 7.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from farthing.clock import NS
from farthing.codec import read_json
from farthing.core.idempotency import content_hash, idempotency_key
from farthing.core.orders import SignedOrder
from farthing.core.owners import Scope
from farthing.core.payments import Payment, State
from farthing.errors import FarthingError, Forbidden, Malformed, OutcomeUnknown, Unavailable
from farthing.money import parse_units
from farthing.protocols.names import BATCH, SCHEME, UPTO, X402_VERSION, network
from farthing.protocols.x402 import (
    error_reason,
    identifier_of,
    same_requirements,
    settles,
    signed_order,
)
from farthing.services import settling
from farthing.services.payments import shown_state, split_reason
from farthing.web.api import answers, facilitator_batch
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.payees import require_payee
from farthing.web.problems import HttpProblem

SELLER = (Scope.SELLER,)
_HOLD_MAX = 3600


async def supported(call: Call) -> Reply:
    """Say which schemes and networks are settled here."""
    hub = network(call.desk.ctx.identity.hub)
    kinds = [
        {"x402Version": X402_VERSION, "scheme": scheme, "network": hub}
        for scheme in (SCHEME, UPTO, BATCH)
    ]
    return Reply({"kinds": kinds, "extensions": ["payment-identifier"], "signers": {}})


_Agree = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


class _BadPayload(Malformed):
    """What the payer sent cannot be read: the seller is told so, and its request was right."""


class _Asked(NamedTuple):
    """A payment that a seller shows, for how long to hold it, and its identifier's key.

    Shape: `units` is what is settled under `upto`; None for all of it.
    """

    signed: SignedOrder
    seconds: int
    keyed: tuple[bytes, bytes]
    units: int | None


def _read(call: Call, *, settling: bool = False) -> _Asked | facilitator_batch.Batched:
    body = _object(read_json(call.raw))
    payload, required = (
        _object(body.get("paymentPayload")),
        _object(body.get("paymentRequirements")),
    )
    if body.get("x402Version") != X402_VERSION:
        raise Malformed("invalid-body", f"x402Version is {X402_VERSION}")
    seconds = required.get("maxTimeoutSeconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= _HOLD_MAX:
        raise Malformed("invalid-body", f"maxTimeoutSeconds is 1 to {_HOLD_MAX}")
    agree = settles if settling else same_requirements
    if required.get("scheme") == BATCH:
        return _read_batch(payload, required, agree)
    try:
        signed, identifier = signed_order(payload, (SCHEME, UPTO)), identifier_of(payload)
    except Malformed as fault:
        raise _BadPayload("invalid-payload", fault.detail) from None
    accepted = _object(payload.get("accepted"))
    if not agree(accepted, required):
        raise _mismatch()
    keyed = _keyed(signed, identifier, {**required, "amount": accepted["amount"]})
    units = parse_units(required["amount"]) if accepted["scheme"] == UPTO else None
    return _Asked(signed, seconds, keyed, units)


def _read_batch(
    payload: Mapping[str, Any], required: Mapping[str, Any], agree: _Agree
) -> facilitator_batch.Batched:
    accepted = _object(payload.get("accepted"))
    if not agree(accepted, required):
        raise _mismatch()
    try:
        return facilitator_batch.read(payload, required)
    except Malformed as fault:
        raise _BadPayload("invalid-payload", fault.detail) from None


def _mismatch() -> Malformed:
    return Malformed("requirements-mismatch", "what was accepted is not what is required")


def _keyed(
    signed: SignedOrder, identifier: str, required: Mapping[str, Any]
) -> tuple[bytes, bytes]:
    """Scope a `payment-identifier` to the device that signed, and hash what is paid for."""
    if not identifier:
        return b"", b""
    key = idempotency_key(signed.order.device, "POST", "/settle", identifier)
    return key, content_hash(msgspec.json.encode(required, order="deterministic"))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("invalid-body", "send x402Version, paymentPayload and paymentRequirements")
    return cast(dict[str, Any], value)


async def verify(call: Call) -> Reply:
    """Hold the money of an order for its seller; anonymously, check form, signature and time."""
    try:
        asked = _read(call)
    except _BadPayload as fault:
        return _invalid(fault.code, fault.detail)
    if isinstance(asked, facilitator_batch.Batched):
        return await _verify_batch(call, asked)
    signed, seconds, keyed, _ = asked
    if call.principal is None:
        return await _verify_form(call, signed)
    call.principal.need(Scope.SELLER)
    await require_payee(call, signed.order.payee)
    try:
        done = await call.desk.payments.authorise(
            signed,
            hold_seconds=min(seconds, call.desk.config.payments.hold_seconds_max),
            capture=False,
            keyed=keyed,
            bearer=call.bearer,
        )
    except (Unavailable, OutcomeUnknown):
        raise
    except FarthingError as error:
        return _invalid(error.code, error.detail)
    payment, fresh = done.answer
    state = shown_state(payment, call.desk.ctx.clock())
    if state is State.HELD and fresh:
        return Reply({"isValid": True, "payer": payment.payer, "extra": {"payment": payment.id}})
    return _invalid(*_why(payment, state))


async def _verify_batch(call: Call, asked: facilitator_batch.Batched) -> Reply:
    try:
        if call.principal is None:
            await facilitator_batch.check(call, asked)
            return _form_holds()
        call.principal.need(Scope.SELLER)
        return Reply(await facilitator_batch.verify(call, asked))
    except (Unavailable, OutcomeUnknown, Forbidden):
        raise
    except FarthingError as error:
        return _invalid(error.code, error.detail, error.more)


def _why(payment: Payment, state: State) -> tuple[str, str]:
    if state is State.AWAITING:
        return "awaiting-owner", "the owner is being asked; try again shortly"
    if state in (State.HELD, State.CAPTURED):
        return "nonce-used", "this payment was verified before"
    code, detail = split_reason(payment.reason)
    return code or f"payment-{state.value}", detail


def _invalid(code: str, detail: str, extra: Mapping[str, Any] | None = None) -> Reply:
    told = {"invalidReason": error_reason(code), "invalidMessage": detail or code}
    return Reply({"isValid": False, **told, **({"extra": extra} if extra else {})})


async def _verify_form(call: Call, signed: SignedOrder) -> Reply:
    order, ctx = signed.order, call.desk.ctx
    if order.hub != ctx.identity.hub:
        return _invalid("wrong-hub", "this order is for another hub")
    if order.expires <= ctx.clock() // NS:
        return _invalid("order-expired", "the order has expired")
    try:
        await call.desk.payments.check_signature(signed, call.bearer)
    except (Unavailable, OutcomeUnknown):
        raise
    except FarthingError as error:
        return _invalid(error.code, error.detail)
    return _form_holds()


def _form_holds() -> Reply:
    note = "form, signature and time only; authenticate to have the money held"
    return Reply({"isValid": True, "extra": {"checked": note}})


async def settle(call: Call) -> Reply:
    """Capture what `/verify` held; or hold and capture at once if it was not called before.

    Under `upto` the amount required is what is taken, and the rest is released.
    """
    hub = network(call.desk.ctx.identity.hub)
    try:
        asked = _read(call, settling=True)
    except _BadPayload as fault:
        return _unsettled(fault.code, fault.detail, hub)
    if isinstance(asked, facilitator_batch.Batched):
        return await _settle_batch(call, asked, hub)
    signed, seconds, keyed, units = asked
    await require_payee(call, signed.order.payee)
    payments = call.desk.payments
    try:
        payment, done = await settling.settle(
            *(payments, call.desk.ctx, signed),
            hold_seconds=min(seconds, call.desk.config.payments.hold_seconds_max),
            keyed=keyed,
            by=call.asker.sees,
            key=settling.Key(call.asker.name, *call.key(call.asker.name)),
            bearer=call.bearer,
            units=units,
        )
        receipt = await payments.receipt(payment, done)
    except (Unavailable, OutcomeUnknown) as error:
        raise HttpProblem(503, error.code, error.detail, retry_after=1) from None
    except FarthingError as error:
        return _unsettled(error.code, error.detail, hub, error.more)
    nothing = units == 0 and payment.state is State.VOIDED
    if payment.state is not State.CAPTURED and not nothing:
        return _unsettled(*_why(payment, shown_state(payment, call.desk.ctx.clock())), hub)
    return Reply(
        {
            "success": True,
            "transaction": payment.id,
            "network": hub,
            "payer": payment.payer,
            "amount": str(payment.captured),
            "extra": {"receipt": receipt},
        }
    )


async def _settle_batch(call: Call, asked: facilitator_batch.Batched, hub: str) -> Reply:
    try:
        return Reply(await facilitator_batch.settle(call, asked))
    except (Unavailable, OutcomeUnknown) as error:
        raise HttpProblem(503, error.code, error.detail, retry_after=1) from None
    except Forbidden:
        raise
    except FarthingError as error:
        return _unsettled(error.code, error.detail, hub, error.more)


def _unsettled(code: str, detail: str, hub: str, extra: Mapping[str, Any] | None = None) -> Reply:
    told = {
        "success": False,
        "errorReason": error_reason(code),
        "errorMessage": detail or code,
        "transaction": "",
        "network": hub,
    }
    return Reply({**told, "extra": extra} if extra else told)


_ENVELOPE = {
    "type": "object",
    "description": "What an x402 seller received and asked for; unknown members are passed over",
    "required": ["paymentPayload", "paymentRequirements"],
    "properties": {
        "x402Version": {"type": "integer"},
        "paymentPayload": {"type": "object"},
        "paymentRequirements": {"type": "object"},
    },
}

ENDPOINTS = [
    Endpoint(
        "GET",
        "/supported",
        "x402_supported",
        "Schemes and networks settled here (x402)",
        supported,
        scopes=None,
        answer=answers.SupportedAnswer,
    ),
    Endpoint(
        "POST",
        "/verify",
        "x402_verify",
        "Check and hold an x402 payment",
        verify,
        scopes=None,
        answer=answers.VerifyAnswer,
        takes=_ENVELOPE,
        told_apart_by="the order's nonce",
    ),
    Endpoint(
        "POST",
        "/settle",
        "x402_settle",
        "Capture an x402 payment",
        settle,
        scopes=SELLER,
        answer=answers.SettleAnswer,
        takes=_ENVELOPE,
    ),
]
