"""The payer's side of metered routes: what a 402 asks a session for, and how one stands.

Source: docs/reference/metering.md.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from farthing.codec import from_base64url, read_json
from farthing.core.tariffs import Tariff, read_tariff
from farthing.errors import Malformed
from farthing.money import parse_units
from farthing.protocols import fields, names

INTENT = "session"
_MEMBER = re.compile(r'([a-z]+)="([\x20\x21\x23-\x5b\x5d-\x7e]*)"', re.ASCII)


class SessionAsk(msgspec.Struct, frozen=True, kw_only=True):
    """What a seller asks a session for.

    Units: `deposit` is what it suggests, 0 if nothing; `lifetime_seconds` and `grace_seconds` are
           what it opens sessions for.
    Shape: `purpose` is what the opening order has to name; `by` says who counts; `reserve` is the
           count to promise before an answer begins.
    """

    hub: str
    payee: str
    tariff: Tariff
    purpose: str
    by: str
    reserve: int
    deposit: int
    lifetime_seconds: int
    grace_seconds: int
    description: str = ""


def session_asks(headers: Iterable[tuple[str, str]]) -> list[SessionAsk]:
    """Read the header fields of a 402; what is no session of our method is skipped."""
    found: list[SessionAsk] = []
    for name, value in headers:
        if name.lower() == names.CHALLENGE_FIELD and len(value) <= names.ANSWER_CHARACTERS_MAX:
            found += _asks(value)
    return found


def session_state(headers: Mapping[str, str]) -> dict[str, str]:
    """Read how a session stands from an answer; empty where it does not say."""
    return dict(_MEMBER.findall(headers.get("farthing-session", "")))


def _asks(value: str) -> list[SessionAsk]:
    try:
        parts = fields.split(value)
    except Malformed:
        return []
    read = (_ask(part) for part in parts if part.scheme == "payment")
    return [ask for ask in read if ask is not None]


def _ask(part: fields.Part) -> SessionAsk | None:
    try:
        told = fields.parameters(part)
        if (told["method"], told["intent"]) != (names.METHOD, INTENT):
            return None
        request = cast(dict[str, Any], read_json(from_base64url(told["request"])))
        details = request["methodDetails"]
        return SessionAsk(
            hub=str(details["hub"]),
            payee=str(request["recipient"]),
            tariff=read_tariff(details["tariff"]),
            purpose=str(details["purpose"]),
            by=str(details["by"]),
            reserve=parse_units(details["reserve"]),
            deposit=parse_units(request.get("suggestedDeposit", "0")),
            lifetime_seconds=parse_units(details["lifetime"]),
            grace_seconds=parse_units(details["grace"]),
            description=str(request.get("description", "")),
        )
    except (AttributeError, KeyError, Malformed, TypeError, ValueError):
        return None
