"""Vectors of x402 `batch-settlement`: a requirement, its payloads, and some that are none."""

from typing import Any

from farthing import ids, keys
from farthing.clock import parse_time
from farthing.codec import to_base64url
from farthing.core.orders import Order, SignedOrder, payment_id
from farthing.core.session_charges import unit_tariff
from farthing.core.sessions import Opening, alias_of
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from farthing.protocols.x402_batch import deposit_payload, voucher_payload

SIGNER = keys.Ed25519Signer(bytes(range(1, 33)))
NOW = "2026-11-22T21:00:00Z"
_NOW_S = parse_time(NOW)
_HUB = keys.fingerprint(SIGNER.public)
_PAYEE = "acc_01kaqqvmr00000000000000001"
_NONCE = ids.encode(ids.fresh(_NOW_S * 1000, lambda _: 0x123456789ABCDEF012))
_TARIFF = unit_tariff("USD")


def batch() -> dict[str, Any]:
    """Write the file `batch.json`."""
    required = {
        "scheme": "batch-settlement",
        "network": f"farthing:{_HUB}",
        "asset": "USD",
        "amount": "1500",
        "payTo": _PAYEE,
        "maxTimeoutSeconds": 60,
        "extra": {"purpose": "tea shop", "lifetime": "86400", "grace": "3600"},
    }
    signed = _deposit()
    session = ids.name("ses", payment_id(signed.order))
    opens = deposit_payload(signed, _voucher(session, 1500, 1))
    pays = voucher_payload(session, _voucher(session, 3000, 2))
    return {
        "now": NOW,
        "secret_hex": SIGNER.seed.hex(),
        "public": SIGNER.public,
        "required": required,
        "tariff": _TARIFF.members(),
        "tariff_hash": to_base64url(_TARIFF.digest()),
        "session": session,
        "good": [
            {"name": "the first request: the deposit and a voucher", "payload": opens},
            {"name": "the second request", "payload": pays},
        ],
        "bad": [
            {"name": name, "required": required | asked, "payload": payload}
            for name, asked, payload in _bad(opens, pays)
        ],
    }


def _bad(opens: dict[str, Any], pays: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [
        ("another kind", {}, pays | {"type": "claim"}),
        ("a member too many", {}, pays | {"units": "3000"}),
        ("no session", {}, pays | {"session": "ses_1"}),
        ("a voucher with padding", {}, pays | {"voucher": pays["voucher"] + "="}),
        ("an order for another payee", {"payTo": "acc_" + "0" * 26}, opens),
        ("an order for another purpose", {"extra": {"purpose": "coffee shop"}}, opens),
        ("an amount as a number", {"amount": 1500}, pays),
        ("another scheme", {"scheme": "exact"}, pays),
        ("another network", {"network": "eip155:8453"}, pays),
        ("a lifetime that no session has", {"extra": {"lifetime": "31622401"}}, pays),
    ]


def _deposit() -> SignedOrder:
    order = Order(
        hub=_HUB,
        device="dev_01kaqqvmr0000000000000000g",
        payee=_PAYEE,
        asset="USD",
        amount=20_000,
        nonce=_NONCE,
        expires=_NOW_S + 300,
        resource=Opening(_TARIFF.digest(), 86400, 3600, "tea shop").resource(),
    )
    return SignedOrder(order, SIGNER.sign(order.signed_bytes()))


def _voucher(session: str, units: int, sequence: int) -> bytes:
    agreed = Agreed(session, _PAYEE, "USD", _TARIFF.digest())
    claims = Claims(alias_of(session), units, sequence, _NOW_S + 86400)
    return sign_voucher(SIGNER, agreed, claims)
