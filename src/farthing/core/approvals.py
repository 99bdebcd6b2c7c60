"""What an owner is asked to approve: exactly these terms."""

import hashlib

from farthing.codec import canonical_json, to_base64url
from farthing.core.payments import Payment


def approval_of(payment: Payment) -> dict[str, str]:
    """Give the canonical approval: every term that an owner says yes to."""
    return {
        "act": "approve",
        "amount": str(payment.amount),
        "asset": payment.asset,
        "device": payment.device,
        "hub": payment.hub,
        "payee": payment.payee,
        "payment": payment.id,
        "resource": payment.resource,
    }


def terms_of(payment: Payment) -> str:
    """Hash the approval's terms: an answer that was given to other terms approves nothing."""
    return to_base64url(hashlib.sha256(canonical_json(approval_of(payment))).digest())
