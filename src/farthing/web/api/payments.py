"""Payments: pay, look up, list, capture, void, approve, deny."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from farthing import ids
from farthing.codec import from_base64url
from farthing.core.answers import AnswerAsk
from farthing.core.orders import SignedOrder, order_from_members
from farthing.core.owners import Principal, Scope
from farthing.core.paying import UNNAMED
from farthing.core.payments import PAYMENTS, Authorised, Payment, State
from farthing.core.places import read_place
from farthing.core.said import by_key
from farthing.errors import Conflict, Forbidden, Malformed, Missing, PaymentRefused
from farthing.money import parse_units
from farthing.services.hub import Authorisation, OnceKey
from farthing.services.payments import authorisation, scoped
from farthing.store.database import Tx
from farthing.store.queries import page
from farthing.web.api import answers, bodies, shapes
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import cursor_of, limit_of, listed
from farthing.web.api.payees import require_payee, vouched
from farthing.web.api.plain import read_signed

SELLER = (Scope.SELLER,)
OWNER = (Scope.OWNER,)
ANY = (Scope.OWNER, Scope.SELLER, Scope.READ)


def pay_body(call: Call) -> tuple[SignedOrder, str]:
    """Read what is to be paid, and as what category.

    Raises: Malformed.
    """
    plain = read_signed(call.raw)
    if plain is not None:
        return plain, ""
    body = call.body(bodies.PaymentBody)
    return signed_order(body), body.category


def signed_order(body: Any) -> SignedOrder:
    """Read a signed order from a body.

    Raises: Malformed.
    """
    signature = from_base64url(body.signature)
    order = order_from_members(msgspec.structs.asdict(body.order))
    ids.number("dev", order.device)
    ids.number("acc", order.payee)
    return SignedOrder(order, signature)


async def pay(call: Call) -> Reply:
    """Pay an order at once. The device's signature is the authorisation, whoever carries it."""
    signed, category = pay_body(call)
    is_vouched = not category or await vouched(call, signed.order, category)
    try:
        done = await call.desk.payments.authorise(
            signed,
            hold_seconds=60,
            capture=True,
            category=category,
            only_recorded=not is_vouched,
            keyed=call.key(signed.order.device),
            serves=False,
            bearer=call.bearer,
            place=call.place,
        )
    except Missing:
        raise Forbidden(
            "category-not-vouched",
            "the payee has no offer of this category at this price; leave the category out",
        ) from None
    payment = done.answer.payment
    shown = shapes.show_payment(payment, call.desk.ctx.clock())
    state = shown["state"]
    if state == State.REFUSED:
        raise PaymentRefused(
            shown["reason"] or "refused", shown["detail"] or "", payment=payment.id
        )
    if state == State.AWAITING:
        return Reply(shown, 202, [(b"location", f"/v1/payments/{payment.id}".encode())])
    receipt = await call.desk.payments.receipt_json(payment, done)
    return Reply(shapes.show_with_receipt(shown, receipt))


async def authorise(call: Call) -> Reply:
    """Hold or charge an order for the seller who received it."""
    body = call.body(bodies.AuthoriseBody)
    signed = signed_order(body)
    await require_payee(call, signed.order.payee)
    limit = call.desk.config.payments.hold_seconds_max
    done = await call.desk.payments.authorise(
        signed,
        hold_seconds=min(body.hold_seconds, limit),
        capture=body.capture,
        category=body.category,
        only_recorded=body.only_recorded,
        claim=f"{call.asker.name}/{body.claim}" if body.claim else UNNAMED,
        keyed=scoped(signed, msgspec.convert(body.once, OnceKey | None, from_attributes=True)),
        bearer=call.bearer,
        offer=body.offer,
        place=read_place(body.place),
    )
    payment, fresh = done.answer
    receipt = None
    if payment.state is State.CAPTURED:
        receipt = await call.desk.payments.receipt(payment, done)
    return Reply(authorisation(payment, call.desk.ctx.clock(), receipt, fresh=fresh))


