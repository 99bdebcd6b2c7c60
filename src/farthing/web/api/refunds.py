"""Refunds: give back what a payment captured, and list what was given back."""

import msgspec

from farthing import ids
from farthing.core.refunds import REFUNDS, GiveBack, Refunded
from farthing.errors import PaymentRefused
from farthing.money import parse_units
from farthing.store.queries import PAGE_MAX, page
from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.payments import ANY, SELLER, visible


async def refund(call: Call) -> Reply:
    """Refund a captured payment, all that is left of it or a part."""
    body = call.body(bodies.RefundBody) if call.raw else bodies.RefundBody()
    refund_id = body.id or call.desk.ctx.fresh_name("ref")
    ids.number("ref", refund_id)
    units = None if body.units is None else parse_units(body.units)
    by = call.asker.sees
    unit = GiveBack(refund_id, call.path["payment"], by, units, body.reason)
    reply = await call.once(unit, _refund_shown, status=201, final=_is_given)
    shown = msgspec.json.decode(reply.body)
    if shown["state"] != "done":
        raise PaymentRefused(
            "insufficient-seller-balance",
            "your account does not hold enough; top it up and send the same refund id again",
            refund=shown["id"],
        )
    return reply


def _refund_shown(answer: Refunded) -> answers.RefundAnswer:
    return shapes.show_refund(answer.refund, answer.payment)


def _is_given(answer: Refunded) -> bool:
    return answer.refund.state == "done"


async def refunds(call: Call) -> Reply:
    """List the refunds of a payment."""
    payment = await visible(call, call.path["payment"])
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, REFUNDS, {"payment": payment.id}, limit=PAGE_MAX)
    )
    return Reply({"items": [shapes.show_refund(row, payment) for row in rows], "next": None})


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/payments/{payment}/refunds",
        "refund",
        "Refund a payment, or a part of it",
        refund,
        scopes=SELLER,
        body=bodies.RefundBody,
        status=201,
        answer=answers.RefundAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/payments/{payment}/refunds",
        "list_refunds",
        "List a payment's refunds",
        refunds,
        scopes=ANY,
        answer=answers.Page[answers.RefundAnswer],
    ),
]
