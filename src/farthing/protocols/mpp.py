"""MPP as a seller speaks it: method `farthing`, intent `charge`; nothing is kept between.

A challenge's id is an HMAC over all of its parameters, so a credential that echoes them proves
that this hub asked exactly that. The challenged price is honoured as long as the challenge is.

Source: draft-httpauth-payment-00; draft-payment-intent-charge-00; docs/reference/methods.md.
"""

import hmac
import re
import secrets as system_secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from farthing import ids
from farthing.clock import NS, write_time
from farthing.codec import canonical_json, from_base64url, plain_json, read_json, to_base64url
from farthing.core.orders import Order, SignedOrder
from farthing.errors import BadConfig, Malformed
from farthing.protocols import fields, mpp_client, names, receipts
from farthing.protocols.base import BadCredential, Headers, Terms

PROBLEMS = "https://paymentauth.org/problems/"
"""Where the MPP draft's own problem types live."""

_SECRET_BYTES_MIN = 32
_SLOTS = ("realm", "method", "intent", "request", "expires", "digest", "opaque")
_OPTIONAL = ("expires", "digest", "opaque")
_REALM = re.compile(r"[\x21-\x7b\x7d\x7e][\x20-\x7b\x7d\x7e]{0,254}", re.ASCII)
_DIGEST = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:", re.ASCII)
_SIGNATURE_BYTES = 64
_PAYLOAD = {"device", "signature"}


def check_realm(realm: str) -> str:
    """Check a realm when it is configured, and give it back.

    Raises: BadConfig `bad-realm` for an empty one, or characters that could shift a slot.
    """
    if _REALM.fullmatch(realm) is None:
        raise BadConfig("bad-realm", "a realm is 1-255 printable ASCII characters without |")
    return realm


def challenge_id(secret: bytes, parameters: Mapping[str, str]) -> str:
    """Bind a challenge's parameters: seven slots, an absent one empty."""
    joined = "|".join(parameters.get(slot, "") for slot in _SLOTS)
    return to_base64url(hmac.digest(secret, joined.encode(), "sha256"))


