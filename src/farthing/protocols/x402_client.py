"""x402 v2 as a payer speaks it: requirements in, payment payloads out.

Source: x402 specification v2, sections 5 and 6; its HTTP transport; docs/reference/methods.md.
"""

import json
from collections.abc import Collection
from typing import Any, cast

import msgspec

from farthing.clock import write_time
from farthing.codec import from_base64, read_json, to_base64, to_base64url
from farthing.core.orders import Order, SignedOrder
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.protocols import names

ORDERED = (names.SCHEME, names.UPTO)
"""Schemes that one signed order pays."""

_encode = msgspec.json.Encoder().encode


def read(value: str, schemes: Collection[str] = ORDERED) -> list[dict[str, Any]]:
    """Read the members of every ask for hub money in one `PAYMENT-REQUIRED` field."""
    if len(value) > names.ANSWER_CHARACTERS_MAX:
        return []
    try:
        required = _object(read_json(from_base64(value)))
    except Malformed:
        return []
    accepts = required.get("accepts")
    if required.get("x402Version") != names.X402_VERSION or not isinstance(accepts, list):
        return []
    found: list[dict[str, Any]] = []
    for accepted in cast(list[Any], accepts):
        try:
            members = ask_members(_object(accepted), schemes)
        except Malformed:
            continue
        members["description"] = _description(required)
        members["raw"] = _sent_back(required, members["raw"])
        found.append(members)
    return found


def ask_members(
    accepted: dict[str, Any], schemes: Collection[str] = (names.SCHEME,)
) -> dict[str, Any]:
    """Understand one payment requirement of one of these schemes.

    Raises: Malformed for a requirement that is not for hub money, or that cannot be paid.
    """
    hub = names.hub_of(_text(accepted, "network"))
    if hub is None or accepted.get("scheme") not in schemes:
        raise Malformed("another-network", "this requirement is not for hub money")
    lifetime = accepted.get("maxTimeoutSeconds")
    if not isinstance(lifetime, int) or isinstance(lifetime, bool) or lifetime < 1:
        raise Malformed("malformed-json", "maxTimeoutSeconds is a whole number above 0")
    return {
        "language": names.X402,
        "scheme": str(accepted["scheme"]),
        "hub": hub,
        "payee": _text(accepted, "payTo"),
        "asset": _text(accepted, "asset"),
        "amount": parse_units(_text(accepted, "amount")),
        "resource": resource_of(accepted),
        "lifetime_seconds": lifetime,
        "raw": accepted,
    }


def resource_of(accepted: dict[str, Any]) -> str:
    """Tell what a requirement says is bought; empty when the seller does not bind it.

    Raises: Malformed when `extra` or its `resource` is of another type.
    """
    extra = accepted.get("extra")
    if extra is None:
        return ""
    resource = _object(extra).get("resource", "")
    if not isinstance(resource, str):
        raise Malformed("malformed-json", "extra.resource is text")
    return resource


def payload(order: Order, signature: bytes) -> dict[str, str]:
    """Write the scheme's own part of a payment payload."""
    return {
        "device": order.device,
        "expires": write_time(order.expires),
        "nonce": order.nonce,
        "signature": to_base64url(signature),
    }


def voucher_credential(raw: dict[str, Any], proof: dict[str, Any]) -> str:
    """Write the `PAYMENT-SIGNATURE` value that brings a voucher for a requirement."""
    return write(raw | {"payload": proof})


def credential(raw: dict[str, Any], signed: SignedOrder) -> str:
    """Write the `PAYMENT-SIGNATURE` value that meets a requirement."""
    message = raw | {"payload": payload(signed.order, signed.signature)}
    extensions = cast(dict[str, Any], raw.get("extensions", {}))
    declared = extensions.get(names.PAYMENT_IDENTIFIER)
    if isinstance(declared, dict):
        identified = _identified(cast(dict[str, Any], declared), signed.order.nonce)
        message["extensions"] = extensions | {names.PAYMENT_IDENTIFIER: identified}
    return write(message)


def write(message: dict[str, Any]) -> str:
    """Write a message as the standard base64 of its JSON."""
    raw = _encode(message)
    if not raw.isascii():  # Some readers take the bytes for Latin-1; escapes they all understand.
        raw = json.dumps(message, separators=(",", ":")).encode()
    return to_base64(raw)


def read_receipt(value: str) -> dict[str, Any] | None:
    """Read a `PAYMENT-RESPONSE` field that tells of a settled payment, or None."""
    if len(value) > names.ANSWER_CHARACTERS_MAX:
        return None
    try:
        response = _object(read_json(from_base64(value)))
    except Malformed:
        return None
    payment, extra = response.get("transaction"), response.get("extra")
    if response.get("success") is not True or not isinstance(payment, str):
        return None
    inner = cast(dict[str, Any], extra).get("receipt") if isinstance(extra, dict) else None
    return {
        "language": names.X402,
        "payment": payment,
        "receipt": cast(dict[str, Any], inner) if isinstance(inner, dict) else None,
    }


def _sent_back(required: dict[str, Any], accepted: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"x402Version": names.X402_VERSION, "accepted": accepted}
    for name in ("resource", "extensions"):
        if isinstance(required.get(name), dict):
            message[name] = required[name]
    return message


def _identified(declared: dict[str, Any], identifier: str) -> dict[str, Any]:
    info = declared.get("info")
    known = cast(dict[str, Any], info) if isinstance(info, dict) else {}
    return declared | {"info": {"id": identifier} | known}


def _description(required: dict[str, Any]) -> str:
    resource = required.get("resource")
    if not isinstance(resource, dict):
        return ""
    description = cast(dict[str, Any], resource).get("description")
    return description if isinstance(description, str) else ""


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("malformed-json", "an object is expected here")
    return cast(dict[str, Any], value)


def _text(of: dict[str, Any], name: str) -> str:
    value = of.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed("malformed-json", f"{name} is text")
    return value
