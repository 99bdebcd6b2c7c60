"""The hub as an x402 facilitator: a stock x402 seller sells for hub money by pointing here.

An authenticated `/verify` holds the money of one nonce for the requirements' own time, and
`/settle` captures that hold, so nothing can be raced between the two. An anonymous `/verify`
checks form, signature and time, and says so: it is no oracle for balances.

Source: x402 specification v2, section 7.
"""

from typing import Any, cast

from farthing.clock import NS
from farthing.codec import read_json
from farthing.core.orders import SignedOrder
from farthing.core.owners import Scope
from farthing.core.payments import Payment, State
from farthing.errors import FarthingError, Malformed, OutcomeUnknown, Unavailable
from farthing.protocols.names import SCHEME, X402_VERSION, network
from farthing.protocols.x402 import error_reason, same_requirements, signed_order
from farthing.services.payments import shown_state, split_reason
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.payments import require_payee
from farthing.web.problems import HttpProblem

SELLER = (Scope.SELLER,)
_HOLD_MAX = 3600


async def supported(call: Call) -> Reply:
    """Say which schemes and networks are settled here."""
    kind = {
        "x402Version": X402_VERSION,
        "scheme": SCHEME,
        "network": network(call.desk.ctx.identity.hub),
    }
    return Reply({"kinds": [kind], "extensions": ["payment-identifier"], "signers": {}})


def _read(call: Call) -> tuple[SignedOrder, int]:
    sent = read_json(call.raw)
    if not isinstance(sent, dict):
        raise Malformed("invalid-body", "send x402Version, paymentPayload and paymentRequirements")
    body = cast(dict[str, Any], sent)
    payload, required = body.get("paymentPayload"), body.get("paymentRequirements")
    if not (isinstance(payload, dict) and isinstance(required, dict)):
        raise Malformed("invalid-body", "send x402Version, paymentPayload and paymentRequirements")
    payload, required = cast(dict[str, Any], payload), cast(dict[str, Any], required)
    signed = signed_order(payload)
    accepted = payload.get("accepted")
    if not isinstance(accepted, dict) or not same_requirements(
        cast(dict[str, Any], accepted), required
    ):
        raise Malformed("requirements-mismatch", "what was accepted is not what is required")
    seconds = required.get("maxTimeoutSeconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= _HOLD_MAX:
        raise Malformed("invalid-body", f"maxTimeoutSeconds is 1 to {_HOLD_MAX}")
    return signed, seconds


async def verify(call: Call) -> Reply:
    """Hold the money of an order for its seller; anonymously, check form, signature and time."""
    signed, seconds = _read(call)
    if call.principal is None:
        return await _verify_form(call, signed)
    call.principal.need(Scope.SELLER)
    await require_payee(call, signed.order.payee)
    try:
        done = await call.desk.payments.authorise(signed, hold_seconds=seconds, capture=False)
    except (Unavailable, OutcomeUnknown):
        raise
    except FarthingError as error:
        return _invalid(error.code, error.detail)
    payment, fresh = done.answer
    state = shown_state(payment, call.desk.ctx.clock())
    if state is State.HELD and fresh:
        return Reply({"isValid": True, "payer": payment.payer, "extra": {"payment": payment.id}})
    return _invalid(*_why(payment, state))


def _why(payment: Payment, state: State) -> tuple[str, str]:
    if state is State.AWAITING:
        return "awaiting-owner", "the owner is being asked; try again shortly"
    if state in (State.HELD, State.CAPTURED):
        return "nonce-used", "this payment was verified before"
    code, detail = split_reason(payment.reason)
    return code or f"payment-{state.value}", detail


def _invalid(code: str, detail: str) -> Reply:
    return Reply(
        {"isValid": False, "invalidReason": error_reason(code), "invalidMessage": detail or code}
    )


async def _verify_form(call: Call, signed: SignedOrder) -> Reply:
    order, ctx = signed.order, call.desk.ctx
    if order.hub != ctx.identity.hub:
        return _invalid("wrong-hub", "this order is for another hub")
    if order.expires <= ctx.clock() // NS:
        return _invalid("order-expired", "the order has expired")
    try:
        await call.desk.payments.check_signature(signed)
    except (Unavailable, OutcomeUnknown):
        raise
    except FarthingError as error:
        return _invalid(error.code, error.detail)
    note = "form, signature and time only; authenticate to have the money held"
    return Reply({"isValid": True, "extra": {"checked": note}})


async def settle(call: Call) -> Reply:
    """Capture what `/verify` held; or hold and capture at once if it was not called before."""
    signed, seconds = _read(call)
    await require_payee(call, signed.order.payee)
    hub = network(call.desk.ctx.identity.hub)
    payments = call.desk.payments
    try:
        done = await payments.authorise(signed, hold_seconds=seconds, capture=True)
        payment = done.answer.payment
        if shown_state(payment, call.desk.ctx.clock()) is State.HELD:
            captured = await payments.capture(payment.id, None, call.asker.sees)
            payment, receipt = captured.answer, await payments.receipt(captured.answer, captured)
        else:
            receipt = await payments.receipt(payment, done)
    except (Unavailable, OutcomeUnknown) as error:
        raise HttpProblem(503, error.code, error.detail, retry_after=1) from None
    except FarthingError as error:
        return _unsettled(error.code, error.detail, hub)
    if payment.state is not State.CAPTURED:
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


def _unsettled(code: str, detail: str, hub: str) -> Reply:
    return Reply(
        {
            "success": False,
            "errorReason": error_reason(code),
            "errorMessage": detail or code,
            "transaction": "",
            "network": hub,
        }
    )


ENDPOINTS = [
    Endpoint("GET", "/supported", "x402_supported", "Schemes and networks settled here (x402)",
             supported, scopes=None),
    Endpoint("POST", "/verify", "x402_verify", "Check and hold an x402 payment", verify,
             scopes=None),
    Endpoint("POST", "/settle", "x402_settle", "Capture an x402 payment", settle, scopes=SELLER),
]  # fmt: skip