class Mpp:
    """MPP with secrets of which the newest signs and every one is believed."""

    name = names.MPP

    def __init__(
        self,
        secrets: Sequence[bytes],
        random_bits: ids.RandomBits = system_secrets.randbits,
    ) -> None:
        if not secrets or any(len(secret) < _SECRET_BYTES_MIN for secret in secrets):
            raise BadConfig("bad-challenge-secret", "challenge secrets have 32 bytes or more")
        self._secrets = tuple(secrets)
        self._random_bits = random_bits

    def challenge(self, terms: Terms, now_ns: int, problem: BadCredential | None) -> Headers:  # noqa: ARG002
        """Write the `WWW-Authenticate` field of a 402; the paywall adds `Cache-Control`."""
        nonce = ids.encode(ids.fresh(now_ns // 1_000_000, self._random_bits))
        lasting, written = _lasting(terms)
        changing = {
            "expires": write_time(now_ns // NS + terms.lifetime_seconds),
            "opaque": to_base64url(plain_json({"nonce": nonce})),
        }
        if terms.body_digest:
            changing["digest"] = _checked_digest(terms.body_digest)
        ident = challenge_id(self._secrets[0], {**lasting, **changing})
        rest = _written(changing)
        return [(names.CHALLENGE_FIELD, f'Payment id="{ident}", {written}, {rest}')]

    def carries(self, headers: Mapping[str, str]) -> bool:
        """Tell whether `Authorization` carries a Payment credential, readable or not."""
        return fields.mentions(headers.get(names.CREDENTIAL_FIELD, ""), "payment")

    def read(self, headers: Mapping[str, str], terms: Terms, now_ns: int) -> SignedOrder:  # noqa: ARG002
        """Read the credential: this challenge is ours, and it was made for these terms.

        Raises: BadCredential `malformed-credential`, `several-credentials`,
                `method-unsupported`, `invalid-challenge`, `verification-failed`.
        """
        challenge, payload = read_credential(headers.get(names.CREDENTIAL_FIELD, ""))
        echo = read_echo(challenge)
        if (echo["method"], echo["intent"]) != (names.METHOD, names.INTENT):
            raise bad("method-unsupported", "this hub reads farthing/charge", status=400)
        device, signature = _proof(payload)
        check_binding(self._secrets, echo)
        return _agreed(echo, terms, device, signature)

    def identifier(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002
        """Give nothing: MPP knows `Idempotency-Key` alone, beside the credential."""
        return ""

    def receipt(self, receipt: Mapping[str, Any]) -> Headers:
        """Write the `Payment-Receipt` field; it carries the hub's signed receipt whole."""
        facts = receipts.facts(receipt)
        told = {
            "method": names.METHOD,
            "receipt": dict(receipt),
            "reference": facts.payment,
            "status": "success",
            "timestamp": facts.time,
        }
        return [(names.RECEIPT_FIELD, to_base64url(canonical_json(told)))]

    def failure(self, code: str, terms: Terms) -> Headers:  # noqa: ARG002
        """Say nothing in header fields: MPP tells of failures in the body alone."""
        return []


def check_binding(secrets: Sequence[bytes], echo: Mapping[str, str]) -> None:
    """Check that we have asked what a credential says it answers.

    Raises: BadCredential `invalid-challenge`.
    """
    good = False
    if not any("|" in value for value in echo.values()):
        for secret in secrets:
            expected = challenge_id(secret, echo).encode()
            good |= hmac.compare_digest(expected, echo["id"].encode())
    if not good:
        raise bad("invalid-challenge", "this hub did not ask this; ask again for a new price")


@lru_cache(maxsize=256)
def _lasting(terms: Terms) -> tuple[Mapping[str, str], str]:
    """Give the parameters that all challenges for these terms share, and how they are written."""
    parameters = {
        "realm": check_realm(terms.realm),
        "method": names.METHOD,
        "intent": names.INTENT,
        "request": to_base64url(plain_json(_request(terms))),
    }
    return parameters, _written(parameters)


def _written(parameters: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={fields.quoted(value)}" for name, value in parameters.items())


def _request(terms: Terms) -> dict[str, str | Mapping[str, str]]:
    request: dict[str, str | Mapping[str, str]] = {
        "amount": str(terms.amount),
        "currency": terms.asset,
        "methodDetails": {"hub": terms.hub, "resource": terms.resource},
        "recipient": terms.payee,
    }
    if terms.description:
        request["description"] = terms.description
    return request


def _checked_digest(digest: str) -> str:
    if _DIGEST.fullmatch(digest) is None:
        raise Malformed("malformed-digest", "a body digest is written sha-256=:base64:")
    return digest


def read_credential(value: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the challenge and the payload of a credential.

    Raises: BadCredential `malformed-credential`, `several-credentials`.
    """
    if len(value) > names.CREDENTIAL_CHARACTERS_MAX:
        raise bad("malformed-credential", "a credential has at most 16384 characters")
    try:
        sent = [part for part in fields.split(value) if part.scheme == "payment"]
    except Malformed as fault:
        raise bad("malformed-credential", fault.detail) from None
    if len(sent) != 1:
        raise bad("several-credentials", "send exactly one Payment credential", status=400)
    if len(sent[0].pieces) != 1:
        raise bad("malformed-credential", "write: Payment <base64url>")
    try:
        message = read_json(from_base64url(sent[0].pieces[0]))
    except Malformed as fault:
        raise bad("malformed-credential", fault.detail) from None
    return _member(message, "challenge"), _member(message, "payload")


def _member(message: Any, name: str) -> dict[str, Any]:
    value = cast(dict[str, Any], message).get(name) if isinstance(message, dict) else None
    if not isinstance(value, dict):
        raise bad("malformed-credential", f"the credential's {name} is an object")
    return cast(dict[str, Any], value)


def read_echo(challenge: dict[str, Any]) -> dict[str, str]:
    """Read the challenge's parameters as they were sent back.

    Raises: BadCredential `malformed-credential`.
    """
    echo: dict[str, str] = {}
    for name in mpp_client.ECHOED:
        value = challenge.get(name)
        if value is None and name in _OPTIONAL and name not in challenge:
            continue
        if not isinstance(value, str):
            raise bad("malformed-credential", f"the challenge's {name} is text")
        echo[name] = value
    return echo


def _proof(payload: dict[str, Any]) -> tuple[str, bytes]:
    if set(payload) != _PAYLOAD or not all(isinstance(value, str) for value in payload.values()):
        raise bad("malformed-credential", "the payload has device and signature, as text")
    try:
        ids.number("dev", payload["device"])
        signature = from_base64url(payload["signature"])
    except Malformed as fault:
        raise bad("malformed-credential", fault.detail) from None
    if len(signature) != _SIGNATURE_BYTES:
        raise bad("malformed-credential", "a signature has 64 bytes")
    return payload["device"], signature


def _agreed(echo: dict[str, str], terms: Terms, device: str, signature: bytes) -> SignedOrder:
    try:
        asked = mpp_client.ask_members(echo)
    except (Malformed, KeyError):
        raise bad("invalid-challenge", "this challenge was made for something else") from None
    if (echo["realm"], asked["hub"], asked["resource"]) != (
        terms.realm,
        terms.hub,
        terms.resource,
    ):
        raise bad("invalid-challenge", "this challenge was made for another resource")
    if asked["body_digest"] != terms.body_digest:
        raise bad("verification-failed", "the body is not the one this price was asked for")
    signed = SignedOrder(
        Order(
            hub=asked["hub"],
            device=device,
            payee=asked["payee"],
            asset=asked["asset"],
            amount=asked["amount"],
            nonce=asked["nonce"],
            expires=asked["expires"],
            challenge=echo["id"],
            resource=asked["resource"],
        ),
        signature,
    )
    if (asked["payee"], asked["asset"]) != (terms.payee, terms.asset):
        raise bad("invalid-challenge", "the offer has changed since; ask again", stale=signed)
    return signed


def bad(
    code: str, detail: str, *, status: int = 402, stale: SignedOrder | None = None
) -> BadCredential:
    """Make the error of a credential that does not hold, as the MPP draft names it."""
    more = {} if code == "several-credentials" else {"type": PROBLEMS + code}
    return BadCredential(code, detail, status=status, stale=stale, **more)
