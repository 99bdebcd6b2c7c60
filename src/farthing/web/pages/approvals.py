"""What an owner is asked to approve: exactly these terms, with a passkey above the limit."""

from collections.abc import Mapping

from farthing.core.approvals import approval_of, terms_of
from farthing.core.payments import Payment
from farthing.settings import Config


def needs_passkey(config: Config, payment: Payment) -> bool:
    """Tell whether an approval is large enough to need a passkey's confirmation.

    Shape: of an asset that has no limit any approval needs it.
    """
    limit = config.passkey_limits().get(payment.asset)
    return limit is None or payment.amount > limit


BY_TERMS = frozenset(
    {"enrol-device", "change-limits", "agree-limits", "pay-out", "invite-person", "decide-case"}
)
"""Acts whose terms a page has read back: a passkey confirms the hash of those."""


def terms_act(act: str, terms: str) -> dict[str, str]:
    """Give what a passkey confirms of such an act."""
    return {"act": act, "terms": terms}


def refunding_act(payment: Payment, units: int) -> dict[str, str]:
    """Give what a passkey confirms of a refund: of which sale, how much, and of what is left."""
    left = str(payment.captured - payment.refunded)
    told = {"act": "refund", "payment": payment.id, "amount": str(units)}
    return told | {"left": left, "asset": payment.asset}


Act = Mapping[str, str]
__all__ = ["Act", "approval_of", "needs_passkey", "refunding_act", "terms_of"]
