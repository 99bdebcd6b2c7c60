"""What a seller answers to an x402 payment payload: taken or why not, and how a session stands.

Source: x402 specification v2, its HTTP transport; docs/reference/methods.md, "batch-settlement".
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from farthing.codec import from_base64, read_json
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.protocols import names

STATE = "channelState"
"""The member of `extra` that says how a session stands; it is no part of what is asked."""


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """How a seller says that a session stands; what it does not say is None.

    Units: `balance` is the deposit, `charged` what was charged in all, `needed` what has to be
           promised in all: smallest units.
    """

    balance: int | None = None
    charged: int | None = None
    needed: int | None = None


class PaymentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the fields of an answer say of a payload.

    Shape: `taken` where they say so; `error` is else why not, in x402's words, or empty.
    """

    taken: bool = False
    error: str = ""
    state: ChannelState = ChannelState()


def channel_state(extra: Any) -> ChannelState:
    """Read how a session stands out of an `extra`; what cannot be read is not said."""
    told = _member(extra, STATE)
    return ChannelState(
        balance=_units(told.get("balance")),
        charged=_units(told.get("chargedCumulativeAmount")),
        needed=_units(told.get("requiredCumulativeAmount")),
    )


def payment_answer(headers: Iterable[tuple[str, str]]) -> PaymentAnswer:
    """Read what the header fields of an answer say of the payload that was sent."""
    found = {name.lower(): value for name, value in headers}
    response = read_field(found.get(names.RESPONSE_FIELD, ""))
    if response.get("success") is True:
        return PaymentAnswer(taken=True, state=channel_state(response.get("extra")))
    required = read_field(found.get(names.REQUIRED_FIELD, ""))
    reason = response.get("errorReason") or required.get("error")
    return PaymentAnswer(
        error=reason if isinstance(reason, str) else "",
        state=_first_state(response.get("extra"), *_extras(required)),
    )


def read_field(value: str) -> dict[str, Any]:
    """Read a field's base64 JSON object; empty where it is none, or is too long to be read."""
    if not value or len(value) > names.ANSWER_CHARACTERS_MAX:
        return {}
    try:
        return _object(read_json(from_base64(value)))
    except Malformed:
        return {}


def _first_state(*extras: Any) -> ChannelState:
    states = (channel_state(extra) for extra in extras)
    return next((state for state in states if state != ChannelState()), ChannelState())


def _extras(required: Mapping[str, Any]) -> list[Any]:
    accepts = required.get("accepts")
    listed = cast(list[Any], accepts) if isinstance(accepts, list) else []
    return [_object(each).get("extra") for each in listed]


def _member(extra: Any, name: str) -> dict[str, Any]:
    return _object(_object(extra).get(name))


def _object(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _units(value: Any) -> int | None:
    try:
        return parse_units(value) if isinstance(value, str) else None
    except Malformed:
        return None
