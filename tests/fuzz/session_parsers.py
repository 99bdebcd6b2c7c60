"""What sessions are made of, as it comes from a device, a hub or a file."""

import json

from farthing.codec import read_json, to_base64, to_base64url
from farthing.core.sessions import is_deposit, opening_of, session_topped_up, top_up_resource
from farthing.core.tariffs import owed, read_tariff
from farthing.core.vouchers import read_voucher
from farthing.protocols.x402_answers import payment_answer
from farthing.protocols.x402_batch import batch_ask, batch_asks, read_payload
from farthing.web import remote_sessions
from farthing.web.api.voucher_socket import read_message
from farthing.web.voucher_field import read_voucher_field
from tests.protocols.batch_vectors import batch
from tests.protocols.stand_in import DEVICE, PAYEE

from .body_parsers import AGREED, OPENING, SESSION, TARIFF, VOUCHER
from .parser import Parser, plain, text

_SHOWN = {
    "id": SESSION,
    "state": "open",
    "device": DEVICE,
    "payee": PAYEE,
    "asset": "USD",
    "key": "ed25519:x",
    "purpose": "The weather",
    "deposit": "500",
    "promised": "20",
    "sequence": "1",
    "captured": "0",
    "ends_at": "2026-11-22T21:00:00Z",
    "closes_at": "2026-11-22T22:00:00Z",
    "tariff": TARIFF.members(),
}
_TIERED = {
    "asset": "USD",
    "counts": "Wh",
    "model": "volume",
    "tiers": [{"amount": "3", "per": "7", "up_to": "100"}, {"amount": "2", "flat": "9"}],
    "minimum": "5",
}


def _resource(resource: str) -> object:
    """Read an order's resource as both of those who read one do."""
    if not is_deposit(resource):
        return None
    opening = opening_of(resource)
    return session_topped_up(resource) if opening is None else opening.resource()


def _voucher(raw: bytes) -> object:
    """Read a voucher, and write what its device signed."""
    return read_voucher(raw).signed_bytes(AGREED)


def _tariff(raw: bytes) -> object:
    """Read a tariff, name it, and tell what some counts cost by it."""
    tariff = read_tariff(raw)
    return tariff.digest(), [owed(tariff, count) for count in (0, 1, 7, 100, 101, 10**9)]


def _fields(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Give a request's fields of ours: a line for each, empty where there is none."""
    names = (b"Farthing-Voucher", b"Farthing-Tick")
    lines = raw.split(b"\n", 1)
    return [(name, line) for name, line in zip(names, lines, strict=False) if line]


def _paid(raw: bytes) -> object:
    """Read what a stock client sends for a request of a session, as a facilitator does."""
    message = read_json(raw)
    if not isinstance(message, dict) or not isinstance(message.get("accepted"), dict):
        return None
    return read_payload(message, batch_ask(message["accepted"]))


_BATCH = batch()
_MESSAGES = tuple(
    json.dumps({"x402Version": 2, "accepted": _BATCH["required"], "payload": one["payload"]})
    for one in _BATCH["good"]
)

_REQUIRED = {"x402Version": 2, "accepts": [_BATCH["required"]], "error": "voucher_needed"}
_ASKED = to_base64(json.dumps(_REQUIRED).encode()).encode()
_STATE = {"channelState": {"balance": "500", "chargedCumulativeAmount": "20"}}
_ANSWERED = to_base64(json.dumps({"success": True, "extra": _STATE}).encode()).encode()


def _asks(raw: bytes) -> object:
    """Read what a seller asks for vouchers, as our client does."""
    return batch_asks([("payment-required", raw.decode("latin-1"))])


def _answered(raw: bytes) -> object:
    """Read what a seller says of a voucher, in either of the fields that say so."""
    told = raw.decode("latin-1")
    return [payment_answer([(name, told)]) for name in ("payment-required", "payment-response")]


SESSION_PARSERS = (
    Parser("x402-batch", _paid, tuple(one.encode() for one in _MESSAGES)),
    Parser("x402-batch-asks", _asks, (_ASKED,)),
    Parser("x402-answer", _answered, (_ASKED, _ANSWERED)),
    Parser(
        "socket-message",
        text(read_message),
        (json.dumps({"session": SESSION, "voucher": to_base64url(VOUCHER)}).encode(),),
    ),
    Parser(
        "voucher-field",
        lambda raw: read_voucher_field({"headers": _fields(raw)}),
        (
            f"{SESSION} {to_base64url(VOUCHER)} close\n{SESSION} {'A' * 38}".encode(),
            f"\n{SESSION} {'A' * 38}".encode(),
        ),
    ),
    Parser("voucher", _voucher, (VOUCHER,)),
    Parser("tariff", _tariff, (TARIFF.written(), json.dumps(_TIERED).encode())),
    Parser(
        "session-resource",
        text(_resource),
        (OPENING.resource().encode(), top_up_resource(SESSION).encode()),
    ),
    Parser(
        "hub-session",
        lambda raw: remote_sessions._seen(remote_sessions._object(raw)),
        (json.dumps(_SHOWN).encode(),),
    ),
    Parser(
        "hub-drawn",
        plain(remote_sessions._drawn),
        (
            b'{"drawn": {"promised": "20"}, "problem": null}',
            b'{"drawn": null, "problem": {"status": 409, "code": "voucher-superseded"}}',
        ),
    ),
)
