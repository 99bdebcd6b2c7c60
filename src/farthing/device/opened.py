"""Which session the hub opened for an order: the order's own, or that of an equal one.

An order that equals one which still awaits its owner is answered with that one's payment, so its
session has another id than follows from the order. The device takes it for its own only when a
receipt, signed by the hub, says that it was paid for by this device, so much to this payee.
"""

from collections.abc import Mapping
from typing import Any, cast

from farthing import ids
from farthing.clock import parse_time
from farthing.core.receipts import receipt_fault
from farthing.device.hub_calls import must_text
from farthing.device.purse import Purse
from farthing.errors import Malformed, OutcomeUnknown
from farthing.money import parse_units
from farthing.session_files import Kept


def opened_session(purse: Purse, kept: Kept, told: Mapping[str, Any]) -> Kept | None:
    """Read what was opened for the order in `kept`; None while its owner is asked.

    Raises: OutcomeUnknown `malformed-answer`, or `another-session` for one that is not ours.
    """
    session = told.get("session")
    if not isinstance(session, dict):
        return None
    shown = cast(dict[str, Any], session)
    name = must_text(shown, "id")
    try:
        if name != kept.session and not _is_ours(purse, kept, name, told):
            raise OutcomeUnknown(
                "another-session",
                "the hub names a session that it does not prove to be this order's",
                session=kept.session,
            )
        return Kept(
            session=name,
            payee=kept.payee,
            asset=kept.asset,
            tariff=kept.tariff,
            deposit=kept.deposit,
            ends=parse_time(must_text(shown, "ends_at")),
            promised=parse_units(must_text(shown, "promised")),
            sequence=parse_units(must_text(shown, "sequence")),
            purpose=kept.purpose,
        )
    except Malformed as fault:
        raise OutcomeUnknown("malformed-answer", fault.detail, session=kept.session) from None


def _is_ours(purse: Purse, kept: Kept, name: str, told: Mapping[str, Any]) -> bool:
    """Tell whether the hub has signed that this session's deposit is a payment like ours."""
    payment: Any = told.get("payment")
    try:
        receipt: Any = payment["receipt"]
        if receipt_fault(receipt, purse.membership.root_key) is not None:
            return False
        statement: Any = receipt["statement"]
    except (Malformed, ValueError, TypeError, KeyError, AttributeError):
        return False
    return {
        "amount": str(kept.deposit),
        "asset": kept.asset,
        "device": purse.device,
        "hub": purse.hub,
        "kind": "payment",
        "payee": kept.payee,
        "payment": ids.name("pay", ids.number("ses", name)),
    }.items() <= statement.items()
