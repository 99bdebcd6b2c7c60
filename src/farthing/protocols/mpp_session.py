"""MPP sessions as a seller speaks them: method `farthing`, intent `session`.

A challenge tells the tariff; a credential carries one of four actions: `open` and `topUp` bring a
signed order, `voucher` and `close` a voucher or a tick. Nothing is kept between: what a session may
do is signed in its order and its vouchers, so a challenge is echoed to say who asked, and no more.

Source: draft-httpauth-payment-00; the session intents of the tempo and lightning methods;
docs/reference/metering.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from farthing.clock import NS, parse_time, write_time
from farthing.codec import canonical_json, from_base64url, to_base64url
from farthing.core.orders import SignedOrder, order_from_members
from farthing.core.usage import Usage
from farthing.errors import Malformed
from farthing.protocols import fields, mpp, names
from farthing.protocols.base import Headers

INTENT = "session"
Action = Literal["open", "topUp", "voucher", "close"]
_ACTIONS = ("open", "topUp", "voucher", "close")


class SessionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a session with a seller is opened for. Units: `lifetime_seconds` is a challenge's."""

    realm: str
    hub: str
    payee: str
    usage: Usage
    description: str = ""
    lifetime_seconds: int = 300


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a payer says of a session.

    Shape: `signed` is the order of `open` and `topUp`, and in x402 of a `voucher` that tops up;
           `tick` comes with its `voucher`, or without one after it.
    """

    action: Action
    session: str = ""
    voucher: bytes = b""
    tick: bytes = b""
    signed: SignedOrder | None = None
    challenge: str = ""
    language: str = names.MPP


class MppSessions:
    """The session intent, with secrets of which the newest signs and every one is believed."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = tuple(secrets)

    def challenge(self, terms: SessionTerms, now_ns: int) -> Headers:
        """Write the `WWW-Authenticate` field of a 402 that asks for a session."""
        parameters = {
            "realm": mpp.check_realm(terms.realm),
            "method": names.METHOD,
            "intent": INTENT,
            "request": to_base64url(canonical_json(_request(terms))),
            "expires": write_time(now_ns // NS + terms.lifetime_seconds),
        }
        bound = {"id": mpp.challenge_id(self._secrets[0], parameters)} | parameters
        written = ", ".join(f"{name}={fields.quoted(value)}" for name, value in bound.items())
        return [(names.CHALLENGE_FIELD, f"Payment {written}")]

    def carries(self, authorization: str) -> bool:
        """Tell whether an `Authorization` field carries a Payment credential."""
        return fields.mentions(authorization, "payment")

    def read(self, authorization: str, terms: SessionTerms, now_ns: int) -> Said:
        """Read a credential: we have asked for it, and it says one thing.

        Raises: BadCredential `malformed-credential`, `several-credentials`,
                `method-unsupported`, `invalid-challenge`, `payment-expired`.
        """
        challenge, payload = mpp.read_credential(authorization)
        echo = mpp.read_echo(challenge)
        if (echo["method"], echo["intent"]) != (names.METHOD, INTENT):
            raise mpp.bad("method-unsupported", "this is sold by farthing/session", status=400)
        mpp.check_binding(self._secrets, echo)
        if echo["realm"] != terms.realm:
            raise mpp.bad("invalid-challenge", "this challenge was made elsewhere")
        said = _said(payload, echo["id"])
        # A session outlives its challenge: only what takes a deposit needs a fresh one.
        if said.signed is not None and parse_time(echo["expires"]) <= now_ns // NS:
            raise mpp.bad("payment-expired", "ask again for a new challenge")
        return said

    def receipt(self, state: Mapping[str, str], challenge: str, now_ns: int) -> Headers:
        """Write the `Payment-Receipt` field: how the session stands."""
        told = receipt_members(state, challenge, now_ns)
        return [(names.RECEIPT_FIELD, to_base64url(canonical_json(told)))]


def receipt_members(state: Mapping[str, str], challenge: str, now_ns: int) -> dict[str, Any]:
    """Give the members of a session's receipt. Shape: `state` is that of the meter."""
    told = {
        "method": names.METHOD,
        "intent": INTENT,
        "status": "success",
        "timestamp": write_time(now_ns // NS),
        "reference": state["session"],
        "acceptedCumulative": state["promised"],
        "spent": state["owed"],
        "count": state["count"],
    }
    return told | ({"challengeId": challenge} if challenge else {})


def need_voucher_members(state: Mapping[str, str], needed: str) -> dict[str, Any]:
    """Give the members of the event that asks for a voucher within a stream."""
    return {
        "session": state["session"],
        "acceptedCumulative": state["promised"],
        "requiredCumulative": needed,
        "deposit": state["deposit"],
    }


def _request(terms: SessionTerms) -> dict[str, Any]:
    usage = terms.usage
    request: dict[str, Any] = {
        "amount": str(usage.units),
        "currency": usage.tariff.asset,
        "methodDetails": {
            "by": usage.by,
            "grace": str(usage.grace_seconds),
            "hub": terms.hub,
            "lifetime": str(usage.lifetime_seconds),
            "purpose": terms.realm,
            "reserve": str(usage.reserve),
            "tariff": usage.tariff.members(),
        },
        "recipient": terms.payee,
        "unitType": usage.tariff.counts,
    }
    if usage.deposit:
        request["suggestedDeposit"] = str(usage.deposit)
    if terms.description:
        request["description"] = terms.description
    return request


def _said(payload: dict[str, Any], challenge: str) -> Said:
    action = payload.get("action")
    if action not in _ACTIONS:
        raise mpp.bad("malformed-credential", "action is open, voucher, topUp or close")
    try:
        voucher, tick = _text(payload, "voucher"), _text(payload, "tick")
        signed = _signed(payload) if action in ("open", "topUp") else None
        said = Said(
            action=action,
            session=_text(payload, "session"),
            voucher=from_base64url(voucher) if voucher else b"",
            tick=from_base64url(tick) if tick else b"",
            signed=signed,
            challenge=challenge,
        )
    except Malformed as fault:
        raise mpp.bad("malformed-credential", fault.detail) from None
    if action != "open" and not said.session:
        raise mpp.bad("malformed-credential", "say which session")
    if action in ("voucher", "close") and not said.voucher and not said.tick:
        raise mpp.bad("malformed-credential", f"{action} brings a voucher, or a tick")
    return said


def _signed(payload: dict[str, Any]) -> SignedOrder:
    order = payload.get("order")
    if not isinstance(order, dict):
        raise Malformed("malformed-order", "order is an object")
    signature = from_base64url(_text(payload, "signature"))
    return SignedOrder(order_from_members(cast(dict[str, Any], order)), signature)


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name, "")
    if not isinstance(value, str):
        raise Malformed("malformed-json", f"{name} is text")
    return value
