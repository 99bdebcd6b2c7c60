"""x402 v2 as a seller and a facilitator speak it: scheme `exact` on `farthing:<hub-id>`.

The requirements of a route never change with time, so that sellers can compare them; the nonce
and the time window are the payer's, inside what the device signs.

Source: x402 specification v2, sections 5-7; its HTTP transport; docs/reference/methods.md.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, cast

from farthing import ids
from farthing.clock import NS, write_time
from farthing.codec import from_base64, from_base64url, read_json
from farthing.core.orders import SKEW_SECONDS_MAX, SignedOrder, order_from_members
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.protocols import names, receipts, x402_client
from farthing.protocols.base import BadCredential, Headers, Terms

_PAYLOAD = {"device", "expires", "nonce", "signature"}
_COMPARED = ("scheme", "network", "asset", "amount", "payTo", "maxTimeoutSeconds")
_SIGNATURE_BYTES = 64
_ERROR_MISSING = "PAYMENT-SIGNATURE header is required"
_IDENTIFIER_DECLARED: dict[str, Any] = {
    "info": {"required": False},
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "required": {"type": "boolean"},
            "id": {
                "type": "string",
                "minLength": 16,
                "maxLength": 128,
                "pattern": "^[a-zA-Z0-9_-]+$",
            },
        },
        "required": ["required"],
    },
}


def requirements(terms: Terms) -> dict[str, Any]:
    """Write the one payment requirement that asks for `terms`."""
    return {
        "scheme": names.SCHEME,
        "network": names.network(terms.hub),
        "asset": terms.asset,
        "amount": str(terms.amount),
        "payTo": terms.payee,
        "maxTimeoutSeconds": terms.lifetime_seconds,
        "extra": {"resource": terms.resource},
    }


def error_reason(code: str) -> str:
    """Write a problem code as x402 writes its reasons: `insufficient_funds`."""
    return code.replace("-", "_")


class X402:
    """x402 v2 over HTTP."""

    name = names.X402

    def challenge(self, terms: Terms, now_ns: int, problem: BadCredential | None) -> Headers:  # noqa: ARG002
        """Write the `PAYMENT-REQUIRED` field of a 402."""
        error = error_reason(problem.code) if problem else _ERROR_MISSING
        return [(names.REQUIRED_FIELD, _required(terms, error))]

    def carries(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request carries a payment payload."""
        return names.SIGNATURE_FIELD in headers

    def read(self, headers: Mapping[str, str], terms: Terms, now_ns: int) -> SignedOrder:
        """Read the payment payload: it accepts exactly what is asked here and now.

        Raises: BadCredential `malformed-credential` (400), `terms-mismatch`,
                `lifetime-too-long`.
        """
        message = message_of(headers.get(names.SIGNATURE_FIELD, ""))
        try:
            _check_echo(message)
            signed = signed_order(message)
            accepted = object_of(message.get("accepted"), "accepted")
        except Malformed as fault:
            raise unreadable(fault) from None
        _compare(accepted, requirements(terms), signed)
        latest = now_ns // NS + terms.lifetime_seconds + SKEW_SECONDS_MAX
        if signed.order.expires > latest:
            raise BadCredential(
                "lifetime-too-long", f"expires is at most {terms.lifetime_seconds} s from now"
            )
        return signed

    def identifier(self, headers: Mapping[str, str]) -> str:
        """Give the client's `payment-identifier`, or nothing when it sent none.

        Raises: BadCredential `malformed-credential` (400).
        """
        message = message_of(headers.get(names.SIGNATURE_FIELD, ""))
        try:
            return identifier_of(message)
        except Malformed as fault:
            raise unreadable(fault) from None

    def receipt(self, receipt: Mapping[str, Any]) -> Headers:
        """Write the `PAYMENT-RESPONSE` field; `extra.receipt` is the hub's signed receipt."""
        return [(names.RESPONSE_FIELD, x402_client.write(settled(receipt)))]

    def failure(self, code: str, terms: Terms) -> Headers:
        """Write the `PAYMENT-RESPONSE` field of a payment that was refused."""
        told = {
            "success": False,
            "errorReason": error_reason(code),
            "transaction": "",
            "network": names.network(terms.hub),
        }
        return [(names.RESPONSE_FIELD, x402_client.write(told))]


@lru_cache(maxsize=256)
def _required(terms: Terms, error: str) -> str:
    resource = {"url": terms.url}
    if terms.description:
        resource["description"] = terms.description
    required = {
        "x402Version": names.X402_VERSION,
        "error": error,
        "resource": resource,
        "accepts": [requirements(terms)],
        "extensions": {names.PAYMENT_IDENTIFIER: _IDENTIFIER_DECLARED},
    }
    return x402_client.write(required)


