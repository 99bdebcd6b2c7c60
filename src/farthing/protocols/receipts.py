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
    """Find the facts, in the receipt itself or in its statement.

    Raises: InvariantBroken when the hub hands in a receipt without the payment's id.
    """
    statement = receipt.get("statement")
    told = cast(dict[str, Any], statement) if isinstance(statement, dict) else {}

    def text(*members: str) -> str:
        for member in members:
            value = receipt.get(member, told.get(member))
            if isinstance(value, str) and value:
                return value
        return ""

    payment = text("payment")
    ensure(payment != "", "a receipt names its payment")
    return Facts(
        payment=payment,
        hub=text("hub"),
        payer=text("device", "payer"),
        amount=text("amount", "units"),
        time=text("captured_at", "time", "committed_at"),
    )