async def capture(call: Call) -> Reply:
    """Capture a hold."""
    body = call.body(bodies.CaptureBody) if call.raw else bodies.CaptureBody()
    units = None if body.units is None else parse_units(body.units)
    done = await call.desk.payments.capture(call.path["payment"], units, call.asker.sees)
    if done.answer.state is not State.CAPTURED:
        # This very request recorded that the hold's time was over: it is as late as the next.
        raise Conflict("not-held", f"this payment is {done.answer.state.value}")
    return await _settled(call, done.answer, done)


async def void(call: Call) -> Reply:
    """Void a hold."""
    body = call.body(bodies.ReasonBody) if call.raw else bodies.ReasonBody()
    done = await call.desk.payments.void(call.path["payment"], body.reason, call.asker.sees)
    return await _settled(call, done.answer, done)


async def _settled(call: Call, payment: Payment, done: Any) -> Reply:
    receipt = await call.desk.payments.receipt(payment, done)
    return Reply(authorisation(payment, call.desk.ctx.clock(), receipt, fresh=False))


async def delivery(call: Call) -> Reply:
    """Record that an answer broke off after it was paid."""
    body = call.body(bodies.ReasonBody)
    await call.desk.payments.mark_delivery(call.path["payment"], body.reason, call.asker.sees)
    return await look_up(call)


async def approve(call: Call) -> Reply:
    """Approve a payment that awaits its owner: everything is checked again."""
    return await _answered(call, "approve")


async def deny(call: Call) -> Reply:
    """Deny a payment that awaits its owner."""
    return await _answered(call, "deny")


async def _answered(call: Call, answer: Any) -> Reply:
    asker = call.asker
    unit = AnswerAsk(call.path["payment"], asker.sees, answer, by_key(asker.name))
    return await call.once(unit, partial(_shown_at, call.desk.ctx.clock(), asker))


def _shown_at(now_ns: int, asker: Principal, done: Authorised) -> answers.PaymentAnswer:
    return shapes.show_payment_to(done.payment, now_ns, asker)


async def look_up(call: Call) -> Reply:
    """Tell what became of a payment: the place to ask after a lost answer."""
    payment = await visible(call, call.path["payment"])
    shown = shapes.show_payment_to(payment, call.desk.ctx.clock(), call.asker)
    shown["receipt"] = await call.desk.payments.receipt(payment)
    return Reply(shown)


async def visible(call: Call, ident: str) -> Payment:
    """Get a payment that is the asker's business.

    Raises: Missing.
    """
    payment = await call.desk.payments.find(ident)
    if not may_see(call.asker, payment):
        raise Missing("no-such-payment", "there is no such payment here")
    return payment


def may_see(asker: Principal, payment: Payment) -> bool:
    """Tell whether a payment is the asker's business: its device's, or either owner's."""
    if asker.device:
        return asker.device == payment.device
    return asker.sees in (None, payment.owner, payment.payee_owner)


_FILTERS = ("state", "payer", "payee", "device", "asset")


async def list_payments(call: Call) -> Reply:
    """List payments, newest first; or find one by `challenge` or `idempotency_key`."""
    if "challenge" in call.query or "idempotency_key" in call.query:
        payment = await _found(call)
        if not may_see(call.asker, payment):
            raise Missing("no-such-payment", "there is no such payment here")
        shown = shapes.show_payment_to(payment, call.desk.ctx.clock(), call.asker)
        return Reply({"items": [shown], "next": None})
    rows = await select(call, limit_of(call), cursor_of(call, "pay"))
    now = call.desk.ctx.clock()
    shown = [shapes.show_payment_to(row, now, call.asker) for row in rows]
    return listed(shown, limit_of(call))


async def _found(call: Call) -> Payment:
    if "challenge" in call.query:
        return await call.desk.payments.find_by_challenge(call.query["challenge"], call.asker)
    device = call.asker.device or call.query.get("device", "")
    if not device:
        raise Malformed("device-missing", "say under which device's key: &device=dev_…")
    return await call.desk.payments.find_by_key(
        device, "POST", "/v1/payments", call.query["idempotency_key"]
    )