def settled(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Write a receipt as x402's settlement response."""
    facts = receipts.facts(receipt)
    return {
        "success": True,
        "transaction": facts.payment,
        "network": names.network(facts.hub),
        "payer": facts.payer,
        "amount": facts.amount,
        "extra": {"receipt": dict(receipt)},
    }


def signed_order(
    message: Mapping[str, Any], schemes: Collection[str] = (names.SCHEME,)
) -> SignedOrder:
    """Read the order that a payment payload (x402 section 5.2) carries.

    Raises: Malformed when the payload cannot be read, or is not for hub money.
    """
    if message.get("x402Version") != names.X402_VERSION:
        raise Malformed("malformed-credential", "x402Version is 2")
    accepted = object_of(message.get("accepted"), "accepted")
    asked = x402_client.ask_members(accepted, schemes)
    proof = object_of(message.get("payload"), "payload")
    if set(proof) != _PAYLOAD or not all(isinstance(value, str) for value in proof.values()):
        raise Malformed(
            "malformed-credential", "the payload has device, expires, nonce and signature, as text"
        )
    ids.number("dev", proof["device"])
    signature = from_base64url(proof["signature"])
    order = order_from_members(
        {
            "amount": str(asked["amount"]),
            "asset": asked["asset"],
            "device": proof["device"],
            "expires": proof["expires"],
            "hub": asked["hub"],
            "nonce": proof["nonce"],
            "payee": asked["payee"],
            "resource": asked["resource"],
        }
    )
    if len(signature) != _SIGNATURE_BYTES or write_time(order.expires) != proof["expires"]:
        raise Malformed("malformed-credential", "64 bytes of signature, times in whole seconds")
    return SignedOrder(order, signature)


def same_requirements(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two payment requirements ask the same; unknown members are ignored."""
    return all(one.get(name) == other.get(name) for name in _COMPARED) and (
        (one.get("extra") or {}) == (other.get("extra") or {})
    )


def settles(accepted: Mapping[str, Any], required: Mapping[str, Any]) -> bool:
    """Tell whether a seller settles for what was accepted, or by some schemes for less of it.

    Raises: Malformed for an amount that is none.
    Source: x402 scheme `upto`, core properties 4 and 5; scheme `batch-settlement`.
    """
    if accepted.get("scheme") not in (names.UPTO, names.BATCH):
        return same_requirements(accepted, required)
    least, most = required.get("amount"), accepted.get("amount")
    if not isinstance(least, str) or not isinstance(most, str):
        return False
    same = same_requirements(accepted, {**required, "amount": most})
    return same and parse_units(least) <= parse_units(most)


def identifier_of(message: Mapping[str, Any]) -> str:
    """Give the `payment-identifier` of a payment payload, or nothing.

    Raises: Malformed for an extension that is not shaped as declared, or a bad id.
    """
    extensions = message.get("extensions")
    if extensions is None:
        return ""
    sent = object_of(extensions, "extensions").get(names.PAYMENT_IDENTIFIER)
    if sent is None:
        return ""
    info = object_of(object_of(sent, names.PAYMENT_IDENTIFIER).get("info"), "info")
    if not isinstance(info.get("required"), bool):
        raise Malformed("malformed-credential", "echo the extension's info.required as it was")
    identifier = info.get("id", "")
    if not isinstance(identifier, str):
        raise Malformed("malformed-credential", "a payment identifier is text")
    if identifier and names.PAYMENT_IDENTIFIER_TEXT.fullmatch(identifier) is None:
        raise Malformed("malformed-credential", "a payment identifier is 16-128 of A-Za-z0-9_-")
    return identifier


def _check_echo(message: Mapping[str, Any]) -> None:
    if identifier_of(message) or message.get("extensions"):
        sent = object_of(message["extensions"], "extensions").get(names.PAYMENT_IDENTIFIER)
        if sent is not None and sent["info"]["required"] is not False:
            raise Malformed("malformed-credential", "echo the extension's info.required as it was")


@lru_cache(maxsize=32)
def message_of(value: str) -> Mapping[str, Any]:
    """Read a `PAYMENT-SIGNATURE` field, which is looked at twice: for its key, then for its order.

    Raises: BadCredential `malformed-credential` (400).
    """
    if not value or len(value) > names.CREDENTIAL_CHARACTERS_MAX:
        raise unreadable(Malformed("malformed-credential", "1 to 16384 characters of base64"))
    try:
        return object_of(read_json(from_base64(value)), "PAYMENT-SIGNATURE")
    except Malformed as fault:
        raise unreadable(fault) from None


def _compare(accepted: dict[str, Any], asked: dict[str, Any], signed: SignedOrder) -> None:
    if same_requirements(accepted, asked):
        return
    # The payer writes these requirements; that the hub knows such a payment proves only that its
    # payee asked for it, so it must be this payee.
    bound = ("scheme", "network", "payTo", "extra")
    here = all(accepted.get(name) == asked[name] for name in bound)
    raise BadCredential(
        "terms-mismatch",
        "what was accepted is not what is asked here now; pay a fresh requirement",
        stale=signed if here else None,
    )


def object_of(value: Any, name: str) -> dict[str, Any]:
    """Give a member that has to be an object. Raises: Malformed."""
    if not isinstance(value, dict):
        raise Malformed("malformed-credential", f"{name} is a JSON object")
    return cast(dict[str, Any], value)


def unreadable(fault: Malformed) -> BadCredential:
    """Say that a credential cannot be read."""
    return BadCredential("malformed-credential", fault.detail, status=400)
