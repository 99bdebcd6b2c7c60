"""Cancelling an order that was signed and is not to be paid."""

from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.payments import signed_order


async def cancel(call: Call) -> Reply:
    """Cancel an order, whoever carries the device's word; a decided one is told as it stands."""
    cancelled = signed_order(call.body(bodies.CancelBody))
    done = await call.desk.payments.cancel(cancelled, call.bearer)
    payment = done.answer.payment
    shown = shapes.show_payment(payment, call.desk.ctx.clock())
    shown["receipt"] = await call.desk.payments.receipt(payment, done)
    return Reply(shown)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/payments/cancel",
        "cancel",
        "Cancel an order that was signed and is not to be paid",
        cancel,
        scopes=None,
        body=bodies.CancelBody,
        answer=answers.PaymentAnswer,
        told_apart_by="the order's nonce",
    ),
]