async def select(call: Call, limit: int, after: str) -> Sequence[Payment]:
    """Read a page of the payments that the asker may see."""
    where = {name: call.query[name] for name in _FILTERS if name in call.query}
    if where.get("state", "held") not in set(State):
        raise Malformed("invalid-filter", f"state is one of {', '.join(State)}")
    asker = call.asker
    if asker.device:
        where["device"] = asker.device
    owner = asker.sees
    role = call.query.get("role", "either")
    if role not in ("either", "payer", "payee"):
        raise Malformed("invalid-filter", "role is payer, payee or either")

    def work(tx: Tx) -> list[Payment]:
        if owner is None or asker.device:
            return page(tx, PAYMENTS, where, after=after, limit=limit)
        sides = {"payer": ["owner"], "payee": ["payee_owner"]}.get(role, ["owner", "payee_owner"])
        found: dict[str, Payment] = {}
        for side in sides:
            for row in page(tx, PAYMENTS, {**where, side: owner}, after=after, limit=limit):
                found[row.id] = row
        return sorted(found.values(), key=lambda row: row.id, reverse=True)[:limit]

    return await call.desk.ctx.database.read(work)


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/payments",
        "pay",
        "Pay a signed order at once",
        pay,
        scopes=None,
        body=bodies.PaymentBody,
        answer=answers.PaymentAnswer,
        others={202: answers.PaymentAnswer},
    ),
    Endpoint(
        "GET",
        "/v1/payments",
        "list_payments",
        "List payments, or find one",
        list_payments,
        scopes=ANY,
        devices=True,
        query={
            "challenge": "find the payment of this MPP challenge",
            "idempotency_key": "find the payment made under this key, with `device`",
            "state": "only payments in this state",
            "payer": "only from this account",
            "payee": "only to this account",
            "device": "only of this device",
            "asset": "only in this asset",
            "role": "payer, payee or either",
            "limit": "how many at most (500)",
            "cursor": "go on after a page's `next`",
        },
        answer=answers.Page[answers.PaymentAnswer],
    ),
    Endpoint(
        "POST",
        "/v1/payments/authorise",
        "authorise",
        "Hold or charge an order as its seller",
        authorise,
        scopes=SELLER,
        body=bodies.AuthoriseBody,
        answer=Authorisation,
        told_apart_by="the order's nonce, and `once` where the buyer had a key",
    ),
    Endpoint(
        "GET",
        "/v1/payments/{payment}",
        "look_up",
        "What became of a payment",
        look_up,
        scopes=ANY,
        devices=True,
        answer=answers.PaymentAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/payments/{payment}/capture",
        "capture",
        "Capture a hold",
        capture,
        scopes=SELLER,
        body=bodies.CaptureBody,
        answer=Authorisation,
        told_apart_by="the payment's id",
    ),
    Endpoint(
        "POST",
        "/v1/payments/{payment}/void",
        "void",
        "Void a hold",
        void,
        scopes=SELLER,
        body=bodies.ReasonBody,
        answer=Authorisation,
        told_apart_by="the payment's id",
    ),
    Endpoint(
        "POST",
        "/v1/payments/{payment}/delivery",
        "delivery_incomplete",
        "Record that a paid answer broke off",
        delivery,
        scopes=SELLER,
        body=bodies.ReasonBody,
        answer=answers.PaymentAnswer,
        told_apart_by="the payment's id",
    ),
    Endpoint(
        "POST",
        "/v1/payments/{payment}/approve",
        "approve",
        "Approve a payment that awaits you",
        approve,
        scopes=OWNER,
        answer=answers.PaymentAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/payments/{payment}/deny",
        "deny",
        "Deny a payment that awaits you",
        deny,
        scopes=OWNER,
        answer=answers.PaymentAnswer,
    ),
]
