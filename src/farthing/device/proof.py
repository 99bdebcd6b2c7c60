"""Whether a receipt proves that an order was paid: signed by the hub, captured, and about it."""

import hashlib
from typing import Any, cast

import httpx

from farthing.codec import to_base64url
from farthing.core.orders import order_from_members
from farthing.core.receipts import receipt_fault
from farthing.device.hub_calls import Standing
from farthing.device.journal import Entry
from farthing.device.outcomes import Paid, Unproven
from farthing.device.purse import Purse
from farthing.errors import Malformed
from farthing.money import Amount, Asset
from farthing.protocols.client import read_receipt

NONE = "the seller passed no receipt on"
ANOTHER = "it is about another payment"


def told_receipt(
    response: httpx.Response, told: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Give the receipt that a seller passed on, in its fields or else in a problem."""
    read = read_receipt(response.headers.multi_items())
    return read["receipt"] if read and read["receipt"] else told


def proof_fault(
    purse: Purse, entry: Entry, receipt: dict[str, Any] | None, payment: str = ""
) -> str:
    """Say why a receipt does not prove that this order was paid; empty when it does.

    Shape: `payment` is another one of this device's, to the same payee, that it may be about.
    """
    if receipt is None:
        return NONE
    try:
        fault = receipt_fault(receipt, purse.membership.root_key)
    except (Malformed, ValueError, TypeError, KeyError, AttributeError):
        fault = "it cannot be read"
    return fault if fault is not None else _about(purse, entry, _statement(receipt), payment)


def _about(purse: Purse, entry: Entry, statement: dict[str, Any], payment: str) -> str:
    told = {"hub": purse.hub, "payee": entry.payee, "asset": entry.asset, "device": purse.device}
    told["payment"] = payment or entry.payment
    if entry.order and told["payment"] == entry.payment:
        signed = order_from_members(entry.order).signed_bytes()
        told["order"] = to_base64url(hashlib.sha256(signed).digest())
    if not told.items() <= statement.items():
        return ANOTHER
    return "" if statement.get("state") == "captured" else "it is not about money that was taken"


def earlier_payment(purse: Purse, entry: Entry, receipt: dict[str, Any] | None) -> str:
    """Name the earlier payment of this device that a receipt proves; empty where it does not.

    Shape: a seller gives it for a second credential under one `Idempotency-Key`, for instance.
    """
    if receipt is None or proof_fault(purse, entry, receipt) != ANOTHER:
        return ""
    named = str(_statement(receipt).get("payment", ""))
    return "" if proof_fault(purse, entry, receipt, named) else named


def paid_for(entry: Entry, receipt: dict[str, Any], payment: str = "") -> Paid:
    """Tell what was paid, by the receipt that proves it."""
    return Paid(
        payment=payment or entry.payment,
        amount=_amount(entry, int(_statement(receipt)["captured"])),
        payee=entry.payee,
        language=entry.language,
        receipt=receipt,
        receipt_fault="",
    )


def paid_at_hub(purse: Purse, entry: Entry, standing: Standing) -> Paid | None:
    """Tell what was paid, by the receipt that the hub itself gave."""
    receipt = standing.receipt
    if receipt is None or proof_fault(purse, entry, receipt, standing.payment):
        return None
    return paid_for(entry, receipt, standing.payment)


def unproven(entry: Entry, standing: Standing | None, why: str) -> Unproven:
    """Tell what was signed, where nothing proves that it was paid."""
    return Unproven(
        payment=entry.payment,
        amount=_amount(entry, entry.amount),
        payee=entry.payee,
        state=standing.state if standing is not None else "",
        why=why,
    )


def _amount(entry: Entry, units: int) -> Amount:
    return Amount(units, Asset(entry.asset, entry.scale))


def _statement(receipt: dict[str, Any]) -> dict[str, Any]:
    statement = receipt.get("statement")
    return cast(dict[str, Any], statement) if isinstance(statement, dict) else {}
