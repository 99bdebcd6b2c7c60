"""x402 `batch-settlement` on `farthing:<hub-id>`: the channel is a session, the claim a voucher.

A requirement says what sessions are opened for and the most that one request costs; a payload
brings a voucher, and at first the signed order of the deposit; the answer says what was charged.

Source: x402 specification v2, scheme `batch-settlement`; docs/reference/methods.md.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from farthing.codec import from_base64url, to_base64url
from farthing.core.orders import SignedOrder, order_from_members
from farthing.core.session_charges import unit_tariff
from farthing.core.sessions import (
    GRACE_SECONDS,
    GRACE_SECONDS_MAX,
    LIFETIME_SECONDS_MAX,
    Opening,
    opening_of,
    session_ordered,
)
from farthing.core.tariffs import Tariff, read_tariff
from farthing.core.vouchers import read_voucher
from farthing.errors import Malformed
from farthing.ids import number
from farthing.money import parse_units
from farthing.protocols import names, x402_client
from farthing.protocols.client import Ask

LIFETIME_SECONDS = 86400
_DEPOSIT, _VOUCHER = "deposit", "voucher"
_MEMBERS = {
    _DEPOSIT: {"type", "order", "signature", "voucher"},
    _VOUCHER: {"type", "session", "voucher"},
}


class BatchAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What a requirement asks for.

    Units:  `amount` is the most that one request costs; `deposit` what is advised to hold, 0 for
            no advice: smallest units.
    Shape:  `tariff` and `purpose` are what the session is opened for; `raw` is the requirement;
            `by` says what is counted at a paywall that meters.
    """

    hub: str
    payee: str
    asset: str
    amount: int
    tariff: Tariff
    purpose: str
    lifetime_seconds: int
    grace_seconds: int
    deposit: int
    timeout_seconds: int
    raw: dict[str, Any]
    by: str = "request"

    @property
    def whole(self) -> Ask:
        """Give what it asks for one request as any other ask: limits look at it."""
        return Ask(
            language=names.X402,
            scheme=names.BATCH,
            hub=self.hub,
            payee=self.payee,
            asset=self.asset,
            amount=self.most,
            lifetime_seconds=self.timeout_seconds,
            raw=self.raw,
        )

    @property
    def most(self) -> int:
        """The most that is promised for one request: a tariff may cost more to begin."""
        return self.amount + int(self.tariff.opening) + int(self.tariff.minimum)

    @property
    def wanted(self) -> tuple[str, str, bytes, str]:
        """Say what a session has to be opened for."""
        return self.payee, self.asset, self.tariff.digest(), self.purpose


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload brings. Shape: `signed` is the order of a deposit, which may be missing."""

    session: str
    voucher: bytes
    signed: SignedOrder | None = None


def batch_ask(accepted: Mapping[str, Any]) -> BatchAsk:
    """Understand one requirement of the scheme.

    Raises: Malformed for a requirement that is not for hub money, or that cannot be paid.
    """
    raw = dict(accepted)
    asked = x402_client.ask_members(raw, (names.BATCH,))
    extra = cast(dict[str, Any], raw.get("extra") or {})
    tariff = read_tariff(extra["tariff"]) if "tariff" in extra else unit_tariff(asked["asset"])
    if tariff.asset != asked["asset"]:
        raise Malformed("malformed-tariff", "the tariff is in another asset")
    lifetime = _seconds(extra, "lifetime", LIFETIME_SECONDS)
    grace = _seconds(extra, "grace", GRACE_SECONDS)
    if not 0 < lifetime <= LIFETIME_SECONDS_MAX or grace > GRACE_SECONDS_MAX:
        raise Malformed("malformed-session", "lifetime or grace is none that a session can have")
    purpose = extra.get("purpose", "")
    if not isinstance(purpose, str):
        raise Malformed("malformed-session", "a purpose is text")
    return BatchAsk(
        hub=asked["hub"],
        payee=asked["payee"],
        asset=asked["asset"],
        amount=asked["amount"],
        tariff=tariff,
        purpose=purpose,
        lifetime_seconds=lifetime,
        grace_seconds=grace,
        deposit=parse_units(_text(extra, "minDeposit", "0")),
        timeout_seconds=asked["lifetime_seconds"],
        raw=raw,
        by=_text(extra, "by", "request"),
    )


def batch_asks(headers: Iterable[tuple[str, str]]) -> list[BatchAsk]:
    """Read the header fields of a 402; what is no requirement of the scheme is skipped.

    Shape: `raw` is what has to be sent back, with the payload.
    """
    found: list[BatchAsk] = []
    for name, value in headers:
        read = (
            x402_client.read(value, (names.BATCH,)) if name.lower() == names.REQUIRED_FIELD else ()
        )
        for members in read:
            with contextlib.suppress(Malformed):
                ask = batch_ask(members["raw"]["accepted"])
                found.append(msgspec.structs.replace(ask, raw=members["raw"]))
    return found


def read_payload(message: Mapping[str, Any], ask: BatchAsk) -> Brought:
    """Read what a payment payload (x402 section 5.2) brings for a requirement it accepted.

    Raises: Malformed `malformed-credential`, `malformed-session`, `malformed-voucher`,
            `terms-mismatch`.
    """
    if message.get("x402Version") != names.X402_VERSION:
        raise Malformed("malformed-credential", "x402Version is 2")
    payload = message.get("payload")
    proof = cast(dict[str, Any], payload) if isinstance(payload, dict) else {}
    kind = proof.get("type")
    if not isinstance(kind, str) or set(proof) != _MEMBERS.get(kind):
        raise Malformed("malformed-credential", "the payload is of type deposit or voucher")
    voucher = from_base64url(_text(proof, "voucher"))
    read_voucher(voucher)  # Before anything is held: what is none would leave a deposit behind.
    if kind == _VOUCHER:
        session = _text(proof, "session")
        number("ses", session)
        return Brought(session=session, voucher=voucher)
    order = proof["order"]
    if not isinstance(order, dict):
        raise Malformed("malformed-order", "order is an object")
    signature = from_base64url(_text(proof, "signature"))
    signed = SignedOrder(order_from_members(cast(dict[str, Any], order)), signature)
    return Brought(session=_session_of(signed, ask), voucher=voucher, signed=signed)


def deposit_payload(signed: SignedOrder, voucher: bytes) -> dict[str, Any]:
    """Write the payload that opens a session, or tops one up, and pays for a request."""
    return {
        "type": _DEPOSIT,
        "order": signed.order.members(),
        "signature": to_base64url(signed.signature),
        "voucher": to_base64url(voucher),
    }


def voucher_payload(session: str, voucher: bytes) -> dict[str, Any]:
    """Write the payload that pays for a request in a session that is open."""
    return {"type": _VOUCHER, "session": session, "voucher": to_base64url(voucher)}


def commitment(session: str, sequence: int) -> str:
    """Name what was accepted for one request: its session, and its voucher's number."""
    return f"{session}/{sequence}"


def _session_of(signed: SignedOrder, ask: BatchAsk) -> str:
    """Tell which session a deposit is for.

    Raises: Malformed where it is not for what is asked.
    """
    order = signed.order
    if (order.hub, order.payee, order.asset) != (ask.hub, ask.payee, ask.asset):
        raise Malformed("terms-mismatch", "the deposit is for another payee, asset or hub")
    opening = opening_of(order.resource)
    asked = Opening(ask.tariff.digest(), ask.lifetime_seconds, ask.grace_seconds, ask.purpose)
    if opening not in (None, asked):
        raise Malformed("terms-mismatch", "the order opens a session for something else")
    return session_ordered(order)


def _seconds(extra: Mapping[str, Any], member: str, default: int) -> int:
    return parse_units(_text(extra, member, str(default)))


def _text(of: Mapping[str, Any], member: str, default: str | None = None) -> str:
    value = of.get(member, default)
    if not isinstance(value, str):
        raise Malformed("malformed-credential", f"{member} is text")
    return value
