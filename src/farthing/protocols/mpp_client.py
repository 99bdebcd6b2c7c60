"""MPP as a payer speaks it: challenges in, credentials out.

Source: draft-httpauth-payment-00; draft-payment-intent-charge-00; docs/reference/methods.md.
"""

from typing import Any, cast

from farthing import ids
from farthing.clock import parse_time
from farthing.codec import canonical_json, from_base64url, read_json, to_base64url
from farthing.core.orders import SignedOrder
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.protocols import fields, names

ECHOED = ("id", "realm", "method", "intent", "request", "expires", "digest", "opaque")
"""The challenge's parameters that a credential sends back unchanged."""


def read(value: str) -> list[dict[str, Any]]:
    """Read the members of every ask for hub money in one `WWW-Authenticate` field."""
    if len(value) > names.ANSWER_CHARACTERS_MAX:
        return []
    try:
        parts = fields.split(value)
    except Malformed:
        return []
    read_one = (_members(part) for part in parts if part.scheme == "payment")
    return [members for members in read_one if members is not None]


def _members(part: fields.Part) -> dict[str, Any] | None:
    try:
        parameters = fields.parameters(part)
        if parameters["method"] != names.METHOD or parameters["intent"] != names.INTENT:
            return None
        return ask_members(parameters)
    except (Malformed, KeyError):
        return None


def ask_members(parameters: dict[str, str]) -> dict[str, Any]:
    """Understand a challenge of our method, given its parameters as sent.

    Raises: Malformed, KeyError for a challenge that cannot be paid.
    """
    request = _object(parameters["request"])
    details = _inner(request, "methodDetails")
    nonce = _text(_object(parameters["opaque"]), "nonce")
    ids.decode(nonce)
    return {
        "language": names.MPP,
        "hub": _text(details, "hub"),
        "payee": _text(request, "recipient"),
        "asset": _text(request, "currency"),
        "amount": parse_units(_text(request, "amount")),
        "resource": _text(details, "resource"),
        "challenge": _text(parameters, "id"),
        "nonce": nonce,
        "expires": parse_time(parameters["expires"]),
        "description": _optional(request, "description"),
        "body_digest": parameters.get("digest", ""),
        "raw": {name: parameters[name] for name in ECHOED if name in parameters},
    }


def credential(raw: dict[str, Any], signed: SignedOrder) -> str:
    """Write the `Authorization` value that pays a challenge."""
    payload = {"device": signed.order.device, "signature": to_base64url(signed.signature)}
    return "Payment " + to_base64url(canonical_json({"challenge": raw, "payload": payload}))


def read_receipt(value: str) -> dict[str, Any] | None:
    """Read a `Payment-Receipt` field of our method, or None."""
    if len(value) > names.ANSWER_CHARACTERS_MAX:
        return None
    try:
        receipt = _object(value)
    except Malformed:
        return None
    reference, inner = receipt.get("reference"), receipt.get("receipt")
    if receipt.get("method") != names.METHOD or not isinstance(reference, str):
        return None
    return {
        "language": names.MPP,
        "payment": reference,
        "receipt": cast(dict[str, Any], inner) if isinstance(inner, dict) else None,
    }


def _object(encoded: str) -> dict[str, Any]:
    value = read_json(from_base64url(encoded))
    if not isinstance(value, dict):
        raise Malformed("malformed-json", "an object is expected here")
    return cast(dict[str, Any], value)


def _inner(of: dict[str, Any], name: str) -> dict[str, Any]:
    value = of.get(name)
    if not isinstance(value, dict):
        raise Malformed("malformed-json", f"{name} is an object")
    return cast(dict[str, Any], value)


def _text(of: dict[str, Any], name: str) -> str:
    value = of.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed("malformed-json", f"{name} is text")
    return value


def _optional(of: dict[str, Any], name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""
