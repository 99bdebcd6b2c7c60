"""What the languages tell of a receipt beside carrying it whole."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from farthing.errors import ensure


class Facts(NamedTuple):
    """The few facts of a receipt that a language repeats in its own members."""

    payment: str
    hub: str
    payer: str
    amount: str
    time: str


def facts(receipt: Mapping[str, Any]) -> Facts:
    """Find the facts in a receipt's statement and in its signed head.

    Units:  `amount` is what was captured, in smallest units.
    Raises: InvariantBroken when the hub hands in something else than a receipt.
    """
    statement = _object(receipt.get("statement"))
    head = _object(_object(receipt.get("proof")).get("head"))
    found = Facts(
        payment=_text(statement, "payment"),
        hub=_text(statement, "hub"),
        payer=_text(statement, "payer"),
        amount=_text(statement, "captured"),
        time=_text(head, "committed_at"),
    )
    ensure(all(found), "a receipt states a payment")
    return found


def _object(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _text(of: dict[str, Any], name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""
