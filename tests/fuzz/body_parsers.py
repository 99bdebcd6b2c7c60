"""Request bodies, read as their endpoints read them, as far as that goes without the books."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from farthing import keys
from farthing.codec import from_base64url, to_base64url
from farthing.core.addresses import check_place
from farthing.core.batches import Batch, BatchLine, read_batch, write_batch
from farthing.core.listeners import DEFAULT
from farthing.core.periods import check_per
from farthing.core.places import read_place
from farthing.core.sessions import Opening, is_deposit, opening_of, session_topped_up
from farthing.core.tariffs import flat_rate, read_tariff
from farthing.core.ticks import Tick, read_tick, read_ticks, write_tick
from farthing.core.vouchers import Agreed, Claims, read_voucher, session_alias, sign_voucher
from farthing.money import parse_units
from farthing.notifiers.push import read_keys
from farthing.web.api import batches, bodies, facilitator, offers, ticks
from farthing.web.api.endpoint import Call
from farthing.web.api.notices import wished
from farthing.web.api.payments import signed_order
from tests.protocols.stand_in import DEVICE, HUB, PAYEE, SIGNER
from tests.protocols.test_protocol_fuzz import GOOD_X402

from .parser import Parser

NONCE = "01kaw1f2800000000000000000"
SESSION = "ses_01kaw1f2840000000000000000"
TARIFF = flat_rate("USD", "request", 4)
OPENING = Opening(TARIFF.digest(), 3600, 600, "The weather")
AGREED = Agreed(SESSION, PAYEE, "USD", TARIFF.digest())
VOUCHER = sign_voucher(SIGNER, AGREED, Claims(session_alias(1), 20, 1, 1_900_000_000))
TICK = write_tick(Tick(session_alias(1), 7, bytes(16)))
BATCH = write_batch(
    Batch(HUB, DEVICE, "USD", 1_900_000_000, [BatchLine(PAYEE, 5, NONCE, "GET /a")])
)
SIGNATURE = to_base64url(bytes(64))
_KEY = keys.Ed25519Signer(bytes(32)).public


def _order(resource: str = "GET /a") -> dict[str, str]:
    return {
        "amount": "5",
        "asset": "USD",
        "challenge": "",
        "device": DEVICE,
        "expires": "2026-11-22T21:00:00Z",
        "hub": HUB,
        "nonce": NONCE,
        "payee": PAYEE,
        "resource": resource,
    }


def _signed(resource: str = "GET /a", **more: Any) -> dict[str, Any]:
    return {"order": _order(resource), "signature": SIGNATURE, **more}


def _brought(body: Any) -> Any:
    return signed_order(body), read_place(body.place)


def _call(raw: bytes, content_type: str = "application/json") -> Call:
    """Make a call of a body; nothing else of the request is looked at."""
    headers = {"content-type": content_type}
    return Call(None, None, None, {}, {}, headers, raw, None, None, "")  # type: ignore[arg-type]


def _body(kind: type[msgspec.Struct], then: Callable[[Any], object]) -> Callable[[bytes], object]:
    return lambda raw: then(_call(raw).body(kind))


def _opens(body: bodies.SessionBody) -> object:
    read_place(body.place)
    resource = signed_order(body).order.resource
    return is_deposit(resource) and opening_of(resource), read_tariff(body.tariff).digest()


def _tops_up(body: bodies.DepositBody) -> object:
    read_place(body.place)
    return session_topped_up(signed_order(body).order.resource)


def _drawn(body: bodies.VoucherBody | bodies.PresentedBody) -> object:
    return read_voucher(from_base64url(body.voucher))


def _drawn_many(body: bodies.VouchersBody) -> object:
    return [_drawn(item) for item in body.vouchers]


def _ticked(body: bodies.TickBody | bodies.PresentedTickBody) -> object:
    return read_tick(from_base64url(body.tick))


def _enrols(body: bodies.EnrolBody) -> object:
    return keys.check_public_key(body.public_key), from_base64url(body.signature)


def _rotates(body: bodies.RotateBody) -> object:
    return [from_base64url(text) for text in (body.signature_old, body.signature_new)]


def _captures(body: bodies.CaptureBody) -> object:
    return body.units and parse_units(body.units)


def _permits(body: bodies.MandateBody) -> object:
    return [(check_per(budget.per), parse_units(budget.limit)) for budget in body.budgets]


def _wishes(body: bodies.WishesBody) -> object:
    return wished(DEFAULT, body).check()


def _placed(body: bodies.AddressBody) -> object:
    if body.keys is not None:
        read_keys(msgspec.json.encode(body.keys).decode())
    return check_place(body.way, body.place)


def _offers(body: bodies.OfferBody) -> object:
    return offers._offer(body, "off_01kaw1f2800000000000000000")


def _batch(read: Callable[[bytes], Any]) -> Callable[[bytes], object]:
    """Read a batch to its orders, whichever of its forms it has."""

    def reads(raw: bytes) -> object:
        asked = read(raw)
        return read_batch(asked.batch) if isinstance(asked, batches._PackedBatch) else asked

    return reads


def _x402(raw: bytes) -> object:
    return facilitator._read(_call(raw))


ORDER = json.dumps(_order()).encode()
_PACKED = [*_order().values(), bytes(64)]
_ENVELOPE = {
    "x402Version": 2,
    "paymentPayload": GOOD_X402,
    "paymentRequirements": GOOD_X402["accepted"],
}

_BODIES: tuple[tuple[type[msgspec.Struct], Callable[[Any], object], dict[str, Any]], ...] = (
    (bodies.OwnerBody, msgspec.structs.asdict, {"name": "me", "time_zone": "UTC"}),
    (bodies.PersonBody, msgspec.structs.asdict, {"name": "Ada", "roles": ["owner", "operator"]}),
    (bodies.KeyBody, msgspec.structs.asdict, {"scopes": ["read"], "label": "x"}),
    (bodies.AccountBody, msgspec.structs.asdict, {"asset": "USD", "name": "shop"}),
    (bodies.CreditBody, msgspec.structs.asdict, {"account": PAYEE, "units": "5", "asset": "USD"}),
    (
        bodies.MandateBody,
        _permits,
        {"asset": "USD", "budgets": [{"name": "a", "per": "day", "limit": "5"}]},
    ),
    (bodies.InvitationBody, msgspec.structs.asdict, {"account": PAYEE, "mandate": "man_x"}),
    (bodies.EnrolBody, _enrols, {"code": "A", "public_key": _KEY, "signature": SIGNATURE}),
    (
        bodies.RotateBody,
        _rotates,
        {"public_key": _KEY, "signature_old": SIGNATURE, "signature_new": SIGNATURE},
    ),
    (bodies.AssignBody, msgspec.structs.asdict, {"mandate": "man_x"}),
    (bodies.OfferBody, _offers, {"payee": PAYEE, "path": "/a", "asset": "USD", "amount": "1"}),
    (bodies.PaymentBody, signed_order, _signed(category="weather")),
    (bodies.CancelBody, signed_order, _signed()),
    (
        bodies.AuthoriseBody,
        _brought,
        _signed(hold_seconds=60, claim="till", place="203.0.113.0/24"),
    ),
    (bodies.CaptureBody, _captures, {"units": "1"}),
    (bodies.ReasonBody, msgspec.structs.asdict, {"reason": "broken"}),
    (bodies.VerdictBody, msgspec.structs.asdict, {"verdict": "fraud", "reason": "stolen"}),
    (bodies.RefundBody, _captures, {"id": "ref_x", "units": "1", "reason": "broken"}),
    (bodies.SessionBody, _opens, _signed(OPENING.resource(), tariff=TARIFF.members())),
    (bodies.DepositBody, _tops_up, _signed(f"TOPUP {SESSION}", place="203.0.113.0/24")),
    (bodies.VoucherBody, _drawn, {"voucher": to_base64url(VOUCHER), "late": True}),
    (bodies.SocketVoucherBody, _drawn, {"session": SESSION, "voucher": to_base64url(VOUCHER)}),
    (
        bodies.VouchersBody,
        _drawn_many,
        {"vouchers": [{"session": SESSION, "voucher": to_base64url(VOUCHER)}]},
    ),
    (
        bodies.WebhookBody,
        msgspec.structs.asdict,
        {"url": "https://shop.example/hear", "kinds": ["payment.*"], "label": "till"},
    ),
    (bodies.RotateWebhookBody, msgspec.structs.asdict, {"overlap_seconds": 60}),
    (
        bodies.WishesBody,
        _wishes,
        {"classes": {"money": {"ways": ["email"]}}, "quiet": ["22:00-07:00"]},
    ),
    (bodies.AddressBody, _placed, {"way": "email", "place": "ada@home.example"}),
    (bodies.AddressCodeBody, msgspec.structs.asdict, {"code": "042137"}),
    (bodies.ReplayBody, msgspec.structs.asdict, {"after": "5", "until": "9"}),
    (
        bodies.MovementBody,
        lambda body: (parse_units(body.units), body.account),
        {"account": PAYEE, "units": "5", "asset": "USD", "rail": "simulated", "place": "bank"},
    ),
    (bodies.TickBody, _ticked, {"tick": to_base64url(TICK), "late": True}),
    (
        bodies.TicksBody,
        lambda body: [_ticked(item) for item in body.ticks],
        {"ticks": [{"session": SESSION, "tick": to_base64url(TICK)}]},
    ),
)

BODY_PARSERS = (
    *(
        Parser(kind.__name__, _body(kind, then), (json.dumps(sample).encode(),))
        for kind, then, sample in _BODIES
    ),
    Parser(
        "BatchBody",
        _batch(lambda raw: batches._written(_call(raw))),
        (
            json.dumps({"payments": [_signed(), _signed()]}).encode(),
            json.dumps({"batch": to_base64url(BATCH), "signature": SIGNATURE}).encode(),
        ),
    ),
    Parser(
        "batch-packed",
        _batch(batches._packed),
        (
            msgspec.msgpack.encode(["payments", [_PACKED, _PACKED]]),
            msgspec.msgpack.encode(["batch", BATCH, bytes(64)]),
        ),
    ),
    Parser("batch", read_batch, (BATCH,)),
    Parser("ticks", lambda raw: list(read_ticks(raw)), (TICK, TICK * 3)),
    Parser(
        "ticks-packed",
        ticks.read_packed,
        (msgspec.msgpack.encode({"ticks": [[SESSION, TICK]], "late": True}),),
    ),
    Parser("x402_verify", _x402, (json.dumps(_ENVELOPE).encode(),)),
)
