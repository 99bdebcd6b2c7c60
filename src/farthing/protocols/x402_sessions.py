"""x402 `batch-settlement` as a paywall that meters speaks it: the sessions of MPP in other words.

A requirement says the tariff and what sessions are opened for; a payload brings a deposit or a
voucher as at a facilitator; the answer says how the session stands.

Source: x402 specification v2, its HTTP transport, scheme `batch-settlement`; methods.md.
"""

from collections.abc import Mapping
from typing import Any

from farthing.core.sessions import opening_of
from farthing.errors import Malformed
from farthing.protocols import names, x402_client
from farthing.protocols.base import BadCredential, Headers
from farthing.protocols.mpp_session import Said, SessionTerms
from farthing.protocols.x402 import (
    error_reason,
    message_of,
    object_of,
    same_requirements,
    unreadable,
)
from farthing.protocols.x402_answers import STATE
from farthing.protocols.x402_batch import batch_ask, commitment, read_payload


def requirements(terms: SessionTerms) -> dict[str, Any]:
    """Write the requirement that asks for a session with `terms`."""
    usage = terms.usage
    extra = {
        "purpose": terms.realm,
        "lifetime": str(usage.lifetime_seconds),
        "grace": str(usage.grace_seconds),
        "tariff": usage.tariff.members(),
        "by": usage.by,
        "reserve": str(usage.reserve),
    }
    return {
        "scheme": names.BATCH,
        "network": names.network(terms.hub),
        "asset": usage.tariff.asset,
        "amount": str(usage.units),
        "payTo": terms.payee,
        "maxTimeoutSeconds": terms.lifetime_seconds,
        "extra": extra | ({"minDeposit": str(usage.deposit)} if usage.deposit else {}),
    }


class X402Sessions:
    """The scheme over HTTP, for hub money of one hub."""

    def __init__(self, hub: str) -> None:
        self._network = names.network(hub)

    def challenge(
        self, terms: SessionTerms, url: str, problem: Mapping[str, Any] | None = None
    ) -> Headers:
        """Write the `PAYMENT-REQUIRED` field of a 402.

        Shape: `problem` is why a payment did not do: its code, and how its session stands.
        """
        asked = requirements(terms)
        if problem is not None and "session" in problem:
            asked["extra"] = {**asked["extra"], STATE: _state(problem)}
        reason = str(problem["code"]) if problem is not None else "PAYMENT-SIGNATURE is required"
        required = {
            "x402Version": names.X402_VERSION,
            "error": error_reason(reason) if problem is not None else reason,
            "resource": {"url": url, "description": terms.description},
            "accepts": [asked],
        }
        return [(names.REQUIRED_FIELD, x402_client.write(required))]

    def read(self, value: str, terms: SessionTerms) -> Said:
        """Read a payment payload for what is asked here and now.

        Raises: BadCredential `malformed-credential` (400), `terms-mismatch`.
        """
        message, asked = message_of(value), requirements(terms)
        try:
            accepted = object_of(message.get("accepted"), "accepted")
            told = object_of(accepted.get("extra"), "extra")
            extra = {name: member for name, member in told.items() if name != STATE}
            if not same_requirements(accepted | {"extra": extra}, asked):
                detail = "what was accepted is not what is asked here now"
                raise BadCredential("terms-mismatch", detail)
            brought = read_payload(message, batch_ask(asked))
        except Malformed as fault:
            raise unreadable(fault) from None
        signed = brought.signed
        opens = signed is not None and opening_of(signed.order.resource) is not None
        action = "open" if opens else "voucher"
        return Said(
            action=action,
            session=brought.session,
            voucher=brought.voucher,
            signed=signed,
            language=names.X402,
        )

    def receipt(self, state: Mapping[str, str], _challenge: str, _now_ns: int) -> Headers:
        """Write the `PAYMENT-RESPONSE` field: what was accepted, and how the session stands."""
        told = {
            "success": True,
            "transaction": commitment(state["session"], int(state["sequence"])),
            "network": self._network,
            "extra": {STATE: _state(state)},
        }
        return [(names.RESPONSE_FIELD, x402_client.write(told))]


def _state(state: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        "channelId": state.get("session"),
        "balance": state.get("deposit"),
        "chargedCumulativeAmount": state.get("owed"),
        "signedMaxClaimable": state.get("promised"),
        "requiredCumulativeAmount": state.get("needed"),
    }
    return {member: str(value) for member, value in known.items() if value is not None}
