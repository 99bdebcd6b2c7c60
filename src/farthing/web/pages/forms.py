"""What a form carries: strictly read, with the mark of the session that it was written for."""

import hmac
from typing import Any
from urllib.parse import parse_qsl

from farthing.codec import read_json
from farthing.errors import Forbidden, Malformed
from farthing.services.people import Proof
from farthing.services.register import Visitor
from farthing.web.api.endpoint import Call

_FIELDS_MAX = 80
_FORM = "application/x-www-form-urlencoded"


def read_form(call: Call) -> dict[str, str]:
    """Read the fields of a form, each once.

    Raises: Malformed.
    """
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Malformed("malformed-form", f"send a form as {_FORM}")
    try:
        pairs = parse_qsl(
            call.raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(call.raw),
            max_num_fields=_FIELDS_MAX,
            errors="strict",
        )
    except ValueError:
        raise Malformed("malformed-form", "the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("malformed-form", "a field stands twice in the form")
    if any("\0" in value for value in fields.values()):
        raise Malformed("malformed-form", "NUL is not allowed in text")
    return fields


def read_object(call: Call) -> dict[str, Any]:
    """Read a JSON object.

    Raises: Malformed.
    """
    body = read_json(call.raw)
    if not isinstance(body, dict):
        raise Malformed("malformed-form", "send a JSON object")
    return body  # pyright: ignore[reportUnknownVariableType]


def text_in(body: dict[str, Any], name: str) -> str:
    """Read a text out of a JSON object.

    Raises: Malformed.
    """
    value = body.get(name)
    if not isinstance(value, str):
        raise Malformed("malformed-form", f"{name} is a text")
    return value


def proof_in(body: dict[str, Any], name: str = "") -> Proof:
    """Read what a passkey has answered, and to which ticket.

    Raises: Malformed.
    """
    found = body.get(name) if name else body
    if not isinstance(found, dict):
        raise Malformed("malformed-passkey", "send a ticket and a passkey's answer")
    ticket, answer = found.get("ticket"), found.get("answer")  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
    if not isinstance(ticket, str) or not isinstance(answer, dict):
        raise Malformed("malformed-passkey", "send a ticket and a passkey's answer")
    return Proof(ticket, answer)  # pyright: ignore[reportUnknownArgumentType]


def proof_of(form: dict[str, str]) -> Proof | None:
    """Read a passkey's answer out of a form's field; None if it is empty.

    Raises: Malformed.
    """
    text = form.get("proof", "")
    if not text:
        return None
    found = read_json(text)
    if not isinstance(found, dict):
        raise Malformed("malformed-passkey", "send a ticket and a passkey's answer")
    return proof_in(found)  # pyright: ignore[reportUnknownArgumentType]


def check_mark(given: str, visitor: Visitor) -> None:
    """Refuse a form that was not written for this session.

    Raises: Forbidden `foreign-page`.
    """
    if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
        raise Forbidden("foreign-page", "this was not sent by a page of this hub")
