"""Many payments in one request, in JSON or MessagePack: each is answered by itself, in order."""

from typing import Any

import msgspec

from farthing import ids
from farthing.codec import from_base64url, read_json
from farthing.core.batches import ORDERS_MAX
from farthing.core.orders import SignedOrder, order_from_members
from farthing.core.payments import State
from farthing.errors import FarthingError, Malformed, PaymentRefused
from farthing.misfits import misfit
from farthing.services.batches import Answer
from farthing.services.payments import shown_state, split_reason
from farthing.web.api import answers, bodies
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.payments import signed_order
from farthing.web.api.plain import read_plain

MESSAGEPACK = "application/msgpack"
_BODY_BYTES_MAX = 1024 * 1024
_SIGNATURE_BYTES = 64


class _Packed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An order's members in the order of their names, and its signature."""

    amount: str
    asset: str
    challenge: str
    device: str
    expires: str
    hub: str
    nonce: str
    payee: str
    resource: str
    signature: bytes


class _PackedPayments(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="payments"
):
    payments: list[_Packed]


class _PackedBatch(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="batch"
):
    batch: bytes
    signature: bytes


class _Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON body whose payments are read one by one: a broken one is answered in its place."""

    payments: list[msgspec.Raw] = []
    batch: str = ""
    signature: str = ""


_unpack = msgspec.msgpack.Decoder(_PackedPayments | _PackedBatch).decode
_open = msgspec.json.Decoder(_Outer).decode


async def pay_batch(call: Call) -> Reply:
    """Pay many orders: each signed by its device, or one batch that its device signed once."""
    packed = call.headers.get("content-type", "").partition(";")[0].strip().lower() == MESSAGEPACK
    asked = _packed(call.raw) if packed else _written(call)
    batches = call.desk.batches
    if isinstance(asked, _PackedBatch):
        done = await batches.pay_all(asked.batch, asked.signature, call.bearer, call.place)
    else:
        done = await batches.pay_each(asked, call.bearer, call.place)
    now_ns = call.desk.ctx.clock()
    shown: dict[str, Any] = {"payments": [_shown(answer, now_ns) for answer in done]}
    if packed:
        return Reply(msgspec.msgpack.encode(shown), media=MESSAGEPACK)
    return Reply(shown)


def _packed(raw: bytes) -> list[SignedOrder | FarthingError] | _PackedBatch:
    try:
        asked = _unpack(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("malformed-batch", "this is not a batch in MessagePack") from None
    if isinstance(asked, _PackedBatch):
        return _checked(asked)
    _bounded(len(asked.payments))
    return [_tried(_unpacked, item) for item in asked.payments]


def _unpacked(item: _Packed) -> SignedOrder:
    members = msgspec.structs.asdict(item)
    signature = members.pop("signature")
    return _named(SignedOrder(order_from_members(members), signature))


def _written(call: Call) -> list[SignedOrder | FarthingError] | _PackedBatch:
    try:
        outer = _open(call.raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        call.body(bodies.BatchBody)  # Says where the fault is.
        raise Malformed("malformed-batch", "this body cannot be read") from None
    if any(call.raw.count(name) > 1 for name in (b'"payments"', b'"batch"')):
        raise Malformed("malformed-json", "a name stands twice in one object")
    if not outer.payments:
        body = call.body(bodies.BatchBody)
        return _checked(_PackedBatch(from_base64url(body.batch), from_base64url(body.signature)))
    if outer.batch or outer.signature:
        raise Malformed("malformed-batch", "send payments, or a batch with its signature")
    _bounded(len(outer.payments))
    return [_tried(_read, bytes(item)) for item in outer.payments]


def _checked(asked: _PackedBatch) -> _PackedBatch:
    if not asked.batch or len(asked.signature) != _SIGNATURE_BYTES:
        raise Malformed("malformed-batch", "send payments, or a batch with its signature")
    return asked


def _bounded(count: int) -> None:
    if not 1 <= count <= ORDERS_MAX:
        raise Malformed("malformed-batch", f"a batch has 1 to {ORDERS_MAX} orders")


def _read(raw: bytes) -> SignedOrder:
    plain = read_plain(raw, bodies.SignedBody)
    if plain is None:
        try:
            plain = msgspec.convert(read_json(raw), bodies.SignedBody, strict=True)
        except msgspec.ValidationError as fault:
            raise Malformed("invalid-body", str(misfit(bodies.SignedBody, fault))) from None
    return signed_order(plain)


def _named(signed: SignedOrder) -> SignedOrder:
    ids.number("dev", signed.order.device)
    ids.number("acc", signed.order.payee)
    return signed


def _tried(read: Any, item: Any) -> SignedOrder | FarthingError:
    try:
        return read(item)
    except FarthingError as error:
        return error


def _shown(answer: Answer, now_ns: int) -> answers.BatchItem:
    if isinstance(answer, FarthingError):
        return {"id": None, "state": None, "problem": answer.problem()}
    payment = answer.answer.payment
    state = shown_state(payment, now_ns)
    problem = None
    if state is State.REFUSED:
        reason, detail = split_reason(payment.reason)
        problem = PaymentRefused(reason or "refused", detail, payment=payment.id).problem()
    return {"id": payment.id, "state": state.value, "problem": problem}


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/payments/batch",
        "pay_batch",
        "Pay many signed orders at once",
        pay_batch,
        scopes=None,
        body=bodies.BatchBody,
        answer=answers.BatchAnswer,
        body_bytes_max=_BODY_BYTES_MAX,
        told_apart_by="each order's nonce",
    ),
]
